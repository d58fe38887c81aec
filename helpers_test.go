package ambient_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// What the tests of several files share: routes, clients, recordings, calls, and
// a service that is a clock.

const (
	tokenRoute  = "POST /auth/token"
	submitRoute = "POST /transcribe"
	getRoute    = "GET /transcribe/{id}"
)

// newClient returns a client of srv.
func newClient(t testing.TB, srv *ambienttest.Server, opts ...ambient.Option) *ambient.Client {
	t.Helper()
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(srv.URL), ambient.WithHTTPClient(srv.Client()), ambient.WithCredentials(srv.Username, srv.Password),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

func policy(p ambient.RetryPolicy) ambient.Option { return ambient.WithRetryPolicy(p) }

// inBubble runs a test against an in-memory server in virtual time.
func inBubble(t *testing.T, test func(t *testing.T, srv *ambienttest.Server), opts ...ambienttest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, ambienttest.StartInMemory(t, opts...)) })
}

// visit is a recording that only looks like one.
func visit() ambient.Audio {
	return ambient.AudioBytes("visit.mp3", append([]byte("ID3\x04"), make([]byte, 4096)...))
}

// shortVisit is a recording that no buffer on the way holds whole.
var shortVisit = sync.OnceValue(func() []byte { return pattern(256 << 10) })

// announcedVisit is a recording that is announced with Expect: 100-continue.
var announcedVisit = sync.OnceValue(func() []byte { return pattern(1<<20 + 1) })

// longVisit is a recording that no socket buffer swallows.
var longVisit = sync.OnceValue(func() []byte { return pattern(20 << 20) })

// audioOf is such a recording, from a good source or one that breaks half way.
func audioOf(source string) ambient.Audio {
	b := shortVisit()
	size := int64(len(b))
	switch source {
	case "reader":
		return ambient.AudioReader("visit.mp3", io.LimitReader(readerAt(b), size))
	case "failing":
		return ambient.AudioReaderAt("visit.mp3", brokenAt{b, size / 2, syscall.EIO}, size)
	case "short":
		return ambient.AudioReaderAt("visit.mp3", brokenAt{b, size / 2, io.EOF}, size)
	case "changed":
		return ambient.AudioFS(&growingFS{content: b}, "visit.mp3")
	}
	return ambient.AudioBytes("visit.mp3", b)
}

func tempFile(t testing.TB, content []byte) string {
	t.Helper()
	path := t.TempDir() + "/visit.mp3"
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// pattern is n bytes that begin like an MP3 and in which no two blocks are
// alike, so that a lost or repeated stretch shows in a digest.
func pattern(n int) []byte {
	const block = 4096
	b := make([]byte, n)
	state := uint32(1)
	for i := range min(n, block) {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	for at := block; at < n; at += block {
		copy(b[at:], b[:block])
		copy(b[at:], strconv.Itoa(at))
	}
	copy(b, "ID3\x04")
	return b
}

func readerAt(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b)) } // hides Len

// brokenAt fails from an offset on.
type brokenAt struct {
	content []byte
	from    int64
	err     error
}

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.from {
		return 0, b.err
	}
	return copy(p, b.content[off:b.from]), nil
}

// growingFS is a recorder that has not stopped: its file has another time of
// modification each time one asks.
type growingFS struct {
	content []byte
}

func (g *growingFS) Open(string) (fs.File, error) {
	return &growingFile{Reader: bytes.NewReader(g.content), fs: g}, nil
}

type growingFile struct {
	*bytes.Reader
	fs   *growingFS
	seen int
}

func (f *growingFile) Close() error { return nil }

// Stat tells the truth at an open, and something newer at the end.
func (f *growingFile) Stat() (fs.FileInfo, error) {
	f.seen++
	return fileInfo{size: int64(len(f.fs.content)), modified: time.Unix(int64(f.seen), 0)}, nil
}

type fileInfo struct {
	size     int64
	modified time.Time
}

func (i fileInfo) Name() string       { return "visit.mp3" }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return 0o400 }
func (i fileInfo) ModTime() time.Time { return i.modified }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

func submitOf(ctx context.Context, client *ambient.Client, audio ambient.Audio, opts ...ambient.CallOption) (*ambient.TranscriptionSubmission, error) {
	return client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: audio}, opts...)
}

// submitted makes a job to read.
func submitted(t testing.TB, client *ambient.Client) int64 {
	t.Helper()
	sub, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: visit()})
	require.NoError(t, err)
	return sub.ID
}

// submitLife submits a transcription with this life.
func submitLife(t testing.TB, srv *ambienttest.Server, client *ambient.Client, life ...ambienttest.Step) int64 {
	t.Helper()
	srv.ScriptTranscription(life...)
	sub, err := submitOf(t.Context(), client, visit())
	require.NoError(t, err)
	return sub.ID
}

// plan makes the requests of a submit meet one fault after the other.
func plan(srv *ambienttest.Server, faults ...ambienttest.Fault) {
	for i, f := range faults {
		srv.Fault(submitRoute, i+1, f)
	}
}

// limited is a 429 with these headers, given as "Name", "value" pairs.
func limited(headers ...string) ambienttest.Fault {
	f := ambienttest.Answer(429)
	for i := 0; i < len(headers); i += 2 {
		f.Header.Set(headers[i], headers[i+1])
	}
	return f
}

// someJob answers a GET of someID, so that a test of reads needs no job.
const someID = 7

var someJob = ambienttest.Fault{Status: 200, Body: `{"id": 7, "task_status": "STT_COMPLETED", "raw_text": "hello"}`}

func get(ctx context.Context, client *ambient.Client, opts ...ambient.CallOption) error {
	_, err := client.Transcriptions.Get(ctx, someID, opts...)
	return err
}

// callers makes n calls at once and returns their errors.
func callers(n int, call func() error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call() })
	}
	wg.Wait()
	return errs
}

// A clockwork answers polls without a server: each job is at work until its end.
type clockwork struct {
	mu    sync.Mutex
	began time.Time
	ends  time.Duration
	polls map[string]int // by path
}

func (c *clockwork) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.polls[r.URL.Path]++
	c.mu.Unlock()
	status := "STT_PROCESSING"
	if time.Since(c.began) >= c.ends {
		status = "STT_COMPLETED"
	}
	body := fmt.Sprintf(`{"id": %s, "task_status": %q, "raw_text": null, "created_at": %q}`, path.Base(r.URL.Path), status, c.began.Format(time.RFC3339Nano))
	if r.Method == http.MethodPost {
		body = `{"transcription_id": 7}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func newClockwork(t testing.TB, ends time.Duration, opts ...ambient.Option) (*clockwork, *ambient.Client) {
	c := &clockwork{began: time.Now(), ends: ends, polls: map[string]int{}}
	client, err := ambient.NewClient(append(opts, ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: c}))...)
	require.NoError(t, err)
	return c, client
}

// secret stands for what must not be told: a path, a name, a
// password.
const secret = "Zzyzx-Quimby"

// tellsNothing checks that no way to print an error, or one it wraps, shows
// the secret.
func tellsNothing(t testing.TB, err error) {
	t.Helper()
	for e := range everyError(err) {
		marshalled, _ := json.Marshal(e)
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "err", e)
		for _, text := range []string{e.Error(), fmt.Sprintf("%v|%+v|%#v|%s|%q|%x|%d", e, e, e, e, e, e, e), string(marshalled), logged.String()} {
			assert.NotContains(t, text, secret)
			assert.NotContains(t, text, fmt.Sprintf("%x", secret))
		}
	}
}
