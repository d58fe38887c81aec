// Package errbody reads what an error response says. It knows the API's own JSON in its
// several spellings, FastAPI's list of invalid fields, and what gateways and clouds in
// front of an API answer.
package errbody

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
)

// A Field is one entry of FastAPI's validation errors. The input and ctx that pydantic
// adds are left out, since they repeat what was sent.
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
	body = jsonobject.TrimMark(body)
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

// isText reports whether the body is text, and not binary data or UTF-16.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// keys are where a message stands, the documented keys first and those of a code
// or a class of errors last. Their case, and the signs between their words, differ
// from server to server.
var keys = []string{
	"detail", "details",
	"errordescription", "errormessage", "errorsummary", "errormsg", "message", "messages", "msg", "faultstring",
	"error", "errors", "fault", "reason", "description", "title",
}

// fold makes one spelling of errorMessage, ErrorMessage and error_message.
func fold(name []byte) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(string(name)))
}

// object takes the first message and the first list of fields that it finds.
func object(body []byte, depth int) (detail string, fields []Field) {
	members := map[string]json.RawMessage{}
	for name, v := range jsonobject.Members(body) {
		members[fold(name)] = v
	}
	for _, key := range keys {
		v, ok := members[key]
		if !ok {
			continue
		}
		text, found := value(v, depth-1)
		if text == "" && key == "errors" {
			text, found = byName(v)
		}
		if detail == "" {
			detail = text
		}
		if fields == nil {
			fields = found
		}
	}
	return detail, fields
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
		return list(raw, depth)
	}
	return "", nil
}

// list reads FastAPI's list of invalid fields, or a list of messages.
func list(raw json.RawMessage, depth int) (detail string, fields []Field) {
	var entries []json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return "", nil
	}
	var messages []string
	for _, entry := range entries[:min(len(entries), maxFields)] {
		f, ok := field(entry, depth-1)
		if !ok {
			continue
		}
		messages = append(messages, f.text())
		if entry[0] == '{' {
			fields = append(fields, f)
		}
	}
	return strings.Join(messages, "; "), fields
}

// field reads one entry of a list, which is a text or an object that says what is wrong
// with what.
func field(entry json.RawMessage, depth int) (f Field, ok bool) {
	f.Message, _ = value(entry, depth)
	if entry[0] == '{' {
		var where struct {
			Loc   any    `json:"loc"` // a list, but of some servers a string
			Field any    `json:"field"`
			Type  string `json:"type"`
		}
		_ = json.Unmarshal(entry, &where) // what has another type is left out
		if where.Loc == nil {
			where.Loc = where.Field
		}
		f.Path, f.Type = path(where.Loc), where.Type
	}
	return f, f.Path != "" || f.Message != ""
}

// byName reads an object that has the names of fields for its keys, and what is wrong
// with each as a text or a list of texts.
func byName(raw json.RawMessage) (detail string, fields []Field) {
	var messages []string
	for name, v := range jsonobject.Members(raw) {
		var texts []string
		if v[0] == '"' {
			v = slices.Concat([]byte("["), v, []byte("]"))
		}
		if json.Unmarshal(v, &texts) != nil || len(texts) == 0 || len(fields) == maxFields {
			continue
		}
		f := Field{Path: string(name), Message: strings.Join(texts, ", ")}
		fields, messages = append(fields, f), append(messages, f.text())
	}
	return strings.Join(messages, "; "), fields
}

func (f Field) text() string {
	if f.Path == "" {
		return f.Message
	}
	return f.Path + ": " + f.Message
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
