package ambient

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/ambient-scribe/ambient-go/internal/audiotype"
	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// An audioPart is an audio source of one call. It is inspected once, and the first
// attempt sends the recording that was opened for that.
type audioPart struct {
	source *audioSource
	first  recording
	head   []byte // the bytes of first that were read
	taken  atomic.Bool
}

// Open gives out the recording for an attempt. A source that is opened again must
// still be what it was at first.
func (p *audioPart) Open() (io.ReadCloser, error) {
	switch {
	case !p.taken.Swap(true):
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(p.head), p.first), p.first}, nil
	case p.source.once:
		return nil, errUsedReader
	}
	again, err := p.source.open()
	if err != nil {
		return nil, err
	}
	if again.size != p.first.size || !again.modified.Equal(p.first.modified) {
		again.Close()
		return nil, errChanged
	}
	return again, nil
}

// discard closes a recording that no attempt has opened.
func (p *audioPart) discard() {
	if p != nil && !p.taken.Swap(true) {
		p.first.Close()
	}
}

// check says early what is known to be wrong without a Read, such as a file that is
// missing, an empty slice, or a reader that was used before.
func (a Audio) check() error {
	s := a.source.get()
	switch {
	case s == nil:
		return errNoAudio
	case !utf8.ValidString(s.uploadName) || !utf8.ValidString(s.contentType):
		return errBadName
	case s.check == nil:
		return nil
	}
	return s.check()
}

// inspect opens the source and reads its first bytes. No Read begins after ctx has
// ended. progress is called after each Read that brought something.
func (a Audio) inspect(ctx context.Context, progress func()) (*audioPart, error) {
	source := a.source.get()
	first, err := source.open()
	if err != nil {
		return nil, err
	}
	p := &audioPart{source: source, first: first}
	p.head, err = readHead(headReader{ctx, first, progress})
	switch {
	case err == nil && (len(p.head) == 0 || first.size == 0):
		err = errEmpty
	case err == nil:
		err = ctx.Err()
	}
	if err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// readHead reads the bytes that show the type of audio, or all that there are.
func readHead(r headReader) ([]byte, error) {
	head, err := bufio.NewReaderSize(r, audiotype.HeadSize).Peek(audiotype.HeadSize)
	if err == io.EOF {
		err = nil
	}
	return head, err
}

// A headReader begins no Read after its context has ended.
type headReader struct {
	ctx      context.Context
	r        io.Reader
	progress func()
}

func (h headReader) Read(p []byte) (int, error) {
	if h.ctx.Err() != nil {
		return 0, h.ctx.Err()
	}
	n, err := h.r.Read(p)
	if n < 0 || n > len(p) {
		return 0, readbody.ErrBadCount
	}
	if n > 0 {
		h.progress()
	}
	return n, err
}

// setTypeAndName fills in type and name of the upload, as its first bytes show them and
// as the caller spells them. It warns where they begin no documented container, or
// another than the name or type says.
func (p *audioPart) setTypeAndName(part *form.File, n int) (warning string) {
	s := p.source
	claim, claimed := audiotype.ByName(s.nameHint)
	format, known := audiotype.Detect(p.head)
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

// sameSubtype compares media types without their parameters and top level, since
// audio/mp4 and video/mp4 are the same container.
func sameSubtype(a, b string) bool {
	sub := func(mime string) string {
		mime, _, _ = strings.Cut(mime, ";")
		_, mime, _ = strings.Cut(strings.TrimSpace(mime), "/")
		return strings.TrimPrefix(strings.ToLower(mime), "x-")
	}
	return sub(a) == sub(b)
}
