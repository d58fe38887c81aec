// Package atomicfile writes files that only their owner can read and that
// appear complete or not at all.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A File is a file on its way.
type File struct {
	*os.File
	path  string // where it is to appear; empty if it is written in place
	ended bool
}

// Create begins a file. It makes a hidden file of mode 0600 in the directory of
// path, so that a directory which cannot be written is an error now. What is
// there already and is no regular file, such as /dev/null or a pipe, is written
// in place.
func Create(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &os.PathError{Op: "create", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &File{File: f}, nil
	}
	target, err := resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".ambient-*.tmp")
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: target}, nil
}

// resolve follows a symbolic link, so that the file that it points to is
// replaced and not the link.
func resolve(path string) (string, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return filepath.EvalSymlinks(path)
	}
	if os.IsPathSeparator(path[len(path)-1]) {
		return "", &os.PathError{Op: "create", Path: path, Err: syscall.EISDIR}
	}
	return path, nil
}

// Commit makes the file appear under its name, once its bytes are on the disk.
func (f *File) Commit() error {
	if f.path == "" {
		f.ended = true
		return f.Close()
	}
	err := f.Sync()
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	f.ended = true
	if err != nil {
		return err
	}
	syncDir(filepath.Dir(f.path))
	return nil
}

// Discard removes a file that was not committed.
func (f *File) Discard() {
	if f.ended {
		return
	}
	f.ended = true
	f.Close()
	if f.path != "" {
		os.Remove(f.Name())
	}
}

// Write writes a whole file.
func Write(path string, b []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Commit()
}

// syncDir makes a rename outlast a loss of power, where the system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
