//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Without any setting the program works at once: with a fake API, a synthetic visit in place of a microphone, and data
// that go with it.
func TestDemo(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	log := new(lockedBuffer)
	cmd := startProgram(t, log, []string{"AMBIENT_USERNAME=", "CLINIC_USERS=", "DATABASE_URL=", "TMPDIR=" + temp}, "-addr", "127.0.0.1:0")
	defer cmd.Process.Kill()
	said := func(pattern string) string {
		var match []string
		eventually(t, pattern, func() bool {
			match = regexp.MustCompile(pattern).FindStringSubmatch(log.String())
			return match != nil
		})
		return match[1]
	}
	url := said(`Open (\S+)`)
	p := startBrowser(t, t.TempDir(), microphone(t)).open(url)
	p.signInAs("doctor", said(`password (\S+)`))
	code := p.code()
	p.do(chromedp.SetValue(chromedp.CSS("#microphone"), "synthetic"))
	p.record(1)
	p.click("#stop")
	p.finished(code)
	p.click("#list button")
	p.sees("Mild sprain of the right ankle.")

	resp, err := http.Get(url + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Regexp(t, `http_client_request_duration_seconds_count\{[^}]*url_template="/transcribe/\{id\}"[^}]*\} [1-9]`, string(metrics))
	assert.NotContains(t, string(metrics), code)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "%s", log)
	left, err := filepath.Glob(filepath.Join(temp, "clinic-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NotContains(t, log.String(), code)
}

// A shutdown lets a chunk that is on its way arrive, and ends the streams.
func TestShutdown(t *testing.T) {
	t.Parallel()
	c := startClinic(t, t.TempDir())
	d := signInDoctor(t, "http://"+c.addr)
	const id = "aaaaaaaa-1111-4111-8111-111111111111"
	d.json("PUT", "/recordings/"+id, map[string]any{"code": "SYN-11", "type": "audio/webm", "started": "2026-01-02T03:04:05Z"})
	stream := d.request("GET", "/events", nil)
	defer stream.Body.Close()

	read, write := io.Pipe()
	r, err := http.NewRequest("PUT", d.url+"/recordings/"+id+"/chunks/0", read)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("synthetic"))
	r.Header.Set("X-CSRF-Token", d.csrf)
	r.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	status := make(chan int, 1)
	go func() {
		resp, err := d.client.Do(r)
		if assert.NoError(t, err) {
			resp.Body.Close()
			status <- resp.StatusCode
		}
		close(status)
	}()
	_, err = io.WriteString(write, "syn")
	require.NoError(t, err)
	eventually(t, "a chunk on its way", func() bool {
		temps, err := os.ReadDir(filepath.Join(c.data, "store", "tmp"))
		return err == nil && len(temps) == 1
	})
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGTERM))
	ended, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	context.AfterFunc(ended, func() { stream.Body.Close() })
	_, err = io.Copy(io.Discard, stream.Body)
	require.NoError(t, err, "the stream ends by itself")
	_, err = io.WriteString(write, "thetic")
	require.NoError(t, err)
	require.NoError(t, write.Close())
	assert.Equal(t, http.StatusCreated, <-status)
	require.NoError(t, c.cmd.Wait())
}

// Settings that cannot work are refused at the start, without what they hold.
func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		env  string
		args []string
		says string
	}{
		"users without a password": {"CLINIC_USERS=canary", nil, "CLINIC_USERS is not user:password,user:password"},
		"templates":                {"AMBIENT_USERNAME=canary", []string{"-templates", "7,x"}, "-templates is not a list of ids"},
		"a database":               {"DATABASE_URL=canary://", nil, "pipeline"},
	} {
		t.Run(name, func(t *testing.T) {
			log := new(lockedBuffer)
			env := []string{"AMBIENT_PASSWORD=canary", "AMBIENT_BASE_URL=http://127.0.0.1:1/", c.env}
			cmd := startProgram(t, log, env, append(c.args, "-data", t.TempDir(), "-addr", "127.0.0.1:0")...)
			timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			defer timer.Stop()
			assert.Error(t, cmd.Wait())
			assert.Contains(t, log.String(), c.says)
			assert.NotContains(t, strings.ReplaceAll(log.String(), c.says, ""), "canary")
		})
	}
}
