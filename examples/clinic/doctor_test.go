//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"

	"github.com/stretchr/testify/require"
)

// A doctor calls the server without a page.
type doctor struct {
	t      *testing.T
	url    string
	client *http.Client
	csrf   string
}

func signInDoctor(t *testing.T, url string) *doctor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	d := &doctor{t: t, url: url, client: &http.Client{Jar: jar}}
	var session struct{ CSRF string }
	require.NoError(t, json.Unmarshal(d.json("POST", "/session", map[string]string{"user": testUser, "password": testPassword}), &session))
	d.csrf = session.CSRF
	return d
}

func (d *doctor) request(method, path string, body []byte, headers ...string) *http.Response {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader(body))
	require.NoError(d.t, err)
	r.Header.Set("X-CSRF-Token", d.csrf)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := d.client.Do(r)
	require.NoError(d.t, err)
	return resp
}

func (d *doctor) status(method, path string) int {
	d.t.Helper()
	resp := d.request(method, path, nil)
	resp.Body.Close()
	return resp.StatusCode
}

func (d *doctor) do(method, path string, body []byte, headers ...string) []byte {
	d.t.Helper()
	resp := d.request(method, path, body, headers...)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	require.Less(d.t, resp.StatusCode, 300, "%s %s: %s", method, path, answer)
	return answer
}

func (d *doctor) json(method, path string, v any) []byte {
	d.t.Helper()
	body, err := json.Marshal(v)
	require.NoError(d.t, err)
	return d.do(method, path, body, "Content-Type", "application/json")
}
