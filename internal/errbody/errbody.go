// Package errbody reads what an error response says, whatever its form: the
// API's own JSON in its several spellings, FastAPI's list of invalid fields,
// or something else that a proxy in front of the API answered.
package errbody

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
)

// A Field is one entry of FastAPI's validation errors. The input and ctx that
// pydantic adds are left out: they repeat what was sent.
type Field struct {
	Path, Message, Type string
}

const (
	maxFields = 100
	maxText   = 4096 // bytes of a plain text body that become the detail
	maxDepth  = 64   // of nested details
)

// Decode returns the message of an error body and the fields that it finds
// fault with. Both are empty for HTML, binary data and JSON that says nothing.
func Decode(body []byte) (detail string, fields []Field) {
	text := strings.TrimSpace(head(body))
	switch {
	case text == "" || text[0] == '<':
		return "", nil
	case jsonobject.IsObject(body):
		return object(body, maxDepth)
	case json.Valid(body):
		return value(body, maxDepth)
	case text[0] == '{' || text[0] == '[':
		return "", nil // cut off in the middle
	case isText(text):
		return text, nil
	}
	return "", nil
}

// head is the beginning of a body, without half a character at its end.
func head(body []byte) string {
	if len(body) <= maxText {
		return string(body)
	}
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(body[n]) {
		n--
	}
	return string(body[:n])
}

// isText tells text from binary data and from UTF-16.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// object looks under the keys that the API uses, the documented ones first.
func object(body []byte, depth int) (detail string, fields []Field) {
	members := map[string]json.RawMessage{}
	for name, v := range jsonobject.Members(body) {
		members[string(name)] = v
	}
	for _, key := range []string{"detail", "details", "error", "message", "msg", "error_description"} {
		if v, ok := members[key]; ok {
			if detail, fields = value(v, depth-1); detail != "" || fields != nil {
				return detail, fields
			}
		}
	}
	return "", nil
}

// value reads a detail of any type.
func value(raw json.RawMessage, depth int) (detail string, fields []Field) {
	if depth <= 0 {
		return "", nil
	}
	switch raw = json.RawMessage(strings.TrimSpace(string(raw))); raw[0] {
	case '"':
		_ = json.Unmarshal(raw, &detail)
		return detail, nil
	case '{':
		return object(raw, depth)
	case '[':
		return list(raw)
	}
	return "", nil
}

// list reads FastAPI's list of invalid fields, or a list of messages.
func list(raw json.RawMessage) (detail string, fields []Field) {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return "", nil
	}
	var messages []string
	for _, entry := range entries[:min(len(entries), maxFields)] {
		var f struct {
			Loc  any    `json:"loc"` // a list, but of some servers a string
			Msg  string `json:"msg"`
			Type string `json:"type"`
		}
		var s string
		switch {
		case json.Unmarshal(entry, &f) == nil && (f.Msg != "" || f.Loc != nil):
			fields = append(fields, Field{Path: path(f.Loc), Message: f.Msg, Type: f.Type})
			messages = append(messages, strings.TrimPrefix(path(f.Loc)+": "+f.Msg, ": "))
		case json.Unmarshal(entry, &s) == nil && s != "":
			messages = append(messages, s)
		}
	}
	return strings.Join(messages, "; "), fields
}

// path joins a loc such as ["body", "template_ids", 0] to body.template_ids[0].
func path(loc any) string {
	steps, ok := loc.([]any)
	if !ok {
		steps = []any{loc}
	}
	var b strings.Builder
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		case float64:
			b.WriteString("[" + strconv.FormatFloat(step, 'f', -1, 64) + "]")
		}
	}
	return b.String()
}
