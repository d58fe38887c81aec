// Package form builds multipart/form-data bodies (RFC 7578) as recipes. A recipe holds the
// framing, opens files when their turn comes, knows its length, and gives the same bytes
// each time. It needs no goroutine, pipe, temporary file or copy of a file.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// A Form is a recipe. Its parts are added in order, and then it is ended.
type Form struct {
	text     bytes.Buffer // framing that is no segment yet
	writer   *multipart.Writer
	segments []segment
	size     int64 // -1 when unknown
	oneShot  bool
}

// A segment is a run of framing text, or a file.
type segment struct {
	content []byte
	open    func() (io.ReadCloser, error) // instead of content
	size    int64
	isFile  bool
}

// A File is one file part.
type File struct {
	Field, Filename, ContentType string

	Size    int64 // exact number of bytes; -1 when unknown
	Open    func() (io.ReadCloser, error)
	OneShot bool   // Open works only once
	Bytes   []byte // the content, where Open is nil
}

// New returns a Form with a random boundary.
func New() *Form {
	f := &Form{}
	f.writer = multipart.NewWriter(&f.text)
	return f
}

// Field adds a text part.
func (f *Form) Field(name, value string) {
	_ = f.writer.WriteField(name, value) // a bytes.Buffer does not fail
}

// File adds a file part.
func (f *Form) File(file File) {
	_, _ = f.writer.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition(file.Field, file.Filename)},
		"Content-Type":        {strings.NewReplacer("\r", "", "\n", "").Replace(file.ContentType)},
	})
	f.flush()
	f.add(segment{file.Bytes, file.Open, file.Size, true})
	f.oneShot = f.oneShot || file.OneShot
}

// End ends the form.
func (f *Form) End() {
	_ = f.writer.Close()
	f.flush()
}

// flush turns the framing written so far into a segment.
func (f *Form) flush() {
	f.add(segment{content: bytes.Clone(f.text.Bytes()), size: int64(f.text.Len())})
	f.text.Reset()
}

func (f *Form) add(s segment) {
	f.segments = append(f.segments, s)
	if f.size < 0 || s.size < 0 {
		f.size = -1
		return
	}
	f.size += s.size
}

// ContentType is the value of the request's Content-Type header.
func (f *Form) ContentType() string { return f.writer.FormDataContentType() }

// Len is the body's exact number of bytes, -1 when a file's size is unknown.
func (f *Form) Len() int64 { return f.size }

// Replayable reports whether each file of the form can be opened again.
func (f *Form) Replayable() bool { return !f.oneShot }

// Open returns the body from its start. Readers are independent of each other.
func (f *Form) Open() exchange.Reader { return &reader{rest: f.segments} }

// A FileError says which file broke the body, and where. The body ends there
// without its closing boundary, so that no server takes it for whole.
type FileError struct {
	File   int   // counted from 0
	Offset int64 // bytes of the file given out before
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("file %d, byte %d: %v", e.File, e.Offset, e.Err)
}
func (e *FileError) Unwrap() error { return e.Err }

// What a file that opens and reads without error may still have done.
var (
	ErrShort  = errors.New("source ended before its size")
	ErrLong   = errors.New("source has more bytes than its size")
	errClosed = errors.New("form: read after close")
)
