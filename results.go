package ambient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
)

// How answers become results. Fields that are known and of the expected type are taken.
// All others are kept byte for byte.

// errBadJSON says nothing of the data, unlike the errors of encoding/json.
var errBadJSON = errors.New("ambient: not a JSON object of this type")

// submissionKey holds a result's Submission in JSON. The API has no such field.
const submissionKey = "_submission"

func isNull(v json.RawMessage) bool { return v[0] == 'n' }

// decodeID takes a positive integer, in quotes or not, and null as none. It reports
// whether v was one of these. A lost id is a lost visit, so 123.0 and 1.23e2 of
// serializers that know no integers will do, as far as they are exact.
func decodeID(dst *int64, v json.RawMessage) bool {
	if isNull(v) {
		return true
	}
	text := string(v)
	if v[0] == '"' {
		text = strings.TrimSpace(string(jsonobject.Text(v)))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f > maxExactID || f != math.Trunc(f) || strings.Trim(text, "0123456789.eE+") != "" {
			return false
		}
		n = int64(f)
	}
	if n <= 0 {
		return false
	}
	*dst = n
	return true
}

// maxExactID is the greatest id that a float64 holds with all smaller ones.
const maxExactID = 1 << 53

// decodeString takes a string, and null as none.
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

// decodeStatus takes a string like decodeString. A known state in other letters
// becomes that state.
func decodeStatus[S ~string](dst *S, v json.RawMessage, known []S) bool {
	ok := decodeString(dst, v)
	*dst = canonical(*dst, known)
	return ok
}

// canonical returns a status as the API documents it, where it does.
func canonical[S ~string](status S, known []S) S {
	for _, k := range known {
		if strings.EqualFold(string(status), string(k)) {
			return k
		}
	}
	return status
}

// decodeTime takes a time, and null as none. Python writes a time without a zone, which
// is taken as UTC. Databases write +00, a space in place of the T, or UTC behind
// another space. zoned says whether the time names its zone.
func decodeTime(dst *time.Time, v json.RawMessage) (ok, zoned bool) {
	if isNull(v) {
		return true, false
	}
	if v[0] != '"' {
		return false, false
	}
	t, zoned, ok := parseTime(string(jsonobject.Text(v)))
	if ok {
		*dst = t
	}
	return ok, zoned
}

// timeLayouts are the forms of a time, those with a zone first. Each takes fractions
// of a second, too.
var timeLayouts = []struct {
	layout string
	zoned  bool
}{
	{time.RFC3339, true}, {"2006-01-02T15:04:05Z0700", true}, {"2006-01-02T15:04:05Z07", true},
	{"2006-01-02T15:04Z07:00", true}, {"2006-01-02T15:04Z0700", true}, {"2006-01-02T15:04Z07", true},
	{"2006-01-02T15:04:05", false}, {"2006-01-02T15:04", false},
}

func parseTime(text string) (t time.Time, zoned, ok bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	for _, name := range []string{"UTC", "GMT"} {
		if at, found := strings.CutSuffix(text, name); found {
			text = strings.TrimSpace(at) + "Z"
		}
	}
	if day := len(time.DateOnly); len(text) > day && text[day] == ' ' {
		text = text[:day] + "T" + text[day+1:]
	}
	text = strings.ReplaceAll(text, " ", "") // before the zone
	for _, l := range timeLayouts {
		t, err := time.Parse(l.layout, text)
		if err != nil {
			continue
		}
		_, offset := t.Zone()
		return t, l.zoned, -24*3600 < offset && offset < 24*3600 // time.Time reads others and then does not marshal them
	}
	return t, false, false
}

// submissionJSON is the JSON form of both kinds of submission.
type submissionJSON struct {
	TranscriptionID   int64        `json:"transcription_id,omitempty"`
	ScribeID          int64        `json:"scribe_id,omitempty"`
	Status            ScribeStatus `json:"status,omitempty"`
	SubmittedAt       time.Time    `json:"submitted_at,omitzero"`
	PossibleDuplicate bool         `json:"possible_duplicate,omitempty"`
}

// decodeSubmission takes what a submission marshals to.
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
func (c *Client) getJob(ctx context.Context, field, endpoint string, id int64, decode func(response) (problem string), opts []CallOption) (CallInfo, error) {
	if id < 1 {
		return CallInfo{}, invalid(field, "must be 1 or more")
	}
	call := c.newCall(ctx, endpoint, routeOf(endpoint, id), opts)
	call.job = id
	call.request.ids = append(call.history.idBuf[:0], id)
	call.request.decode = decode
	err := call.run()
	return call.info(), err
}

// validateJob says what is wrong with an answer about job id.
func validateJob(body []byte, got, id int64, status string) string {
	switch {
	case status == "" && !jsonobject.IsObject(body): // no member of anything else is read
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
