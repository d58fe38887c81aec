package form

import (
	"io"
	"sync"

	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// A reader gives out the segments of a form one after the other. A transport may close
// it while it reads, and a file may hang. So mu is free while a file is read, and held
// while memory is. After Close nobody reads what belongs to the caller.
type reader struct {
	mu      sync.Mutex
	rest    []segment
	index   int   // of the file that is or comes next
	offset  int64 // in the first of rest
	file    io.ReadCloser
	reading bool // the file, or it is being opened
	closed  bool
	err     error
}

// Read gives the end with the last bytes, behind which a server may answer at once.
func (r *reader) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for empty := 0; n == 0 && r.err == nil && len(p) > 0; empty++ {
		s, ended := r.rest[0], false
		switch {
		case r.closed:
			err = errClosed
		case s.open != nil:
			n, ended, err = r.readFile(p, s)
		default:
			n = copy(p, s.content[r.offset:])
			ended = r.offset+int64(n) == s.size
		}
		r.offset += int64(n)
		switch {
		case err != nil:
			r.err = r.at(err)
		case ended:
			if s.isFile {
				r.index++
			}
			if r.rest, r.offset = r.rest[1:], 0; len(r.rest) == 0 {
				r.err = io.EOF
			}
		case empty == readbody.MaxEmpty:
			r.err = r.at(io.ErrNoProgress)
		}
	}
	if n > 0 && r.err != io.EOF {
		return n, nil
	}
	return n, r.err
}

// readFile reads what is due of a file. At the end of a file of known size it asks for
// another byte: a file that grew must fail before the framing behind it goes out.
func (r *reader) readFile(p []byte, s segment) (n int, ended bool, err error) {
	left := s.size - r.offset
	if s.size >= 0 {
		p = p[:min(int64(len(p)), max(left, 1))]
	}
	n, err = r.readUnlocked(p, s)
	switch {
	case n < 0 || n > len(p):
		return 0, false, readbody.ErrBadCount
	case n > 0 && left == 0:
		return 0, false, ErrLong
	case err != io.EOF:
		return n, false, err
	case int64(n) < left:
		return n, false, ErrShort
	}
	return n, true, r.closeFile()
}

func (r *reader) readUnlocked(p []byte, s segment) (n int, err error) {
	r.reading = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		if r.reading = false; r.closed {
			_ = r.closeFile()
		}
	}()
	if r.file == nil {
		file, err := s.open()
		if err != nil {
			return 0, err
		}
		r.file = file
	}
	return r.file.Read(p)
}

func (r *reader) closeFile() error {
	file := r.file
	if r.file = nil; file == nil {
		return nil
	}
	return file.Close()
}

// Close releases the open file. A file that is being read is closed after that.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed = true; r.reading {
		return nil
	}
	return r.closeFile()
}

// At adds to err the place that the reader has come to.
func (r *reader) At(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(err)
}

func (r *reader) at(err error) error { return &FileError{File: r.index, Offset: r.offset, Err: err} }
