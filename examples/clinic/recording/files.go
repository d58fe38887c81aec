package recording

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// createTemp makes a file in tmp that only the owner of the process can read.
func (s *Store) createTemp() (*os.File, string, error) {
	name := path.Join("tmp", rand.Text())
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, name, ioError("write", err)
}

// writeTemp writes v to a new file in tmp, and to the disk. The caller removes the file.
func (s *Store) writeTemp(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", errors.New("recording: the value is no JSON")
	}
	f, name, err := s.createTemp()
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err := finish(f, err); err != nil {
		s.root.Remove(name)
		return "", err
	}
	return name, nil
}

// finish brings a written file to the disk and closes it.
func finish(f *os.File, err error) error {
	if err == nil {
		err = f.Sync()
	}
	return ioError("write", errors.Join(err, f.Close()))
}

// link writes v to a file that must not exist yet, else the error is fs.ErrExist. Whoever finds the file finds it whole.
func (s *Store) link(name string, v any) error {
	temp, err := s.writeTemp(v)
	if err != nil {
		return err
	}
	defer s.root.Remove(temp)
	return s.linkTemp(temp, name)
}

// linkTemp gives a file in tmp its name, unless the name is taken. It syncs the directory in both cases, since the
// process that took the name may have died before it did.
func (s *Store) linkTemp(temp, name string) error {
	err := ioError("write", s.root.Link(temp, name))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.syncDir(path.Dir(name)); err != nil {
		return err
	}
	return err
}

// rename gives a file in tmp its name and replaces what had it.
func (s *Store) rename(temp, name string) error {
	if err := s.root.Rename(temp, name); err != nil {
		return ioError("write", err)
	}
	return s.syncDir(path.Dir(name))
}

// syncDir brings the names in a directory to the disk.
func (s *Store) syncDir(name string) error {
	dir, err := s.root.Open(name)
	if err != nil {
		return ioError("write", err)
	}
	return ioError("write", errors.Join(dir.Sync(), dir.Close()))
}

// ioError is err without the path that package os puts into it. errors.Is still finds syscall.ENOSPC and fs.ErrExist.
func ioError(op string, err error) error {
	if err == nil {
		return nil
	}
	var (
		file *fs.PathError
		link *os.LinkError
	)
	switch {
	case errors.As(err, &file):
		err = file.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("recording: %s: %w", op, err)
}
