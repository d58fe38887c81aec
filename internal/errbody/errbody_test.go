package errbody

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestDecodeReadsEveryForm(t *testing.T) {
	for name, c := range map[string]struct {
		body, detail string
		fields       []Field
	}{
		"documented":                    {`{"detail": "Transcription not found"}`, "Transcription not found", nil},
		"the plural key of a 429":       {`{"details": "Too many requests"}`, "Too many requests", nil},
		"the vendor's sample":           {`{"error": {"message": "boom"}}`, "boom", nil},
		"error as text":                 {`{"error": "boom"}`, "boom", nil},
		"OAuth":                         {`{"error_description": "bad password"}`, "bad password", nil},
		"message":                       {`{"message": "no Route matched"}`, "no Route matched", nil},
		"documented key first":          {`{"message": "b", "error": "c", "detail": "a"}`, "a", nil},
		"an empty one is passed over":   {`{"detail": "", "message": "b"}`, "b", nil},
		"null is passed over":           {`{"detail": null, "details": "b"}`, "b", nil},
		"detail is an object":           {`{"detail": {"code": 7, "message": "boom"}}`, "boom", nil},
		"detail is an unknown object":   {`{"detail": {"code": 7}}`, "", nil},
		"detail is a number":            {`{"detail": 7}`, "", nil},
		"list of texts":                 {`{"detail": ["one", "two"]}`, "one; two", nil},
		"list of other things":          {`{"detail": [1, null, {}, [], "two"]}`, "two", nil},
		"last of duplicated keys":       {`{"detail": "one", "detail": "two"}`, "two", nil},
		"bare string":                   {`"boom"`, "boom", nil},
		"bare list":                     {`["boom"]`, "boom", nil},
		"bare number":                   {`7`, "", nil},
		"null":                          {`null`, "", nil},
		"escapes":                       {`{"detail": "caf\u00e9 \ud83d\ude00"}`, "café 😀", nil},
		"white space":                   {" \r\n\t{\"detail\": \"a\"}\n", "a", nil},
		"truncated JSON":                {`{"detail": "Transcr`, "", nil},
		"truncated list":                {`["Transcr`, "", nil},
		"text":                          {"upstream connect error\n", "upstream connect error", nil},
		"HTML":                          {"\n<html><body>502</body></html>", "", nil},
		"XML":                           {"<?xml version='1.0'?><Error/>", "", nil},
		"binary":                        {"\xff\xfe\x00\x01", "", nil},
		"NUL bytes":                     {"abc\x00def", "", nil},
		"UTF-16 little endian":          {"\xff\xfe{\x00}\x00", "", nil},
		"UTF-16 without a mark":         {"\x00{\x00\"\x00d\x00\"\x00}", "", nil},
		"nothing":                       {"", "", nil},
		"spaces":                        {" \n", "", nil},
		"100,000 levels":                {strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5), "", nil},
		"5,000 levels of detail":        {strings.Repeat(`{"detail":`, 5e3) + `"x"` + strings.Repeat("}", 5e3), "", nil},
		"levels that nobody looks into": {`{"x":` + strings.Repeat("[", 5e3) + strings.Repeat("]", 5e3) + `,"detail":"a"}`, "a", nil},
		"FastAPI": {
			`{"detail": [{"loc": ["body", "template_ids", 0], "msg": "field required", "type": "value_error.missing"}]}`,
			"body.template_ids[0]: field required",
			[]Field{{"body.template_ids[0]", "field required", "value_error.missing"}},
		},
		"pydantic v2, whose input and ctx are left out": {
			`{"detail": [{"type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": {"username": "CANARY"}, "ctx": {"error": "CANARY"}}, {"msg": "b"}]}`,
			"body.password: Field required; b",
			[]Field{{"body.password", "Field required", "missing"}, {"", "b", ""}},
		},
		"a loc that is no list": {
			`{"detail": [{"loc": "body", "msg": "field required"}]}`,
			"body: field required",
			[]Field{{"body", "field required", ""}},
		},
		"AWS API Gateway":             {`{"Message": "User is not authorized"}`, "User is not authorized", nil},
		"JSON:API":                    {`{"errors": [{"status": "403", "title": "Forbidden", "detail": "no access"}]}`, "no access", []Field{{"", "no access", ""}}},
		"GraphQL":                     {`{"errors": [{"message": "one"}, {"message": "two"}], "data": null}`, "one; two", []Field{{"", "one", ""}, {"", "two", ""}}},
		"errors as texts":             {`{"errors": ["one", "two"]}`, "one; two", nil},
		"errors as one text":          {`{"errors": "one"}`, "one", nil},
		"a list of messages":          {`{"detail": [{"message": "boom"}]}`, "boom", []Field{{"", "boom", ""}}},
		"capital keys":                {`{"Error": {"Code": "AccessDenied", "Message": "boom"}}`, "boom", nil},
		"Google":                      {`{"error": {"code": 403, "message": "boom", "status": "PERMISSION_DENIED"}}`, "boom", nil},
		"Apigee":                      {`{"fault": {"faultstring": "boom", "detail": {"errorcode": "policies.ratelimit"}}}`, "boom", nil},
		"Elasticsearch":               {`{"error": {"root_cause": [{"type": "x"}], "type": "x", "reason": "boom"}, "status": 403}`, "boom", nil},
		"reason":                      {`{"reason": "boom"}`, "boom", nil},
		"problem details, RFC 9457":   {`{"type": "about:blank", "title": "You may not", "status": 403}`, "You may not", nil},
		"problem details in full":     {`{"title": "Forbidden", "detail": "boom"}`, "boom", nil},
		"Lambda":                      {`{"errorMessage": "boom", "errorType": "Error", "trace": ["CANARY"]}`, "boom", nil},
		"words joined by signs":       {`{"Error-Message": "boom"}`, "boom", nil},
		"OAuth with its code":         {`{"error": "invalid_grant", "error_description": "bad password"}`, "bad password", nil},
		"Spring":                      {`{"timestamp": "x", "status": 403, "error": "Forbidden", "message": "boom", "path": "/CANARY"}`, "boom", nil},
		"a byte order mark":           {"\ufeff{\"detail\": \"a\"}", "a", nil},
		"a byte order mark and text":  {"\ufeffbusy", "busy", nil},
		"a byte order mark and HTML":  {"\ufeff<html>502", "", nil},
		"errors by the field's name":  {`{"errors": {"patient_name": ["too long", "odd"], "age": "bad", "n": 7, "e": []}}`, "patient_name: too long, odd; age: bad", []Field{{"patient_name", "too long, odd", ""}, {"age", "bad", ""}}},
		"a summary and its fields":    {`{"message": "Validation failed", "errors": [{"field": "age", "message": "bad", "value": "CANARY"}]}`, "Validation failed", []Field{{"age", "bad", ""}}},
		"a type that is no text":      {`{"detail": [{"loc": ["body"], "msg": "bad", "type": 7}]}`, "body: bad", []Field{{"body", "bad", ""}}},
		"a message that is a list":    {`{"message": ["one", "two"], "error": "Bad Request"}`, "one; two", nil},
		"5,000 levels of errors":      {strings.Repeat(`{"errors":`, 5e3) + `"x"` + strings.Repeat("}", 5e3), "", nil},
		"60 levels of errors by name": {strings.Repeat(`{"errors":`, 60) + `{"a":"x"}` + strings.Repeat("}", 60), "a: x", []Field{{"a", "x", ""}}},
		"a loc of odd things": {
			`{"detail": [{"loc": ["body", null, 1.5, true, {}], "msg": "m"}]}`,
			"body[1.5]: m",
			[]Field{{"body[1.5]", "m", ""}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			detail, fields := Decode([]byte(c.body))
			assert.Equal(t, c.detail, detail)
			assert.Equal(t, c.fields, fields)
		})
	}
}

