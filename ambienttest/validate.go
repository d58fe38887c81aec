package ambienttest

import (
	"encoding/json"
	"fmt"
	"mime"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule says what a field of a form must be.
type rule struct {
	name     string
	file     bool
	required bool
	repeated bool
	check    func(value string) (msg, kind string) // nil: any text will do; an empty msg: the value is fine
}

var (
	tokenForm = []rule{
		{name: "username", required: true},
		{name: "password", required: true},
	}
	transcribeForm = []rule{
		{name: "audio_file", file: true, required: true, check: checkAudio},
		{name: "patient_name"},
		{name: "date_of_service", check: checkDate},
		{name: "additional_context", check: checkContext},
	}
	scribeForm = []rule{
		{name: "template_ids", required: true, repeated: true, check: checkInteger},
		{name: "audio_files", file: true, repeated: true, check: checkAudio},
		{name: "transcripts", repeated: true},
		{name: "patient_name"},
		{name: "date_of_service", check: checkDate},
		{name: "additional_context", check: checkContext},
	}
	regenerateForm = []rule{
		{name: "audio_files", file: true, required: true, repeated: true, check: checkAudio},
	}
)

// validate checks a request whose body has been read against its route. Headers that a proxy may add are none of its
// business.
func (e *exchange) validate() []problem {
	var problems []problem
	if _, err := strconv.ParseInt(e.id, 10, 64); e.route.idName != "" && err != nil {
		problems = append(problems, problem{[]any{"path", e.route.idName}, notInteger, "int_parsing", e.id})
	}
	if e.route.rules == nil {
		return problems
	}
	if auth := e.r.Header.Get("Authorization"); e.route.name == tokenRoute && auth != "" {
		problems = append(problems, problem{[]any{"header", "authorization"},
			"the call that issues a token takes none", "value_error", auth})
	}
	sent := e.r.Header.Get("Content-Type")
	if mediaType, _, _ := mime.ParseMediaType(sent); mediaType != e.route.form {
		return append(problems, problem{[]any{"header", "content-type"},
			"Input should be " + e.route.form, "value_error", sent})
	}
	return append(problems, checkForm(e.route.rules, e.record)...)
}

const notInteger = "Input should be a valid integer, unable to parse string as an integer"

func checkForm(rules []rule, r *Request) []problem {
	var problems []problem
	for _, rl := range rules {
		problems = append(problems, rl.problems(r)...)
	}
	known := func(name string) bool {
		return slices.ContainsFunc(rules, func(rl rule) bool { return rl.name == name })
	}
	for _, f := range r.Fields {
		if !known(f.Name) {
			problems = append(problems, extra(f.Name, f.Value))
		}
	}
	for _, f := range r.Files {
		if !known(f.Field) {
			problems = append(problems, extra(f.Field, f.Filename))
		}
	}
	return problems
}

func extra(name, input string) problem {
	return problem{[]any{"body", name}, "Extra inputs are not permitted", "extra_forbidden", input}
}

// problems are those of one rule.
func (rl rule) problems(r *Request) []problem {
	values, others := r.Values(rl.name), r.filenames(rl.name)
	wrong := problem{[]any{"body", rl.name}, "Input should be a valid string", "string_type", nil}
	if rl.file {
		values, others = others, values
		wrong.Msg, wrong.Type = "Value error, Expected UploadFile, received: <class 'str'>", "value_error"
	}
	var problems []problem
	for _, value := range others {
		wrong.Input = value
		problems = append(problems, wrong)
	}
	if rl.required && len(values)+len(others) == 0 {
		problems = append(problems, missing("body", rl.name))
	}
	if !rl.repeated && len(values) > 1 {
		problems = append(problems, problem{[]any{"body", rl.name}, "Input should be given once", "value_error", values})
	}
	for i, value := range values {
		if rl.check == nil {
			break
		}
		if msg, kind := rl.check(value); msg != "" {
			loc := []any{"body", rl.name}
			if rl.repeated {
				loc = append(loc, i)
			}
			problems = append(problems, problem{loc, msg, kind, value})
		}
	}
	return problems
}

func (r *Request) filenames(field string) []string {
	var names []string
	for _, f := range r.Files {
		if f.Field == field {
			names = append(names, f.Filename)
		}
	}
	return names
}

func checkInteger(value string) (msg, kind string) {
	id, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return notInteger, "int_parsing"
	case id < 1:
		return "Input should be greater than or equal to 1", "greater_than_equal"
	}
	return "", ""
}

func checkDate(value string) (msg, kind string) {
	if _, err := time.Parse(time.RFC3339, value); err != nil {
		return "Input should be a valid datetime, as in RFC 3339", "datetime_parsing"
	}
	return "", ""
}

func checkContext(value string) (msg, kind string) {
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil || object == nil {
		return "Input should be a JSON object, serialised into a string", "json_invalid"
	}
	return "", ""
}

// checkAudio goes by the extension, where there is one. Whether the service takes audio of types that it does not
// document is not published.
func checkAudio(filename string) (msg, kind string) {
	types := []string{"mp3", "mp4", "mpeg", "mpga", "m4a", "wav", "webm"}
	others := []string{"ogg", "flac", "aac", "aiff", "caf", "amr", "awb", "3gp", "3g2", "wma", "mka", "dss", "ds2"}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(filename), "."))
	if ext != "" && !slices.Contains(types, ext) && !slices.Contains(others, ext) {
		return fmt.Sprintf("Input should be one of these audio types: %s", strings.Join(types, ", ")), "value_error"
	}
	return "", ""
}
