package ambient

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"

	"github.com/ambient-scribe/ambient-go/internal/audiotype"
	"github.com/ambient-scribe/ambient-go/internal/form"
)

// part looks at the audio and makes the n-th file part of it. warning is about
// its type.
func (a Audio) part(field string, n int) (part form.File, warning string, err error) {
	refused := func(problem string, cause error) (form.File, string, error) {
		return part, "", &RequestError{Field: field, Problem: fmt.Sprintf("audio %d %s", n, problem), cause: safeError(cause)}
	}
	source := a.source.get()
	if source == nil {
		return refused("is missing: use AudioFile, AudioFS, AudioBytes, AudioReaderAt or AudioReader", nil)
	}
	first, err := source.open()
	if err != nil {
		return refused("cannot be opened: "+audioText(err), err)
	}
	peeked := bufio.NewReaderSize(first, audiotype.HeadSize)
	head, err := peeked.Peek(audiotype.HeadSize)
	if err != nil && err != io.EOF {
		first.Close()
		return refused("cannot be read: "+audioText(err), err)
	}
	if len(head) == 0 || first.size == 0 {
		first.Close()
		return refused("is empty", nil)
	}
	part = form.File{Field: field, Size: first.size, Once: source.once}
	if source.once {
		part.Open = openOnce(peeked, first)
	} else {
		first.Close()
		part.Open = source.reopen(first)
	}
	warning = source.setTypeAndName(&part, head, n)
	return part, warning, nil
}

// audioText prints what the sources above say of themselves, and other errors
// in safe words.
func audioText(err error) string {
	if err == errNotRegular || err == errUsedReader {
		return err.Error()
	}
	return safeText(err)
}

// reopen opens the source for an attempt; it must still be what it was when
// the call began.
func (s *audioSource) reopen(first recording) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		again, err := s.open()
		if err != nil {
			return nil, err
		}
		if again.size != first.size || !again.modified.Equal(first.modified) {
			again.Close()
			return nil, errChanged
		}
		return again, nil
	}
}

// openOnce gives out a source that was looked at.
func openOnce(r io.Reader, source io.Closer) func() (io.ReadCloser, error) {
	var used atomic.Bool
	return func() (io.ReadCloser, error) {
		if used.Swap(true) {
			return nil, errUsedReader
		}
		return struct {
			io.Reader
			io.Closer
		}{r, source}, nil
	}
}

// setTypeAndName fills in type and name of the upload: those of what the first
// bytes are, spelled as the caller spells them. It warns where these are of no
// documented container, or of another than the name or type says.
func (s *audioSource) setTypeAndName(part *form.File, head []byte, n int) (warning string) {
	claim, claimed := audiotype.ByName(s.nameHint)
	format, known := audiotype.Detect(head)
	contradicted := known && claimed && format.Contradicts(claim)
	switch {
	case !known:
		warning = fmt.Sprintf("audio %d has the first bytes of no documented audio type", n)
	case contradicted:
		warning = fmt.Sprintf("audio %d has the first bytes of %s and a name that ends in %s", n, format.Ext, claim.Ext)
	case s.contentType != "" && !sameSubtype(s.contentType, format.MIME):
		warning = fmt.Sprintf("audio %d has the first bytes of %s and another content type", n, format.Ext)
	case !format.Documented:
		warning = fmt.Sprintf("audio %d has the first bytes of %s, of a form that is not documented", n, format.Ext)
	}
	if claimed && !contradicted {
		format = claim
	}
	part.ContentType, part.Filename = cmp.Or(format.MIME, "application/octet-stream"), fmt.Sprintf("audio-%d", n)
	if format.Ext != "" { // else the service decides, and no wrong name makes it refuse
		part.Filename += "." + format.Ext
	}
	if s.contentType != "" {
		part.ContentType = s.contentType
	}
	if s.uploadName != "" {
		part.Filename = path.Base(strings.ReplaceAll(s.uploadName, `\`, "/"))
	}
	return warning
}

// sameSubtype compares media types without their parameters and top level:
// audio/mp4 and video/mp4 are the same container.
func sameSubtype(a, b string) bool {
	sub := func(mime string) string {
		mime, _, _ = strings.Cut(mime, ";")
		_, mime, _ = strings.Cut(strings.TrimSpace(mime), "/")
		return strings.TrimPrefix(strings.ToLower(mime), "x-")
	}
	return sub(a) == sub(b)
}