func TestDecodeIsBounded(t *testing.T) {
	detail, _ := Decode([]byte(strings.Repeat("é", 1<<20)))
	assert.Len(t, detail, maxText, "of one line of 2 MB")

	detail, _ = Decode([]byte("x" + strings.Repeat("é", 1<<20)))
	assert.True(t, utf8.ValidString(detail), "no character is cut in two")
	assert.Len(t, detail, maxText-1)

	_, fields := Decode([]byte(`{"detail": [{"msg": "m"}` + strings.Repeat(`, {"msg": "m"}`, 1e4) + `]}`))
	assert.Len(t, fields, maxFields)
}

func TestDecodeNeitherKeepsNorChangesTheBody(t *testing.T) {
	body := []byte(`{"detail": [{"loc": ["body"], "msg": "one", "type": "two"}]}`)
	before := string(body)
	detail, fields := Decode(body)
	assert.Equal(t, before, string(body))
	clear(body)
	assert.Equal(t, "body: one", detail)
	assert.Equal(t, []Field{{"body", "one", "two"}}, fields)
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "null", "7", `"x"`, `{"detail": "x"}`, `{"details": ["x"]}`, `{"error": {"message": "x"}}`,
		`{"detail": [{"loc": ["body", 0], "msg": "m", "type": "t", "input": {}, "ctx": {}}]}`,
		"<html>", "text", "{", "\xff\xfe{\x00", "a\x00b", `{"detail":{"detail":{"detail":[["x"]]}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		detail, fields := Decode(body)
		assert.LessOrEqual(t, len(fields), maxFields)
		assert.LessOrEqual(t, len(detail), 3*len(body)+4*maxFields) // invalid bytes become replacement characters of three
		if len(body) > 0 && body[0] == '<' {
			assert.Empty(t, detail)
		}
	})
}
