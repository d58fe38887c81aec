package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Names of fields begin in lower case, unlike those of people.
func isFieldName(s string) bool {
	return regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,40}(\.[a-z][A-Za-z0-9_]{0,40})?$`).MatchString(s)
}

// Names of states are in capitals.
func isStateName(s string) bool {
	return regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`).MatchString(s) && len(s) <= 40
}

func isHeaderName(s string) bool {
	return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,60}$`).MatchString(s)
}

// A recordingTransport remembers the names of what answers carry, and no value.
type recordingTransport struct {
	next http.RoundTripper

	mu      sync.Mutex
	headers map[string]bool
	token   map[string]bool
}

func newRecordingTransport(next http.RoundTripper) *recordingTransport {
	return &recordingTransport{next: next, headers: map[string]bool{}, token: map[string]bool{}}
}

func (t *recordingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range response.Header {
		t.headers[name] = true
	}
	if strings.HasSuffix(r.URL.Path, "/auth/token") {
		return response, t.readToken(response)
	}
	return response, nil
}

// readToken notes the fields of a token's answer, which is passed on whole.
func (t *recordingTransport) readToken(r *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return err
	}
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b), rest), rest}
	var fields map[string]json.RawMessage
	if json.Unmarshal(b, &fields) == nil && r.StatusCode == http.StatusOK {
		for name := range fields {
			t.token[name] = true
		}
	}
	return nil
}

// headerNames are those that an answer need not have, sorted.
func (t *recordingTransport) headerNames() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	usual := []string{"Content-Length", "Content-Type", "Date", "Connection", "Transfer-Encoding"}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.headers)), func(s string) bool { return slices.Contains(usual, s) })
}

func (t *recordingTransport) tokenFields() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.token)), func(s string) bool { return s == "access_token" || s == "token_type" })
}
