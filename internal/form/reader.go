package form

import (
	"errors"
	"io"
	"sync"
)

// A reader gives out a form's segments one after the other.
type reader struct {
	rest   []segment
	offset int64 // in the first of rest
	index  int   // of the file that is or comes next
	empty  int   // reads in a row that gave nothing
	err    error

	// A transport may close a body while it reads it, and a source may block:
	// mu is never held over a Read.
	mu     sync.Mutex
	file   io.ReadCloser // open while its segment is first in rest
	closed bool
}

// maxEmpty reads in a row that give nothing, without an error, are a source that
// is broken and would keep a processor busy for ever.
const maxEmpty = 100

var (
	errClosed   = errors.New("form: read after close")
	errBadCount = errors.New("a read gave a count that cannot be")
)

func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil && len(p) > 0 {
		if len(r.rest) == 0 {
			r.err = io.EOF
			break
		}
		n := r.readSegment(p)
		if n > 0 && len(r.rest) == 0 {
			r.err = io.EOF // with the last bytes, behind which a server may answer at once
			return n, io.EOF
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// readSegment reads from the first segment and drops it at its end.
func (r *reader) readSegment(p []byte) int {
	s := r.rest[0]
	if s.file != nil {
		return r.readFile(p, s.file)
	}
	n := copy(p, s.text[r.offset:])
	r.offset += int64(n)
	if r.offset == int64(len(s.text)) {
		r.next()
	}
	return n
}

// readFile reads what is due of a file, and at the end of one of known size
// asks for a byte more: a file that grew must fail before the framing behind
// it goes out.
func (r *reader) readFile(p []byte, f *File) int {
	file, err := r.openFile(f)
	if err != nil {
		r.fail(err)
		return 0
	}
	atEnd := f.Size >= 0 && r.offset == f.Size
	if atEnd {
		p = make([]byte, 1)
	} else if f.Size >= 0 {
		p = p[:min(int64(len(p)), f.Size-r.offset)]
	}
	n, err := file.Read(p)
	if n < 0 || n > len(p) {
		r.fail(errBadCount)
		return 0
	}
	if atEnd && n > 0 {
		r.fail(ErrLong)
		return 0
	}
	r.offset += int64(n)
	if n == 0 && err == nil {
		r.empty++
	} else {
		r.empty = 0
	}
	switch {
	case r.empty >= maxEmpty:
		r.fail(io.ErrNoProgress)
	case err == io.EOF && r.offset < f.Size:
		r.fail(ErrShort)
	case err == io.EOF:
		r.endFile()
	case err != nil:
		r.fail(err)
	}
	return n
}

func (r *reader) endFile() {
	if err := r.closeFile(); err != nil {
		r.fail(err)
		return
	}
	r.index++
	r.next()
}

func (r *reader) next() { r.rest, r.offset = r.rest[1:], 0 }

func (r *reader) fail(err error) {
	r.err = &FileError{File: r.index, Offset: r.offset, Err: err}
}

func (r *reader) openFile(f *File) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	if r.file == nil {
		file, err := f.Open()
		if err != nil {
			return nil, err
		}
		r.file = file
	}
	return r.file, nil
}

func (r *reader) closeFile() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}

// Close releases the open file, if any.
func (r *reader) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	return r.closeFile()
}
