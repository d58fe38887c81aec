package ambient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
)

// An upload is the multipart form of a submit in the making. It keeps the first
// thing that is wrong with the request until the end.
type upload struct {
	call *call
	form *form.Builder
	n    int // audio so far
	err  error
}

// newUpload begins a submit. ids are those that errors may show.
func (c *Client) newUpload(ctx context.Context, route string, opts []CallOption, ids ...int64) *upload {
	call := c.newCall(ctx, http.MethodPost, route, opts)
	call.request.ids = ids
	return &upload{call: call, form: form.NewBuilder()}
}

// audio adds the recordings, after all else: a reader of which some bytes were read
// cannot be given to another call.
func (u *upload) audio(field string, audio ...Audio) {
	if u.err != nil {
		return
	}
	for _, a := range audio {
		u.n++
		part, warning, err := u.inspect(field, a)
		if err != nil {
			u.err = err
			return
		}
		if warning != "" {
			u.call.emit(Event{Kind: EventAudioFormat, Note: warning})
		}
		u.form.File(part)
	}
}

// inspect makes the audio a part. Its first bytes are read, for which a source may
// block for ever: the call ends with its context, the goroutine with the Read.
func (u *upload) inspect(field string, a Audio) (part form.File, warning string, err error) {
	type found struct {
		part    form.File
		warning string
		err     error
	}
	n := u.n
	f, err := callWithContext(u.call.ctx, func() (f found) {
		f.part, f.warning, f.err = a.part(field, n)
		return f
	})
	switch {
	case err == nil:
		return f.part, f.warning, f.err
	case u.call.ctx.Err() != nil:
		return part, "", u.call.interrupted()
	}
	return part, "", &RequestError{Field: field, Problem: "the audio cannot be read: " + err.Error(), cause: err}
}

// patient adds the fields that say whose visit it was.
func (u *upload) patient(name string, dateOfService time.Time, additional any) {
	if name != "" {
		u.form.Field("patient_name", name)
	}
	if !dateOfService.IsZero() {
		if y := dateOfService.Year(); y < 1 || y > 9999 {
			u.err = invalid("date_of_service", "has no form in RFC 3339: its year must be from 1 to 9999")
			return
		}
		u.form.Field("date_of_service", dateOfService.Format(time.RFC3339))
	}
	if additional == nil {
		return
	}
	b, err := json.Marshal(additional)
	switch {
	case err != nil:
		u.err = &RequestError{Field: "additional_context", Problem: "cannot be marshalled to JSON", cause: safeError(err)}
	case !jsonobject.IsObject(b):
		u.err = invalid("additional_context", "must marshal to a JSON object: use a struct or a map, not a string, number, list or []byte")
	default:
		u.form.Field("additional_context", string(b))
	}
}

// submit sends the form.
func (u *upload) submit(decode func(body []byte) (problem string)) (CallInfo, error) {
	if u.err != nil {
		return CallInfo{}, u.err
	}
	c, f := u.call, u.form.Build()
	c.request.body, c.request.contentType, c.request.parts = f, f.ContentType(), f.Parts()
	c.request.decode = func(r response) string { return decode(r.body) }
	if err := c.run(); err != nil {
		return CallInfo{}, err
	}
	return c.info(), nil
}

// patientText says how many patient fields are set.
func patientText(name string, dateOfService time.Time, additional any) string {
	n := 0
	for _, set := range []bool{name != "", !dateOfService.IsZero(), additional != nil} {
		if set {
			n++
		}
	}
	return fmt.Sprintf("%d patient fields", n)
}
