package ambient

import (
	"encoding/json"
	"fmt"
	"strconv"
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

func newUpload(c *call) *upload { return &upload{call: c, form: form.NewBuilder()} }

func (u *upload) audio(field string, audio ...Audio) {
	for _, a := range audio {
		if u.err != nil {
			return
		}
		u.n++
		part, warning, err := a.part(field, u.n)
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

// patient adds the fields that say whose visit it was.
func (u *upload) patient(name string, dateOfService time.Time, context any) {
	if name != "" {
		u.form.Field("patient_name", name)
	}
	if !dateOfService.IsZero() {
		if y := dateOfService.Year(); y < 1 || y > 9999 {
			u.err = refuse("date_of_service", "has no form in RFC 3339: its year must be from 1 to 9999")
			return
		}
		u.form.Field("date_of_service", dateOfService.Format(time.RFC3339))
	}
	if context == nil {
		return
	}
	b, err := json.Marshal(context)
	switch _, isBytes := context.([]byte); {
	case err != nil:
		u.err = &RequestError{Field: "additional_context", Problem: "cannot be marshalled to JSON", cause: err}
	case isBytes || !jsonobject.IsObject(b):
		u.err = refuse("additional_context", "must marshal to a JSON object: use a struct or a map, not a string, number, list or []byte")
	default:
		u.form.Field("additional_context", string(b))
	}
}

// finish gives the call its body, or says what is wrong.
func (u *upload) finish() error {
	if u.err != nil {
		return u.err
	}
	f := u.form.Build()
	u.call.body, u.call.contentType, u.call.parts = f, f.ContentType(), f.Parts()
	return nil
}

// warnOfDuplicate tells observers when an earlier attempt of a successful
// submit may have been taken too.
func (c *call) warnOfDuplicate() bool {
	if !c.callInfo().possibleDuplicate() {
		return false
	}
	c.emit(Event{Kind: EventPossibleDuplicate, Number: len(c.attempts)})
	return true
}

func idRoute(before string, id int64, after string) string {
	return before + strconv.FormatInt(id, 10) + after
}

// patientText says how many patient fields are set.
func patientText(name string, dateOfService time.Time, context any) string {
	n := 0
	for _, set := range []bool{name != "", !dateOfService.IsZero(), context != nil} {
		if set {
			n++
		}
	}
	return fmt.Sprintf("%d patient fields", n)
}
