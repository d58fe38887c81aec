package ambienttest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

func TestValidation(t *testing.T) {
	srv := forTest(t, NewServer(WithTemplates(1, 2)))
	c := newCaller(t, srv)
	problem := func(loc, msg, kind, input string) string {
		if input != "" {
			input = `,"input":` + input
		}
		return `{"detail":[{"loc":[` + loc + `],"msg":"` + msg + `","type":"` + kind + `"` + input + `}]}`
	}
	missing := func(field string) string {
		return problem(`"body","`+field+`"`, "field required", "value_error.missing", "")
	}
	for _, bad := range []struct {
		path string
		form []string
		body string
	}{
		{"/transcribe", nil, missing("audio_file")},
		{"/transcribe", []string{"audio_file", "text"}, problem(`"body","audio_file"`,
			`Value error, Expected UploadFile, received: \u003cclass 'str'\u003e`, "value_error", `"text"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "audio_file", "@b.mp3"},
			problem(`"body","audio_file"`, "Input should be given once", "value_error", `["a.mp3","b.mp3"]`)},
		{"/transcribe", []string{"audio_file", "@a.pdf"}, problem(`"body","audio_file"`,
			"Input should be one of these audio types: mp3, mp4, mpeg, mpga, m4a, wav, webm", "value_error", `"a.pdf"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "audio_files", "@b.mp3"},
			problem(`"body","audio_files"`, "Extra inputs are not permitted", "extra_forbidden", `"b.mp3"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "patient_name", "@b.mp3"},
			problem(`"body","patient_name"`, "Input should be a valid string", "string_type", `"b.mp3"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "date_of_service", "2025-11-06"},
			problem(`"body","date_of_service"`, "Input should be a valid datetime, as in RFC 3339", "datetime_parsing", `"2025-11-06"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "additional_context", "{'age': 1}"}, problem(`"body","additional_context"`,
			"Input should be a JSON object, serialised into a string", "json_invalid", `"{'age': 1}"`)},
		{"/transcribe", []string{"audio_file", "@a.mp3", "additional_context", "null"}, problem(`"body","additional_context"`,
			"Input should be a JSON object, serialised into a string", "json_invalid", `"null"`)},
		{"/scribe", []string{"transcripts", "x"}, missing("template_ids")},
		{"/scribe", []string{"template_ids", "1"}, missing("audio_files")},
		{"/scribe", []string{"template_ids", "1", "template_ids", "1,2", "transcripts", "x"},
			problem(`"body","template_ids",1`, notInteger, "int_parsing", `"1,2"`)},
		{"/scribe", []string{"template_ids", "0", "transcripts", "x"},
			problem(`"body","template_ids",0`, "Input should be greater than or equal to 1", "greater_than_equal", `"0"`)},
		{"/scribe", []string{"template_ids", "1", "template_ids", "234234", "template_ids", "3", "transcripts", "x"},
			`{"detail":"You do not have access to these template_ids [234234, 3]"}`},
		{"/scribe/101/regenerate/audio", nil, missing("audio_files")},
		{"/scribe/x1/regenerate/audio", []string{"audio_files", "@a.mp3"},
			problem(`"path","scribe_id"`, notInteger, "int_parsing", `"x1"`)},
	} {
		r := c.form(bad.path, bad.form...)
		want(t, strings.Join(bad.form, " "), r.body, bad.body)
		want(t, "status", r.status, http.StatusUnprocessableEntity)
	}
	good := c.form("/scribe", "template_ids", "1", "template_ids", "2", "audio_files", "@a.MP3", "audio_files", "@b",
		"transcripts", "x", "patient_name", "Synthetic Patient", "date_of_service", "2025-11-06T14:05:00.5+01:00",
		"additional_context", `{"age": 40}`)
	want(t, "good", good.status, http.StatusAccepted)
}

func TestRoutesMethodsAndTypes(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	const field = "Content-Disposition: form-data; name=\"patient_name\"\r\n\r\n"
	for _, bad := range []struct {
		method, path, contentType, body string
		status                          int
		answer                          string
	}{
		{"GET", "/transcribe", "", "", 405, `{"detail":"Method Not Allowed"}`},
		{"DELETE", "/scribe/7", "", "", 405, `{"detail":"Method Not Allowed"}`},
		{"GET", "//transcribe/7", "", "", 404, `{"detail":"Not Found"}`},
		{"GET", "/transcribe/7/", "", "", 404, `{"detail":"Not Found"}`},
		{"GET", "/transcribe/7", "", "", 404, `{"detail":"Transcription not found"}`},
		{"GET", "/scribe/99999999999999999999", "", "", 422, `{"detail":[{"loc":["path","scribe_id"]`},
		{"GET", "/scribe/7", "", "", 404, `{"detail":"Scribe not found"}`},
		{"POST", "/transcribe", "application/json", "{}", 422, `{"detail":[{"loc":["header","content-type"]`},
		{"POST", "/transcribe", multiparts + "; boundary=b", "--b\r\n", 400, `{"detail":"There was an error parsing the body"}`},
		{"POST", "/transcribe", multiparts + "; boundary=b", "--b\r\n\r\n\r\n--b--", 400, `{"detail":"There was an error parsing`},
		{"POST", "/transcribe", multiparts + "; boundary=b", "--b\r\n" + field + "a value without an end", 400,
			`{"detail":"There was an error parsing the body"}`},
		{"POST", "/transcribe", multiparts + "; boundary=b", "--b\r\n" + field + "v\r\n--b--", 422,
			`{"detail":[{"loc":["body","audio_file"]`},
		{"POST", "/transcribe", multiparts, "--b--", 422, `{"detail":[{"loc":["body","audio_file"]`},
		{"POST", "/auth/token", urlencoded, "username=u&password=p", 422, `{"detail":[{"loc":["header","authorization"]`},
	} {
		r := c.send(bad.method, bad.path, bad.contentType, strings.NewReader(bad.body))
		want(t, bad.method+" "+bad.path, r.status, bad.status)
		if !strings.HasPrefix(r.body, bad.answer) {
			t.Errorf("%s %s: %s", bad.method, bad.path, r.body)
		}
	}
	want(t, "Allow", c.send("PUT", "/transcribe", "", nil).header.Get("Allow"), "POST")
	want(t, "route of a wrong method", srv.Requests()[1].Route, "GET /transcribe")
	want(t, "route of nowhere", srv.Requests()[3].Route, "")
	want(t, "raw body", string(srv.RequestsTo("POST /transcribe")[0].Raw), "{}")

	c.token = ""
	r := c.send("POST", "/auth/token", urlencoded, strings.NewReader("username=u&password=p"))
	want(t, "wrong password", r.body, `{"detail":"Could not validate credentials"}`)
	r = c.send("POST", "/auth/token", urlencoded, strings.NewReader("grant_type=password&username=u"))
	want(t, "fields of the token call", r.body, `{"detail":[{"loc":["body","password"],"msg":"field required",`+
		`"type":"value_error.missing"},{"loc":["body","grant_type"],"msg":"Extra inputs are not permitted",`+
		`"type":"extra_forbidden","input":"password"}]}`)
	want(t, "malformed", c.send("POST", "/auth/token", urlencoded, strings.NewReader("%zz=1")).status, 400)
	want(t, "no token", c.get("/transcribe/7").status, 401)
	c.token = "a.b.c"
	want(t, "foreign token", c.get("/transcribe/7").status, 401)
}

func TestRecords(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	c.form("/scribe", "transcripts", "one", "template_ids", "5", "audio_files", "@/home/x/a.wav", "transcripts", "two")
	c.get("/scribe/101")
	got := srv.RequestsTo("POST /scribe")[0]
	want(t, "String", got.String(), "POST "+BasePath+"/scribe, 3 fields, 1 files, "+
		got.Header.Get("Content-Length")+" bytes: 202")
	want(t, "order", got.Fields[1], Field{"template_ids", "5"})
	want(t, "values", strings.Join(got.Values("transcripts"), " "), "one two")
	want(t, "absent value", got.Value("patient_name"), "")
	sum := sha256.Sum256([]byte("synthetic audio"))
	want(t, "file", got.Files[0], File{"audio_files", "/home/x/a.wav", "application/octet-stream", 15,
		hex.EncodeToString(sum[:])})
	get := srv.RequestsTo("GET /scribe/{id}")[0]
	want(t, "id", get.ID, 101)
	want(t, "complete", get.Complete, true)
	want(t, "digest of no body", get.BodySHA256, "")
	want(t, "connection", get.Conn, 1)
	want(t, "any", len(srv.RequestsTo("*")), 3)
	want(t, "token call", srv.Requests()[0].Value("username"), srv.Username)
}

func TestAssertions(t *testing.T) {
	tb := &fakeTB{}
	srv := Start(tb, WithCredentials("synthetic", "secret"), WithTranscript("x"), WithNote(nil), WithJobTime(0))
	srv.ScriptTranscription(TranscriptionFails(0, "synthetic failure")...)
	srv.ScriptTranscription(TranscriptionFails(0, "")...)
	srv.ScriptScribe(ScribeFails(0)...)
	srv.Fault("POST /transcribe", 3, Answer(500))
	srv.FaultRange("*", 7, 9, Answer(500))
	srv.FaultWhere(func(r Request) bool { return r.ID == 7 }, Answer(500))
	srv.AssertCount(tb, "*", 1)
	c := newCaller(t, srv)
	want(t, "failure", c.get(c.job()).json(t)["error_message"], any("synthetic failure"))
	srv.AssertCount(tb, "POST /transcribe", 1)
	srv.AssertRoutes(tb, "POST /auth/token", "POST /transcribe", "GET /transcribe/{id}")
	srv.AssertRoutes(tb, "POST /auth/token")
	tb.end()
	for i, text := range []string{
		`0 requests to "*", want 1; arrived: nothing`,
		"want POST /auth/token; arrived:\n\tPOST /v1/ambient/api/auth/token, 2 fields, 0 files, ",
		"ScriptTranscription no. 2 (DETECTED_FILE, STT_PROCESSING, STT_ERROR): no job was submitted for it",
		"ScriptScribe no. 1 (IN_PROGRESS, FAILED): no job was submitted for it",
		`fault on request 3 of "POST /transcribe": 1 arrived`,
		`fault on requests 7 to 9 of "*": 3 arrived`,
		"fault on the requests that a function matches: none did",
	} {
		if i >= len(tb.errors) || !strings.Contains(tb.errors[i], text) {
			t.Errorf("want %q in %q", text, tb.errors)
		}
	}
	want(t, "errors", len(tb.errors), 7)
}

// A request that has no body is complete, whatever the protocol.
func TestRequestsWithoutABody(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := &caller{t: t, srv: srv}
		want(t, "status", c.get("/transcribe/7").status, 401)
		r := srv.Requests()[0]
		want(t, "complete", r.Complete, true)
		want(t, "digest", r.BodySHA256, "")
		srv.AssertCount(t, "*", 1)
	})
}
