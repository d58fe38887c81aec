package recording

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
)

// Put keeps chunk n of a recording, numbered from 0, and returns when it is on disk. stored is false where the same
// chunk was there before. A body that is not what its digest says is ErrDigest, one above MaxChunk is ErrTooLarge, an
// empty one ErrEmpty. A number that another chunk has is ErrConflict, and a new chunk of a closed recording ErrClosed.
// An error of body's Read comes back as it is.
func (s *Store) Put(id string, n int, digest Digest, body io.Reader) (stored bool, err error) {
	if n < 0 || n >= MaxChunks {
		return false, ErrInvalid
	}
	if _, err := s.Recording(id); err != nil {
		return false, err
	}
	ending, err := s.Ending(id)
	if err == nil {
		return false, ending.check(n, digest)
	}
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	temp, err := s.receive(digest, body)
	if err != nil {
		return false, err
	}
	defer s.root.Remove(temp)
	err = s.linkTemp(temp, s.chunkPath(id, n))
	if errors.Is(err, fs.ErrExist) {
		return false, s.compare(id, n, digest)
	}
	return err == nil, err
}

// check answers a chunk that comes after the end. A browser that has lost the answer to its first try sends it again.
func (e *Ending) check(n int, digest Digest) error {
	if n < len(e.Digests) && e.Digests[n] == digest {
		return nil
	}
	return ErrClosed
}

// receive writes a chunk to a file in tmp, which the caller removes.
func (s *Store) receive(digest Digest, body io.Reader) (string, error) {
	f, temp, err := s.createTemp()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(body, MaxChunk+1))
	err = finish(f, err)
	switch {
	case err != nil:
	case size == 0:
		err = ErrEmpty
	case size > MaxChunk:
		err = ErrTooLarge
	case !bytes.Equal(hash.Sum(nil), digest[:]):
		err = ErrDigest
	}
	if err != nil {
		s.root.Remove(temp)
		return "", err
	}
	return temp, nil
}

// compare answers a chunk whose number is taken.
func (s *Store) compare(id string, n int, digest Digest) error {
	f, err := s.root.Open(s.chunkPath(id, n))
	if err != nil {
		return ioError("read", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return ioError("read", err)
	}
	if !bytes.Equal(hash.Sum(nil), digest[:]) {
		return ErrConflict
	}
	return nil
}

// Have returns the numbers of the chunks of an open recording, in order.
func (s *Store) Have(id string) ([]int, error) {
	if _, err := s.Recording(id); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(s.root.FS(), s.path(id, "chunks"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a closed recording has none
		return nil, ioError("read", err)
	}
	numbers := make([]int, 0, len(entries))
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
