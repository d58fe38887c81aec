package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/examples/clinic/server"
)

const (
	idA      = "aaaaaaaa-1111-4111-8111-111111111111"
	idB      = "bbbbbbbb-1111-4111-8111-111111111111"
	password = "canary-password-7"
	code     = "CANARY-77"
)

// A site is a server under test.
type site struct {
	t   *testing.T
	web *httptest.Server
	srv *server.Server
	log *lockedBuffer
	api *ambienttest.Server
	*notes.Notes
}

// work works on visits until the end of the test.
func (s *site) work() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(s.t, s.Notes.Run(ctx, time.Second)) })
	s.t.Cleanup(func() { cancel(); running.Wait() })
}

func start(t *testing.T, change ...func(*server.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := recording.Open(filepath.Join(dir, "store"))
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	api := ambienttest.Start(t, ambienttest.WithJobTime(10*time.Millisecond), ambienttest.WithTranscript("Canary transcript."))
	client, err := ambient.NewClient(ambient.WithBaseURL(api.URL), ambient.WithCredentials(api.Username, api.Password))
	require.NoError(t, err)
	log := new(lockedBuffer)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	desk, err := notes.Open(t.Context(), "sqlite:"+filepath.Join(dir, "visits.db"), notes.Config{Store: store, Client: client, Templates: []int64{7}, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(func() { desk.Close() })
	c := server.Config{
		Store: store, Notes: desk, Sessions: filepath.Join(dir, "sessions"),
		Users: map[string]string{"canary-user-a": password, "canary-user-b": password},
		Page: fstest.MapFS{
			"index.html": {Data: []byte("<!doctype html><title>synthetic</title>")}, "app.js": {Data: []byte("export {}")},
		},
		Rate: 1000, Logger: logger, Registry: prometheus.NewRegistry(),
	}
	for _, f := range change {
		f(&c)
	}
	srv, err := server.New(c)
	require.NoError(t, err)
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(func() { srv.Stop(); web.Close() })
	return &site{t, web, srv, log, api, desk}
}

// A user is a browser with or without a session.
type user struct {
	*site
	cookie *http.Cookie
	csrf   string
}

func (s *site) signIn(name string) *user {
	s.t.Helper()
	u := &user{site: s}
	resp := u.json("POST", "/session", map[string]string{"user": name, "password": password})
	require.Equal(s.t, 200, resp.status, resp.body)
	require.Len(s.t, resp.cookies, 1)
	u.cookie, u.csrf = resp.cookies[0], resp.field("csrf")
	return u
}

type response struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

func (r response) field(name string) string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(r.body), &fields)
	text, _ := fields[name].(string)
	return text
}

func (u *user) request(method, path string, body io.Reader, headers ...string) *http.Request {
	u.t.Helper()
	r, err := http.NewRequestWithContext(u.t.Context(), method, u.web.URL+path, body)
	require.NoError(u.t, err)
	r.Header.Set("X-CSRF-Token", u.csrf)
	if u.cookie != nil {
		r.AddCookie(u.cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (u *user) do(method, path string, body io.Reader, headers ...string) response {
	u.t.Helper()
	resp, err := u.web.Client().Do(u.request(method, path, body, headers...))
	require.NoError(u.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(u.t, err)
	return response{resp.StatusCode, resp.Header, resp.Cookies(), string(text)}
}

func (u *user) json(method, path string, v any, headers ...string) response {
	u.t.Helper()
	body, err := json.Marshal(v)
	require.NoError(u.t, err)
	return u.do(method, path, bytes.NewReader(body), append([]string{"Content-Type", "application/json"}, headers...)...)
}

func (u *user) create(id string) response {
	u.t.Helper()
	return u.json("PUT", "/recordings/"+id, map[string]any{"code": code, "type": "audio/webm;codecs=opus", "started": "2026-01-02T03:04:05Z"})
}

func (u *user) put(id, n, content string) response {
	u.t.Helper()
	return u.do("PUT", "/recordings/"+id+"/chunks/"+n, strings.NewReader(content), "Content-Digest", contentDigest(content))
}

func (u *user) close(id string, chunks ...string) response {
	u.t.Helper()
	digests := []string{}
	for _, chunk := range chunks {
		sum := sha256.Sum256([]byte(chunk))
		digests = append(digests, hex.EncodeToString(sum[:]))
	}
	return u.json("POST", "/recordings/"+id+"/close", map[string]any{"chunks": digests, "interrupted": false})
}

func contentDigest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// What a browser can send wrong, and what it hears.
func TestChunks(t *testing.T) {
	s := start(t)
	a, b := s.signIn("canary-user-a"), s.signIn("canary-user-b")
	large := strings.Repeat("x", recording.MaxChunk+1)
	type step struct {
		name   string
		status int
		word   string
		do     func() response
	}
	for _, c := range []step{
		{"a chunk before its recording", 404, "unknown", func() response { return a.put(idA, "0", "zero") }},
		{"create", 200, "", func() response { return a.create(idA) }},
		{"create twice", 200, "", func() response { return a.create(idA) }},
		{"create what another user has", 409, "exists", func() response { return b.create(idA) }},
		{"chunk 1 before chunk 0", 201, "", func() response { return a.put(idA, "1", "one") }},
		{"close with a gap", 409, "gap", func() response { return a.close(idA, "zero", "one") }},
		{"chunk 0", 201, "", func() response { return a.put(idA, "0", "zero") }},
		{"chunk 0 twice", 200, "", func() response { return a.put(idA, "0", "zero") }},
		{"chunk 0 with another content", 409, "conflict", func() response { return a.put(idA, "0", "other") }},
		{"an altered chunk", 422, "digest", func() response {
			return a.do("PUT", "/recordings/"+idA+"/chunks/2", strings.NewReader("altered"), "Content-Digest", contentDigest("two"))
		}},
		{"an empty chunk", 422, "empty", func() response { return a.put(idA, "2", "") }},
		{"a chunk that is too large", 413, "too-large", func() response { return a.put(idA, "2", large) }},
		{"a large chunk of unknown length", 413, "too-large", func() response {
			return a.do("PUT", "/recordings/"+idA+"/chunks/2", io.MultiReader(strings.NewReader(large)), "Content-Digest", contentDigest(large))
		}},
		{"a chunk without a digest", 400, "content-digest", func() response { return a.do("PUT", "/recordings/"+idA+"/chunks/2", strings.NewReader("two")) }},
		{"a chunk with half a digest", 400, "content-digest", func() response {
			return a.do("PUT", "/recordings/"+idA+"/chunks/2", strings.NewReader("two"), "Content-Digest", "sha-256=:AAAA:")
		}},
		{"a digest among others", 201, "", func() response {
			return a.do("PUT", "/recordings/"+idA+"/chunks/2", strings.NewReader("two"), "Content-Digest", "md5=:AAAA:, "+contentDigest("two"))
		}},
		{"a number that is none", 400, "invalid", func() response { return a.put(idA, "x", "two") }},
		{"a negative number", 400, "invalid", func() response { return a.put(idA, "-1", "two") }},
		{"a number above the limit", 400, "invalid", func() response { return a.put(idA, "4096", "two") }},
		{"a chunk of another user's recording", 404, "unknown", func() response { return b.put(idA, "3", "three") }},
		{"another user closes", 404, "unknown", func() response { return b.close(idA, "zero", "one", "two") }},
		{"close with a chunk of another recording", 409, "gap", func() response { return a.close(idA, "zero", "other", "two") }},
		{"close with no chunk", 422, "empty", func() response { return a.close(idA) }},
		{"close with fewer chunks", 409, "gap", func() response { return a.close(idA, "zero") }},
		{"close", 204, "", func() response { return a.close(idA, "zero", "one", "two") }},
		{"close twice", 204, "", func() response { return a.close(idA, "zero", "one", "two") }},
		{"close with another list", 409, "closed", func() response { return a.close(idA, "zero", "one") }},
		{"a late repetition", 200, "", func() response { return a.put(idA, "1", "one") }},
		{"a chunk after the end", 409, "closed", func() response { return a.put(idA, "3", "three") }},
		{"create after the end", 200, "", func() response { return a.create(idA) }},
		{"a recording of zero bytes", 200, "", func() response { return a.create(idB) }},
		{"close a recording of zero bytes", 422, "empty", func() response { return a.close(idB) }},
		{"an unknown id", 404, "unknown", func() response { return a.close("cccccccc-1111-4111-8111-111111111111", "zero") }},
		{"an id that is none", 400, "invalid", func() response { return a.create("not-an-id") }},
		{"a digest that is none", 400, "invalid", func() response {
			return a.json("POST", "/recordings/"+idB+"/close", map[string]any{"chunks": []string{"abc"}, "interrupted": false})
		}},
	} {
		got := c.do()
		assert.Equal(t, c.status, got.status, "%s: %s", c.name, got.body)
		assert.Equal(t, c.word, got.field("error"), c.name)
	}
	answer := a.create(idB)
	assert.JSONEq(t, `{"code": "CANARY-77-2", "have": [], "closed": false}`, answer.body, "the code was taken")
	answer = a.close(idB, "zero")
	assert.JSONEq(t, `{"error": "gap", "missing": [0]}`, answer.body)
	s.keepsSecrets()
}

// keepsSecrets looks for what a log must not hold.
func (s *site) keepsSecrets() {
	s.t.Helper()
	log := strings.ToLower(s.log.String())
	assert.NotEmpty(s.t, log)
	for _, secret := range []string{"canary", idA, idB} {
		assert.NotContains(s.t, log, secret)
	}
}

// Nothing but the page, its health and its metrics is for strangers, and nothing changes without the CSRF token.
func TestStrangers(t *testing.T) {
	s := start(t)
	a, stranger := s.signIn("canary-user-a"), &user{site: s}
	without := &user{site: s, cookie: a.cookie}
	forged := &user{site: s, cookie: &http.Cookie{Name: "clinic", Value: "../sessions"}, csrf: a.csrf}
	for _, route := range []string{
		"GET /session", "DELETE /session", "GET /sample", "GET /events", "PUT /recordings/" + idA,
		"PUT /recordings/" + idA + "/chunks/0", "POST /recordings/" + idA + "/close",
		"GET /recordings/" + idA + "/result", "POST /recordings/" + idA + "/resolve",
	} {
		method, path, _ := strings.Cut(route, " ")
		for _, u := range []*user{stranger, forged} {
			got := u.do(method, path, nil)
			assert.Equal(t, 401, got.status, route)
			assert.Equal(t, "sign-in", got.field("error"), route)
		}
		if method == "GET" {
			continue
		}
		got := without.do(method, path, nil)
		assert.Equal(t, 403, got.status, route)
		assert.Equal(t, "csrf", got.field("error"), route)
		for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			got = a.do(method, path, nil, header...)
			assert.Equal(t, 403, got.status, "%s %v", route, header)
			assert.Equal(t, "origin", got.field("error"), "%s %v", route, header)
		}
	}
	assert.Equal(t, 403, stranger.json("POST", "/session", map[string]string{}, "Sec-Fetch-Site", "cross-site").status, "nobody is signed in by another site")
	assert.Equal(t, 200, stranger.do("GET", "/", nil).status)
	assert.Equal(t, 200, stranger.do("GET", "/assets/app.js", nil).status)
	assert.Equal(t, 404, stranger.do("GET", "/assets/embed.go", nil).status)
	assert.Equal(t, 200, a.do("GET", "/session", nil).status)
	assert.Equal(t, 200, a.create(idA).status, "the same user, with the token")
	s.keepsSecrets()
}

func TestSignIn(t *testing.T) {
	s := start(t)
	stranger := &user{site: s}
	for name, c := range map[string]struct {
		body   any
		status int
	}{
		"a wrong password":     {map[string]string{"user": "canary-user-a", "password": "canary-wrong"}, 403},
		"an unknown user":      {map[string]string{"user": "canary-nobody", "password": password}, 403},
		"an unknown user, ''":  {map[string]string{"user": "canary-nobody"}, 403},
		"a field too many":     {map[string]string{"user": "canary-user-a", "password": password, "admin": "1"}, 400},
		"a body that is large": {map[string]string{"user": strings.Repeat("a", 1<<20)}, 413},
		"no object":            {[]string{}, 400},
	} {
		assert.Equal(t, c.status, stranger.json("POST", "/session", c.body).status, name)
	}
	assert.Equal(t, 400, stranger.do("POST", "/session", strings.NewReader("user=a"), "Content-Type", "application/x-www-form-urlencoded").status)

	a := s.signIn("canary-user-a")
	assert.True(t, a.cookie.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, a.cookie.SameSite)
	shown := a.do("GET", "/session", nil)
	assert.JSONEq(t, `{"user": "canary-user-a", "csrf": "`+a.csrf+`", "sample": false, "maxChunk": 1048576, "maxChunks": 4096}`, shown.body)
	assert.NotContains(t, shown.body, a.cookie.Value)
	assert.Equal(t, 204, a.do("DELETE", "/session", nil).status)
	assert.Equal(t, 401, a.do("GET", "/session", nil).status, "the cookie is worth nothing")
	s.keepsSecrets()
}

// Whoever tries passwords is slowed down, and does not lock out anybody else.
func TestSignInRate(t *testing.T) {
	s := start(t)
	stranger := &user{site: s}
	try := func(name string) int {
		return stranger.json("POST", "/session", map[string]string{"user": name, "password": "canary-wrong"}).status
	}
	var last int
	for range 10 {
		last = try("canary-user-a")
		try("canary-nobody")
	}
	assert.Equal(t, 429, last)
	assert.Equal(t, 429, try("canary-somebody"))
	assert.Equal(t, 403, try("canary-user-b"))
}

func TestRate(t *testing.T) {
	s := start(t, func(c *server.Config) { c.Rate = 0.001 })
	a, b := s.signIn("canary-user-a"), s.signIn("canary-user-b")
	assert.Equal(t, 200, a.create(idA).status)
	refused := a.create(idA)
	assert.Equal(t, 429, refused.status)
	assert.Equal(t, "1", refused.header.Get("Retry-After"))
	assert.Equal(t, 200, b.create(idB).status)
}

func TestSessions(t *testing.T) {
	dir := t.TempDir()
	s := start(t, func(c *server.Config) { c.Sessions = dir })
	a := s.signIn("canary-user-a")
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	assert.NotContains(t, files[0], a.cookie.Value, "the directory gives no session away")

	restarted := start(t, func(c *server.Config) { c.Sessions = dir })
	assert.Equal(t, 200, (&user{site: restarted, cookie: a.cookie}).do("GET", "/session", nil).status, "a session outlives the process")

	short := start(t, func(c *server.Config) { c.Sessions, c.Lifetime = dir, time.Nanosecond })
	expired := short.signIn("canary-user-a")
	assert.Equal(t, 401, expired.do("GET", "/session", nil).status)
	short.signIn("canary-user-a")
	files, err = filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Len(t, files, 1, "old sessions are removed")
}

func TestHeaders(t *testing.T) {
	s := start(t, func(c *server.Config) { c.Secure = true })
	stranger := &user{site: s}
	for _, path := range []string{"/", "/assets/app.js", "/session", "/healthz", "/nothing"} {
		h := stranger.do("GET", path, nil).header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
			assert.Contains(t, policy, part, path)
		}
		assert.NotContains(t, policy, "unsafe", path)
		assert.NotContains(t, policy, "http", path)
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "no-referrer", h.Get("Referrer-Policy"), path)
		assert.Equal(t, "max-age=63072000", h.Get("Strict-Transport-Security"), path)
		assert.Contains(t, h.Get("Permissions-Policy"), "microphone=(self)", path)
	}
	assert.Equal(t, "no-store", stranger.do("GET", "/session", nil).header.Get("Cache-Control"))
	page := stranger.do("GET", "/", nil)
	assert.Equal(t, "no-cache", page.header.Get("Cache-Control"))
	assert.Equal(t, 304, stranger.do("GET", "/", nil, "If-None-Match", page.header.Get("ETag")).status)
	a := s.signIn("canary-user-a")
	assert.Equal(t, "__Host-clinic", a.cookie.Name)
	assert.True(t, a.cookie.Secure)
}

// The stream says what changes, to whom it belongs, and ends with the session and with the server.
func TestEvents(t *testing.T) {
	s := start(t)
	a, b := s.signIn("canary-user-a"), s.signIn("canary-user-b")
	mine, other := a.stream(), b.stream()
	assert.JSONEq(t, `[]`, mine.next())
	assert.JSONEq(t, `[]`, other.next())
	a.create(idA)
	assert.JSONEq(t, `[{"id": "`+idA+`", "code": "CANARY-77", "started": "2026-01-02T03:04:05Z", "state": "recording"}]`, mine.next())
	a.put(idA, "0", "zero")
	assert.Contains(t, mine.next(), `"chunks":1`)
	a.close(idA, "zero")
	assert.Contains(t, mine.next(), `"state":"todo"`)

	assert.Equal(t, 204, a.do("DELETE", "/session", nil).status)
	assert.Empty(t, mine.next(), "the session has ended")
	s.srv.Stop()
	assert.Empty(t, other.next(), "the server is going down; nothing was for this user")
	assert.Equal(t, 503, a.do("GET", "/healthz", nil).status)
}

type stream struct {
	t     *testing.T
	lines *bufio.Scanner
}

func (u *user) stream() *stream {
	u.t.Helper()
	resp, err := u.web.Client().Do(u.request("GET", "/events", nil))
	require.NoError(u.t, err)
	u.t.Cleanup(func() { resp.Body.Close() })
	require.Equal(u.t, "text/event-stream", resp.Header.Get("Content-Type"))
	return &stream{u.t, bufio.NewScanner(resp.Body)}
}

// next is the data of the next event, or empty at the end of the stream.
func (s *stream) next() string {
	for s.lines.Scan() {
		if data, found := strings.CutPrefix(s.lines.Text(), "data: "); found {
			return data
		}
	}
	return ""
}

// until reads events until one has the text.
func (s *stream) until(text string) {
	s.t.Helper()
	for {
		event := s.next()
		if strings.Contains(event, text) {
			return
		}
		require.NotEmpty(s.t, event, "the stream has ended before %s", text)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t)
	a := s.signIn("canary-user-a")
	a.create(idA)
	a.put(idA, "0", "zero")
	a.put(idA, "0", "zero")
	a.close(idA, "zero")
	text := a.do("GET", "/metrics", nil).body
	assert.Contains(t, text, "clinic_chunks_stored_total 1\n")
	assert.Contains(t, text, "clinic_recordings_closed_total 1\n")
	assert.Contains(t, text, `clinic_http_request_duration_seconds_count{route="PUT /recordings/{id}/chunks/{n}",status="201"} 1`)
	assert.NotContains(t, strings.ToLower(text), "canary")
	assert.NotContains(t, text, idA)
}

func TestConfig(t *testing.T) {
	_, err := server.New(server.Config{})
	assert.ErrorContains(t, err, "Users")
}

// A closed recording comes to the service as it is, and its note to the page of the doctor who recorded it.
func TestNote(t *testing.T) {
	s := start(t)
	a, b := s.signIn("canary-user-a"), s.signIn("canary-user-b")
	events := a.stream()
	a.create(idA)
	a.put(idA, "0", "\x1aE\xdf\xa3 canary ")
	a.put(idA, "1", "audio")
	assert.Equal(t, 204, a.close(idA, "\x1aE\xdf\xa3 canary ", "audio").status)
	assert.Equal(t, 404, a.do("GET", "/recordings/"+idA+"/result", nil).status, "not yet")
	s.work()
	events.until(`"state":"done"`)
	var result notes.Result
	got := a.do("GET", "/recordings/"+idA+"/result", nil)
	require.Equal(t, 200, got.status)
	require.NoError(t, json.Unmarshal([]byte(got.body), &result))
	assert.Equal(t, "Canary transcript.", result.Transcript)
	assert.Contains(t, string(result.Note["note"]), "Viral")
	assert.False(t, result.PossibleDuplicate)
	assert.Equal(t, 404, b.do("GET", "/recordings/"+idA+"/result", nil).status, "another doctor")

	sent := s.api.RequestsTo("POST /transcribe")
	require.Len(t, sent, 1)
	sum := sha256.Sum256([]byte("\x1aE\xdf\xa3 canary audio"))
	assert.Equal(t, hex.EncodeToString(sum[:]), sent[0].Files[0].SHA256)
	assert.Equal(t, "audio/webm", sent[0].Files[0].ContentType)
	assert.Equal(t, "2026-01-02T03:04:05Z", sent[0].Value("date_of_service"))
	s.keepsSecrets()
}

// A visit that the service may have waits for a person, and each decision does what it says.
func TestResolve(t *testing.T) {
	for name, c := range map[string]struct {
		decision map[string]any
		state    string
		submits  int
	}{
		"adopt":    {map[string]any{"adopt": "101"}, `"state":"done"`, 1},
		"resubmit": {map[string]any{"resubmit": true}, `"state":"done"`, 2},
		"drop":     {map[string]any{"drop": true}, `"reason":"dropped"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.api.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
			a, b := s.signIn("canary-user-a"), s.signIn("canary-user-b")
			events := a.stream()
			a.create(idA)
			a.put(idA, "0", "audio")
			a.close(idA, "audio")
			path := "/recordings/" + idA + "/resolve"
			assert.Equal(t, 409, a.json("POST", path, c.decision).status, "nothing to decide yet")
			s.work()
			events.until(`"state":"unknown"`)
			assert.Equal(t, 404, b.json("POST", path, c.decision).status, "another doctor")
			assert.Equal(t, 400, a.json("POST", path, map[string]any{"adopt": 101}).status)
			assert.Equal(t, 204, a.json("POST", path, c.decision).status)
			events.until(c.state)
			s.api.AssertCount(t, "POST /transcribe", c.submits)
			s.keepsSecrets()
		})
	}
}

// A lockedBuffer is a log that handlers and a test share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
