package ambienttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// caller is a bare client of a fake server: what a test needs of net/http and no more.
type caller struct {
	t     *testing.T
	srv   *Server
	token string
}

func newCaller(t *testing.T, srv *Server) *caller {
	t.Helper()
	c := &caller{t: t, srv: srv}
	c.login()
	return c
}

// reply is an answer read to its end; err is what became of it otherwise.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("status %d, body %q, error %v: %v", r.status, r.body, r.err, err)
	}
	return v
}

func (c *caller) send(method, path, contentType string, body io.Reader, header ...string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.srv.URL+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return c.do(req)
}

func (c *caller) do(req *http.Request) reply {
	res, err := c.srv.Client().Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(b), err}
}

func (c *caller) get(path string) reply {
	c.t.Helper()
	return c.send("GET", path, "", nil)
}

// form posts a multipart form of name, value pairs; a value that begins with "@" is the name of a small file.
func (c *caller) form(path string, pairs ...string) reply {
	c.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		if file, ok := strings.CutPrefix(pairs[i+1], "@"); ok {
			part, _ := w.CreateFormFile(pairs[i], file)
			_, _ = part.Write([]byte("synthetic audio"))
		} else {
			_ = w.WriteField(pairs[i], pairs[i+1])
		}
	}
	_ = w.Close()
	return c.send("POST", path, w.FormDataContentType(), &b)
}

func (c *caller) transcribe() reply {
	c.t.Helper()
	return c.form("/transcribe", "audio_file", "@visit.mp3")
}

func (c *caller) login() reply {
	c.t.Helper()
	c.token = ""
	values := url.Values{"username": {c.srv.Username}, "password": {c.srv.Password}}
	r := c.send("POST", "/auth/token", urlencoded, strings.NewReader(values.Encode()))
	if r.status == http.StatusOK {
		c.token, _ = r.json(c.t)["access_token"].(string)
	}
	return r
}

// job submits and returns the path of the new job's GET.
func (c *caller) job() string {
	c.t.Helper()
	return fmt.Sprintf("/transcribe/%v", c.transcribe().json(c.t)["transcription_id"])
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// fakeTB collects what a test would have been told.
type fakeTB struct {
	errors   []string
	cleanups []func()
}

func (f *fakeTB) Helper() {}
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) end() {
	for _, fn := range f.cleanups {
		fn()
	}
}
