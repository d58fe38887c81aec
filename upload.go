package ambient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// An upload is the multipart form of a submit in the making. It keeps the first
// thing that is wrong with the request until the end.
type upload struct {
	call  *call
	form  *form.Form
	parts []partSize
	field string // of the audio
	audio []Audio
	err   error
}

// newUpload begins a submit. ids are those that errors may show.
func (c *Client) newUpload(ctx context.Context, endpoint, route string, opts []CallOption, ids ...int64) *upload {
	call := c.newCall(ctx, endpoint, route, opts)
	call.request.ids = ids
	return &upload{call: call, form: form.New()}
}

// recordings adds the audio. Nothing of it is read before the call has a token and a
// permit to send.
func (u *upload) recordings(field string, audio ...Audio) {
	u.field, u.audio = field, audio
	for i, a := range audio {
		if s := a.source.get(); s != nil && s.once {
			u.call.request.once = true
		}
		if err := a.check(); err != nil {
			u.fail(u.refused(i, err))
		}
	}
}

func (u *upload) addField(name, value string) {
	u.form.Field(name, value)
	u.parts = append(u.parts, partSize{name, int64(len(value))})
}

// content inspects the audio and builds the form.
func (u *upload) content() (content, error) {
	parts := make([]*audioPart, 0, len(u.audio))
	discard := func() {
		for _, p := range parts {
			p.discard()
		}
	}
	for i, a := range u.audio {
		p, err := u.inspect(i, a)
		if err != nil {
			discard()
			return content{}, err
		}
		parts = append(parts, p)
		file := form.File{Field: u.field, Size: p.first.size, OneShot: p.source.once, Open: p.Open}
		if p.source.data != nil {
			file.Open, file.Bytes = nil, p.source.data
		}
		if warning := p.setTypeAndName(&file, i+1); warning != "" {
			u.call.emit(Event{Kind: EventAudioFormat, Note: warning})
		}
		u.form.File(file)
		u.parts = append(u.parts, partSize{u.field, file.Size})
	}
	f := u.form
	f.End()
	return content{f, f.ContentType(), u.parts, discard}, nil
}

// inspect opens a recording and reads its first bytes. A source that gives no byte for
// the stall timeout ends the call, and so does the context of the call. The Read that
// hangs is left behind.
func (u *upload) inspect(i int, a Audio) (*audioPart, error) {
	c := u.call
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	progress := func() {}
	if stall := c.client.bounds.Stall; stall > 0 {
		watchdog := time.AfterFunc(stall, cancel)
		defer watchdog.Stop()
		progress = func() { watchdog.Reset(stall) }
	}
	type result struct {
		part *audioPart
		err  error
	}
	look := func() result {
		part, err := a.inspect(ctx, progress)
		return result{part, err}
	}
	var r result
	var err error
	if a.source.get().data != nil { // memory is not read when the call has returned
		r = look()
	} else {
		r, err = callWithContext(ctx, c.client, look)
	}
	switch {
	case c.ctx.Err() != nil:
		r.part.discard()
		return nil, c.interrupted()
	case ctx.Err() != nil:
		r.part.discard()
		return nil, &AudioError{Part: i, history: c.history.snapshot(ending{}), cause: exchange.ErrSourceStalled}
	case err != nil:
		return nil, u.refused(i, err)
	case r.err != nil:
		return nil, u.refused(i, r.err)
	}
	return r.part, nil
}

// refused is the error of a recording that cannot be sent.
func (u *upload) refused(i int, err error) error {
	problem := "cannot be read: " + audioText(err)
	if err == errNoAudio || err == errEmpty || err == errBadName {
		problem = err.Error()
	}
	return &RequestError{Field: u.field, Problem: fmt.Sprintf("audio %d %s", i+1, problem), cause: safeError(err)}
}

// audioText prints what this package says of a source, and other errors in safe words.
func audioText(err error) string {
	if err == errNotRegular || err == errUsedReader || err == readbody.ErrBadCount {
		return err.Error()
	}
	return safeText(err)
}

// patient adds the fields that say whose visit it was.
func (u *upload) patient(name string, dateOfService time.Time, additional any) {
	if name != "" {
		u.text("patient_name", name)
	}
	if !dateOfService.IsZero() {
		u.date("date_of_service", dateOfService)
	}
	if additional != nil {
		u.object("additional_context", additional)
	}
}

// text adds a field of text.
func (u *upload) text(field, text string) {
	u.fail(validateText(field, text))
	u.addField(field, text)
}

// date adds a field of a time in RFC 3339.
func (u *upload) date(field string, t time.Time) {
	if y := t.Year(); y < 1 || y > 9999 {
		u.fail(invalid(field, "has no form in RFC 3339: its year must be from 1 to 9999"))
	}
	u.addField(field, t.Format(time.RFC3339))
}

// object adds a field of a JSON object.
func (u *upload) object(field string, v any) {
	b, err := marshal(field, v)
	if err == nil && !jsonobject.IsObject(b) {
		err = invalid(field, "must marshal to a JSON object: use a struct or a map, not a string, number, list or []byte")
	}
	u.fail(err)
	u.addField(field, string(b))
}

// fail keeps the first error.
func (u *upload) fail(err error) { u.err = cmp.Or(u.err, err) }

// marshal is json.Marshal for what is sent or queued. json.Marshal puts U+FFFD in the
// place of bytes that are no UTF-8 and says nothing. marshal refuses them, in whatever
// string of v they are.
func marshal(field string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &RequestError{Field: field, Problem: "cannot be marshalled to JSON", cause: safeError(err)}
	}
	_, isJSON := v.(json.Marshaler) // which wrote every escape itself
	if !utf8.Valid(b) || !isJSON && hasReplacement(b) {
		return nil, notUTF8(field)
	}
	return b, nil
}

// hasReplacement reports whether JSON has the escape that json.Marshal writes for a byte
// that is no UTF-8. It writes a U+FFFD that was there before without an escape.
func hasReplacement(b []byte) bool {
	for {
		at := bytes.IndexByte(b, '\\')
		if at < 0 {
			return false
		}
		if b = b[at:]; bytes.HasPrefix(b, []byte(`\ufffd`)) {
			return true
		}
		b = b[2:] // behind the character that is escaped
	}
}

// validateText refuses text that is no UTF-8.
func validateText(field, text string) error {
	if !utf8.ValidString(text) {
		return notUTF8(field)
	}
	return nil
}

// validateTexts refuses a request with text that is no UTF-8.
func validateTexts(patientName string, additional any, transcripts []string) error {
	_, badContext := marshal("additional_context", additional)
	bad := cmp.Or(validateText("patient_name", patientName), badContext)
	for _, t := range transcripts {
		bad = cmp.Or(bad, validateText("transcripts", t))
	}
	return bad
}

func notUTF8(field string) error { return invalid(field, "has bytes that are no UTF-8") }

// submit sends the form. decode finds the id of the job.
func (u *upload) submit(id *int64, decode func(body []byte) (problem string)) (CallInfo, error) {
	if u.err != nil {
		return CallInfo{}, u.err
	}
	c := u.call
	c.request.content = u.content
	c.request.decode = func(r response) string {
		problem := decode(r.body)
		c.job = *id
		return problem
	}
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
