package ambient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
)

// How answers become results: fields that are known and of the expected type
// are taken, all others kept byte for byte.

// errBadJSON says nothing of the data, unlike the errors of encoding/json.
var errBadJSON = errors.New("ambient: not a JSON object of this type")

// submissionKey holds a result's Submission in JSON. The API has no such field.
const submissionKey = "_submission"

func isNull(v json.RawMessage) bool { return v[0] == 'n' }

// takeID takes a positive integer, and null as none. It reports whether v was
// one of the two.
func decodeID(dst *int64, v json.RawMessage) bool {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err == nil && n > 0 {
		*dst = n
		return true
	}
	return isNull(v)
}

// takeString takes a string, and null as none.
func decodeString[S ~string](dst *S, v json.RawMessage) bool {
	if isNull(v) {
		return true
	}
	if v[0] != '"' {
		return false
	}
	*dst = S(jsonobject.Text(v))
	return true
}

// takeTime takes a time in RFC 3339, and null as none. A time without a zone,
// as Python writes it, is taken as UTC; a space in place of the T will do.
func decodeTime(dst *time.Time, v json.RawMessage) bool {
	if isNull(v) {
		return true
	}
	if v[0] != '"' {
		return false
	}
	text := jsonobject.Text(v)
	if bytes.IndexByte(text, ' ') >= 0 {
		text = bytes.Replace(text, []byte(" "), []byte("T"), 1)
	}
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", string(text)); err != nil {
			return false
		}
	}
	if _, offset := t.Zone(); offset <= -24*3600 || offset >= 24*3600 {
		return false // time.Time reads it and then does not marshal
	}
	*dst = t
	return true
}

// submissionJSON is the JSON form of both kinds of submission.
type submissionJSON struct {
	TranscriptionID   int64        `json:"transcription_id,omitempty"`
	ScribeID          int64        `json:"scribe_id,omitempty"`
	Status            ScribeStatus `json:"status,omitempty"`
	SubmittedAt       time.Time    `json:"submitted_at,omitzero"`
	PossibleDuplicate bool         `json:"possible_duplicate,omitempty"`
}

// takeSubmission takes what a submission marshals to.
func decodeSubmission[S any](dst **S, v json.RawMessage) bool {
	var sub *S
	if json.Unmarshal(v, &sub) != nil {
		return false
	}
	*dst = sub
	return true
}

func addExtra(extra *map[string]json.RawMessage, name string, v json.RawMessage) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	(*extra)[name] = v
}

// getJob asks for the state of a job once.
func (c *Client) getJob(ctx context.Context, field, route string, id int64, accept func(body []byte, id int64) (problem string), opts []CallOption) (CallInfo, error) {
	if id < 1 {
		return CallInfo{}, invalid(field, "must be 1 or more")
	}
	call := c.newCall(http.MethodGet, route+strconv.FormatInt(id, 10), opts)
	call.ids = []int64{id}
	call.accept = func(a answer) string { return accept(a.body, id) }
	err := call.run(ctx)
	return call.callInfo(), err
}

// checkJob says what is wrong with an answer about job id.
func validateJob(body []byte, got, id int64, status string) string {
	switch {
	case !jsonobject.IsObject(body):
		return "not a JSON object"
	case got == 0:
		return "no id"
	case got != id:
		return "about another job"
	case status == "":
		return "no status"
	}
	return ""
}

// decodeResult decodes a result's answer, or what it marshals to where there
// was none.
func decodeResult(raw json.RawMessage, result, v any) error {
	if raw == nil {
		b, err := json.Marshal(result)
		if err != nil {
			return err
		}
		raw = b
	}
	err := json.Unmarshal(raw, v)
	if _, mistake := errors.AsType[*json.InvalidUnmarshalError](err); err == nil || mistake {
		return err
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Errorf("ambient: the answer's %s is no %v", wrong.Field, wrong.Type)
	}
	return errBadJSON
}

// unmarshalRequest reads a request that was marshalled, numbers of any size as they
// were written. Its error says nothing of the data.
func unmarshalRequest(b []byte, r any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(r) != nil {
		return errBadJSON
	}
	return nil
}

// unmarshalResult parses a copy of b, which is the caller's. A null is no result, as
// encoding/json has it.
func unmarshalResult(b []byte, parse func([]byte)) error {
	if string(b) == "null" {
		return nil
	}
	if !jsonobject.IsObject(b) {
		return errBadJSON
	}
	parse(bytes.Clone(b))
	return nil
}

// A jsonFields is a result on its way to JSON.
type jsonFields map[string]any

func resultJSON(extra map[string]json.RawMessage) jsonFields {
	m := make(jsonFields, len(extra)+8)
	for name, v := range extra {
		m[name] = v
	}
	return m
}

func (m jsonFields) set(name string, v any, present bool) {
	if present {
		m[name] = v
	}
}
