package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"
)

// A Store is a directory of recordings. It is safe for concurrent use.
//
//	codes/CODE                       the id of the recording that has the code
//	recordings/ID/recording.json     a Recording
//	recordings/ID/chunks/000000      the chunks, until the recording is closed
//	recordings/ID/audio-DIGEST.webm  the whole recording
//	recordings/ID/closed.json        an Ending, written last
//	recordings/ID/result.json        what came of it, see Store.SaveResult
//	tmp/                             files that are being written
type Store struct{ root *os.Root }

const (
	recordingFile = "recording.json"
	closedFile    = "closed.json"
	resultFile    = "result.json"
)

// Open opens the store in dir and makes the directory where there is none. Only the owner of the process may read it.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ioError("open", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, ioError("open", err)
	}
	s := &Store{root}
	for _, name := range []string{"codes", "recordings", "tmp"} {
		if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(ioError("open", err), root.Close())
		}
	}
	return s, errors.Join(s.syncDir("."), s.removeOldTemps())
}

// Close releases the directory. It ends no recording.
func (s *Store) Close() error { return s.root.Close() }

// Create begins a recording and returns it as it is kept. A second call with the same id and owner changes nothing and
// returns the first call's recording. Where another recording has the code, Create appends "-2", "-3" and so on, so that
// no visit is lost to a code that was used twice.
func (s *Store) Create(r Recording) (Recording, error) {
	if err := r.validate(); err != nil {
		return Recording{}, err
	}
	kept, err := s.Recording(r.ID)
	if errors.Is(err, ErrNotFound) {
		return s.create(r)
	}
	if err == nil && kept.Owner != r.Owner {
		return Recording{}, ErrExists
	}
	return kept, err
}

func (s *Store) create(r Recording) (Recording, error) {
	code, err := s.reserveCode(r.Code, r.ID)
	if err != nil {
		return Recording{}, err
	}
	r.Code = code
	dir := s.path(r.ID)
	for _, name := range []string{dir, path.Join(dir, "chunks")} {
		if err := s.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return Recording{}, ioError("create", err)
		}
	}
	if err := errors.Join(s.syncDir("recordings"), s.syncDir(dir)); err != nil {
		return Recording{}, err
	}
	if err := s.link(s.path(r.ID, recordingFile), r); err != nil && !errors.Is(err, fs.ErrExist) {
		return Recording{}, err
	}
	return s.Recording(r.ID)
}

// reserveCode gives the recording the code, or the first free one after it.
func (s *Store) reserveCode(code, id string) (string, error) {
	for n := 1; n <= 999; n++ {
		try := code
		if n > 1 {
			suffix := fmt.Sprintf("-%d", n)
			try = code[:min(len(code), 32-len(suffix))] + suffix
		}
		err := s.link(path.Join("codes", try), id)
		if err == nil {
			return try, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		// A call that died after this step has left the code to its id.
		var holder string
		if err := s.load(path.Join("codes", try), &holder); err != nil || holder == id {
			return try, err
		}
	}
	return "", ErrExists
}

// Recording returns what was said of a recording.
func (s *Store) Recording(id string) (Recording, error) {
	var r Recording
	err := s.loadOf(id, recordingFile, &r)
	return r, err
}

// ByCode returns the recording of a visit.
func (s *Store) ByCode(code string) (Recording, error) {
	if !ValidCode(code) {
		return Recording{}, ErrNotFound
	}
	var id string
	if err := s.load(path.Join("codes", code), &id); err != nil {
		return Recording{}, err
	}
	return s.Recording(id)
}

// Ending returns what a closed recording consists of, or ErrNotFound of one that is open or unknown.
func (s *Store) Ending(id string) (*Ending, error) {
	e := new(Ending)
	if err := s.loadOf(id, closedFile, e); err != nil {
		return nil, err
	}
	return e, nil
}

// IDs returns the ids of all recordings.
func (s *Store) IDs() ([]string, error) {
	entries, err := fs.ReadDir(s.root.FS(), "recordings")
	if err != nil {
		return nil, ioError("list", err)
	}
	ids := make([]string, 0, len(entries))
	for _, entry := range entries {
		ids = append(ids, entry.Name())
	}
	return ids, nil
}

// Audio returns the path of a closed recording, for ambient.AudioFile. The path holds no name, code or user.
func (s *Store) Audio(r Recording) (string, error) {
	e, err := s.Ending(r.ID)
	if err != nil {
		return "", err
	}
	return path.Join(s.root.Name(), s.audioPath(r, e.Digest)), nil
}

// SaveResult keeps what came of a recording. A later result takes the place of an earlier one.
func (s *Store) SaveResult(id string, result any) error {
	if !idPattern.MatchString(id) {
		return ErrNotFound
	}
	temp, err := s.writeTemp(result)
	if err != nil {
		return err
	}
	defer s.root.Remove(temp)
	return s.rename(temp, s.path(id, resultFile))
}

// Result reads what SaveResult kept, or returns ErrNotFound.
func (s *Store) Result(id string, result any) error { return s.loadOf(id, resultFile, result) }

// HasResult reports whether a recording has a result.
func (s *Store) HasResult(id string) bool {
	_, err := s.root.Stat(s.path(id, resultFile))
	return err == nil
}

func (s *Store) path(id string, names ...string) string {
	return path.Join(slices.Concat([]string{"recordings", id}, names)...)
}

func (s *Store) chunkPath(id string, n int) string {
	return s.path(id, "chunks", fmt.Sprintf("%06d", n))
}

func (s *Store) audioPath(r Recording, d Digest) string {
	return s.path(r.ID, "audio-"+d.String()+r.extension())
}

func (s *Store) loadOf(id, name string, v any) error {
	if !idPattern.MatchString(id) {
		return ErrNotFound
	}
	return s.load(s.path(id, name), v)
}

func (s *Store) load(name string, v any) error {
	data, err := s.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return ioError("read", err)
	}
	if json.Unmarshal(data, v) != nil {
		return fmt.Errorf("recording: %s is damaged", path.Base(path.Dir(name)))
	}
	return nil
}

// tempAge is the age at which a file in tmp is removed. A process that shares the directory may be writing a younger one.
const tempAge = time.Hour

func (s *Store) removeOldTemps() error {
	entries, err := fs.ReadDir(s.root.FS(), "tmp")
	if err != nil {
		return ioError("open", err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > tempAge {
			_ = s.root.Remove(path.Join("tmp", entry.Name())) // another process may have been first
		}
	}
	return nil
}
