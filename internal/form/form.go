// Package form builds multipart/form-data bodies (RFC 7578) as recipes: the
// framing is held as text, files are opened when their turn comes. A recipe
// knows its length and gives the same bytes every time it is opened; it needs
// no goroutine, pipe, temporary file or copy of a file's content.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// A File is one file part.
type File struct {
	Field, Filename, ContentType string

	Size int64 // exact number of bytes; -1 when unknown
	Once bool  // Open works only once
	Open func() (io.ReadCloser, error)
}

// A Size is a part's name and the number of bytes of its content, -1 when
// unknown: all of a form that may be shown.
type Size struct {
	Name  string
	Bytes int64
}

// A Form is a finished recipe.
type Form struct {
	contentType string
	size        int64
	once        bool
	parts       []Size
	segments    []segment
}

// A segment is a run of framing text, or a file.
type segment struct {
	text []byte
	file *File
}

// A Builder collects parts in order.
type Builder struct {
	form Form
	text bytes.Buffer
	w    *multipart.Writer
}

// NewBuilder returns a Builder with a random boundary.
func NewBuilder() *Builder {
	b := &Builder{}
	b.w = multipart.NewWriter(&b.text)
	return b
}

// Field adds a text part.
func (b *Builder) Field(name, value string) {
	_ = b.w.WriteField(name, value) // a bytes.Buffer does not fail
	b.form.parts = append(b.form.parts, Size{name, int64(len(value))})
}

// File adds a file part.
func (b *Builder) File(f File) {
	h := make(textproto.MIMEHeader, 2)
	h.Set("Content-Disposition", multipart.FileContentDisposition(f.Field, f.Filename))
	h.Set("Content-Type", headerValue(f.ContentType))
	_, _ = b.w.CreatePart(h)
	b.form.parts = append(b.form.parts, Size{f.Field, f.Size})
	b.cut()
	b.form.segments = append(b.form.segments, segment{file: &f})
	b.form.once = b.form.once || f.Once
	if f.Size < 0 || b.form.size < 0 {
		b.form.size = -1
	} else {
		b.form.size += f.Size
	}
}

// headerValue keeps a value from ending its header line.
func headerValue(v string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(v) }

// Build ends the form.
func (b *Builder) Build() *Form {
	_ = b.w.Close()
	b.cut()
	b.form.contentType = b.w.FormDataContentType()
	return &b.form
}

// cut turns the framing written so far into a segment.
func (b *Builder) cut() {
	text := bytes.Clone(b.text.Bytes())
	b.text.Reset()
	b.form.segments = append(b.form.segments, segment{text: text})
	if b.form.size >= 0 {
		b.form.size += int64(len(text))
	}
}

// ContentType is the value of the request's Content-Type header.
func (f *Form) ContentType() string { return f.contentType }

// Len is the body's exact number of bytes, -1 when a file's size is unknown.
func (f *Form) Len() int64 { return f.size }

// Once reports whether a file of the form can be opened only once.
func (f *Form) Once() bool { return f.once }

// Parts lists the form's parts in order.
func (f *Form) Parts() []Size { return f.parts }

// Open returns the body from its start. Readers are independent of each other.
func (f *Form) Open() io.ReadCloser { return &reader{rest: f.segments} }

// A FileError says which file broke the body, and where. The body ends there
// without its closing boundary, so that no server takes it for whole.
type FileError struct {
	File   int   // counted from 0
	Offset int64 // bytes of the file given out before
	Err    error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("file %d failed at byte %d: %v", e.File, e.Offset, e.Err)
}
func (e *FileError) Unwrap() error { return e.Err }

// What a file that opens and reads without error may still have done.
var (
	ErrShort = errors.New("source ended before its size")
	ErrLong  = errors.New("source has more bytes than its size")
)
