package recording

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// End closes a recording whose chunks have these digests, in order, and returns when the whole recording is one file on
// disk. ended is false where it was closed before with the same list. Another list is ErrClosed. Chunks that are
// missing or different are a *GapError, and an empty list is ErrEmpty. Both leave the recording open. interrupted is kept
// with the ending.
func (s *Store) End(id string, digests []Digest, interrupted bool) (ended bool, err error) {
	r, err := s.Recording(id)
	if err != nil {
		return false, err
	}
	if ending, err := s.Ending(id); !errors.Is(err, ErrNotFound) {
		return false, ending.same(digests, err)
	}
	if err := s.checkList(id, digests); err != nil {
		return false, err
	}
	ending, err := s.assemble(r, digests)
	if err != nil {
		return false, err
	}
	ending.Interrupted = interrupted
	err = s.link(s.path(id, closedFile), ending)
	if errors.Is(err, fs.ErrExist) { // another call was faster
		first, err := s.Ending(id)
		return false, first.same(digests, err)
	}
	if err != nil {
		return false, err
	}
	s.removeChunks(id, len(digests))
	return true, nil
}

// removeChunks removes what the whole recording has. A chunk that came beyond the end of the list, while End ran, stays
// on disk. A call that dies here leaves chunks that are never read.
func (s *Store) removeChunks(id string, count int) {
	for n := range count {
		_ = s.root.Remove(s.chunkPath(id, n))
	}
	_ = s.root.Remove(s.path(id, "chunks"))
}

// same answers a call that finds the recording closed.
func (e *Ending) same(digests []Digest, err error) error {
	if err != nil {
		return err
	}
	if !slices.Equal(e.Digests, digests) {
		return ErrClosed
	}
	return nil
}

// checkList refuses a list that does not name the chunks that are there.
func (s *Store) checkList(id string, digests []Digest) error {
	switch {
	case len(digests) == 0:
		return ErrEmpty
	case len(digests) > MaxChunks:
		return ErrInvalid
	}
	have, err := s.Have(id)
	if err != nil {
		return err
	}
	gap := &GapError{}
	for n := range digests {
		if _, found := slices.BinarySearch(have, n); !found {
			gap.Missing = append(gap.Missing, n)
		}
	}
	beyond, _ := slices.BinarySearch(have, len(digests))
	gap.Different = have[beyond:]
	return gap.orNil()
}

func (e *GapError) orNil() error {
	if len(e.Missing)+len(e.Different) == 0 {
		return nil
	}
	return e
}

// assemble makes one file of the chunks. The file's name holds its digest, so that a call with another list makes
// another file.
func (s *Store) assemble(r Recording, digests []Digest) (*Ending, error) {
	f, temp, err := s.createTemp()
	if err != nil {
		return nil, err
	}
	defer s.root.Remove(temp)
	a := assembly{store: s, id: r.ID, file: f, whole: sha256.New()}
	err = a.appendAll(digests)
	if err := finish(f, err); err != nil {
		return nil, err
	}
	if err := a.gap.orNil(); err != nil {
		return nil, err
	}
	ending := &Ending{Digests: digests, Size: a.size, Closed: time.Now().UTC()}
	a.whole.Sum(ending.Digest[:0])
	return ending, s.rename(temp, s.audioPath(r, ending.Digest))
}

// An assembly is a recording on the way from its chunks to one file.
type assembly struct {
	store *Store
	id    string
	file  *os.File
	whole hash.Hash
	size  int64
	gap   GapError
}

// appendAll appends the chunks in order. It reads each back from the disk, so that a chunk which the disk has changed
// is found while the browser still has it.
func (a *assembly) appendAll(digests []Digest) error {
	for n, digest := range digests {
		chunk, err := a.store.root.Open(a.store.chunkPath(a.id, n))
		if err != nil {
			return err
		}
		hash := sha256.New()
		size, err := io.Copy(io.MultiWriter(a.file, a.whole, hash), chunk)
		chunk.Close()
		if err != nil {
			return err
		}
		if !bytes.Equal(hash.Sum(nil), digest[:]) {
			a.gap.Different = append(a.gap.Different, n)
		}
		a.size += size
	}
	return nil
}
