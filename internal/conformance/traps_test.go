package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// Each test is a trap of go-retryablehttp v0.7.8 or of net/http that a naive use falls
// into.

// TestBodiesAreTheSameOnEveryAttempt, and as long as their Content-Length.
func TestBodiesAreTheSameOnEveryAttempt(t *testing.T) {
	t.Parallel()
	content := harness.Pattern(300 << 10)
	for name, audio := range map[string]ambient.Audio{
		"bytes":     ambient.AudioBytes("visit.mp3", content),
		"reader at": ambient.AudioReaderAt("visit.mp3", harness.BrokenAt{Content: content, From: int64(len(content)), Err: io.EOF}, int64(len(content))),
		"file":      ambient.AudioFile(harness.TempFile(t, content)),
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, ambienttest.Answer(503), ambienttest.Answer(408), ambienttest.Answer(429), ambienttest.Answer(401), ambienttest.Answer(500))
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), audio)
				require.NoError(t, err)
				arrived := srv.RequestsTo(harness.SubmitRoute)
				require.Len(t, arrived, 6)
				for _, r := range arrived {
					assert.True(t, r.Complete)
					assert.Equal(t, arrived[0].BodySHA256, r.BodySHA256)
					assert.Equal(t, strconv.FormatInt(r.BodySize, 10), r.Header.Get("Content-Length"))
					assert.Empty(t, r.Header.Get("Transfer-Encoding"))
					require.Len(t, r.Files, 1)
					assert.Equal(t, harness.Digest(content), r.Files[0].SHA256)
					assert.Equal(t, int64(len(content)), r.Files[0].Size)
				}
			})
		})
	}
}

// hangingFS opens the same content each time. The first file hangs on the way until it
// is released, as a network disk does.
type hangingFS struct {
	content  []byte
	hanging  chan struct{} // closed when it hangs
	release  chan struct{}
	released chan struct{} // closed when that Read is over

	mu     sync.Mutex
	opened int
}

func (h *hangingFS) Open(string) (fs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened++
	return &hangingFile{Reader: bytes.NewReader(h.content), fs: h, hangs: h.opened == 1}, nil
}

type hangingFile struct {
	*bytes.Reader
	fs    *hangingFS
	hangs bool
}

func (f *hangingFile) Stat() (fs.FileInfo, error) {
	return harness.FileInfo{Bytes: int64(len(f.fs.content))}, nil
}
func (f *hangingFile) Close() error { return nil }
func (f *hangingFile) Read(p []byte) (int, error) {
	if f.hangs && f.Len() < len(f.fs.content)/2 {
		f.hangs = false
		close(f.fs.hanging)
		<-f.fs.release
		defer close(f.fs.released)
	}
	return f.Reader.Read(p)
}

// TestTheWriterBeforeMayStillBeReading, so no attempt shares an offset with the
// one before, and what that one reads late is neither sent nor counted.
func TestTheWriterBeforeMayStillBeReading(t *testing.T) {
	leavesNothing(t)
	source := &hangingFS{content: harness.Pattern(900 << 10), hanging: make(chan struct{}), release: make(chan struct{}), released: make(chan struct{})}
	var requests atomic.Int32
	var got []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 { // answers while the source hangs
			_ = http.NewResponseController(w).EnableFullDuplex() // else the server reads the rest first
			_, _ = io.CopyN(io.Discard, r.Body, int64(len(source.content)/4))
			<-source.hanging
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		got, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"transcription_id": 7}`)
	}))
	defer srv.Close()
	client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithToken("synthetic"), quick)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	var progress []int64 // not guarded: nothing is called after the call
	sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioFS(source, "visit.mp3"), ambient.WithProgress(func(sent, _ int64) {
		progress = append(progress, sent)
	}))
	require.NoError(t, err)
	assert.False(t, sub.PossibleDuplicate())
	require.Len(t, sub.Call.Attempts, 2)
	reported := len(progress)
	close(source.release)
	<-source.released

	assert.Contains(t, string(got), string(source.content))
	assert.Equal(t, int64(len(got)), sub.Call.Attempts[1].BytesSent)
	assert.Less(t, sub.Call.Attempts[0].BytesSent, int64(len(got)))
	assert.Len(t, progress, reported, "nothing is told after the call")
	assert.Equal(t, int64(len(got)), progress[reported-1])
}

// TestSilence checks that nothing is written, since go-retryablehttp logs to stderr by
// default. It uses another process.
func TestSilence(t *testing.T) {
	t.Parallel()
	if os.Getenv("AMBIENT_TEST_SILENCE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSilence$", "-test.count=1")
		cmd.Env = append(os.Environ(), "AMBIENT_TEST_SILENCE=1", "GORACE=atexit_sleep_ms=0")
		var stderr, stdout writes
		cmd.Stderr, cmd.Stdout = &stderr, &stdout
		require.NoError(t, cmd.Run(), stdout.String())
		assert.Empty(t, stderr.String())
		return
	}
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 4, ambienttest.Answer(503))
		srv.FaultRange(harness.SubmitRoute, 1, 4, ambienttest.Fault{Reset: ambienttest.ResetMidBody})
		client := harness.NewClient(t, srv)
		require.Error(t, harness.Get(t.Context(), client))
		_, err := harness.SubmitOf(t.Context(), client, harness.AudioOf(""))
		require.Error(t, err)
	})
}

type writes struct{ b []byte }

func (w *writes) Write(p []byte) (int, error) { w.b = append(w.b, p...); return len(p), nil }
func (w *writes) String() string              { return string(w.b) }

// TestACancelledBackoffClosesNoConnection checks that idle connections stay open.
// go-retryablehttp closes those of its client, which may belong to the whole program.
func TestACancelledBackoffClosesNoConnection(t *testing.T) {
	t.Parallel()
	const calls = 100
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		for i := range calls {
			srv.Fault(harness.GetRoute, 2*i+1, harness.SomeJob)
			srv.Fault(harness.GetRoute, 2*i+2, ambienttest.RetryAfter(503, "60"))
			require.NoError(t, harness.Get(t.Context(), client))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			require.ErrorIs(t, harness.Get(ctx, client), context.Canceled)
		}
		for _, r := range srv.Requests() {
			require.Equal(t, 1, r.Conn, "%v", r)
		}
		assert.Len(t, srv.RequestsTo(harness.GetRoute), 2*calls)
	})
}

// TestExhaustionClosesNoConnection is the same for its other call of
// CloseIdleConnections.
func TestExhaustionClosesNoConnection(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 40, ambienttest.Answer(503))
		client := harness.NewClient(t, srv)
		for range 10 {
			require.Error(t, harness.Get(t.Context(), client))
		}
		for _, r := range srv.Requests() {
			require.Equal(t, 1, r.Conn, "%v", r)
		}
	})
}

// TestErrorBodiesAreBounded checks that an error keeps 256 KiB of an endless body and
// that the call ends at once.
func TestErrorBodiesAreBounded(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		endless := ambienttest.ProxyHTML(500)
		endless.BodySize = ambienttest.Endless
		srv.FaultRange(harness.GetRoute, 1, 4, endless)
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := harness.Get(t.Context(), client)
		runtime.ReadMemStats(&after)
		failed, ok := errors.AsType[*ambient.InternalServerError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, failed.Body(), 256<<10)
		assert.Len(t, failed.Attempts, 4)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12<<20), "4 attempts, 256 KiB each, and the fake's part")
		for _, a := range failed.Attempts {
			assert.Less(t, a.Duration, time.Second)
		}
	})
}

// meddler is a transport that changes the header it is given, as tracing
// transports do though they should not.
type meddler struct {
	next http.RoundTripper
	seen []http.Header
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	m.seen = append(m.seen, r.Header.Clone())
	r.Header.Add("X-Site", "meddled")
	r.Header.Set("Accept", "meddled")
	r.Header.Set("X-Trace", strconv.Itoa(len(m.seen)))
	return m.next.RoundTrip(r)
}

// TestHeadersAreMadeForEachAttempt, and the caller's http.Client stays as it was.
func TestHeadersAreMadeForEachAttempt(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 3, ambienttest.Answer(503))
		srv.Fault(harness.GetRoute, 4, harness.SomeJob)
		m := &meddler{next: srv.Client().Transport}
		follow := func(*http.Request, []*http.Request) error { return nil }
		own := &http.Client{Transport: m, Timeout: time.Hour, CheckRedirect: follow}
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(own), ambient.WithHeader("X-Site", "clinic"))
		require.NoError(t, harness.Get(t.Context(), client))

		require.Len(t, m.seen, 5)
		for _, h := range m.seen[1:] {
			assert.Equal(t, m.seen[1], h)
		}
		for _, h := range m.seen {
			assert.Equal(t, []string{"clinic"}, h.Values("X-Site"))
			assert.Equal(t, []string{"application/json"}, h.Values("Accept"))
			assert.Empty(t, h.Values("X-Trace"))
		}
		assert.Same(t, m, own.Transport)
		assert.Equal(t, time.Hour, own.Timeout)
		assert.NotNil(t, own.CheckRedirect)
		assert.Nil(t, own.Jar)
	})
}

// TestRedirectsAreNotFollowed checks redirects to another host, which would get the
// audio or the password, to this host, and to a Location that net/http would quote in
// an error.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := ambienttest.Start(t)
	for name, location := range map[string]string{
		"another host": elsewhere.URL + "/auth/token", "this host": ambienttest.BasePath + "/auth/token", "unparsable": "http://[::1/%zz", "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				srv.Fault("POST /auth/token", 1, ambienttest.Redirect(location))
				check := func(err error) {
					t.Helper()
					api, ok := errors.AsType[*ambient.APIError](err)
					require.True(t, ok, "%v", err)
					assert.Equal(t, http.StatusTemporaryRedirect, api.StatusCode)
					assert.Equal(t, location, api.Header.Get("Location"))
					if location != "" {
						assert.NotContains(t, err.Error(), location)
					}
				}
				check(client.Authenticate(t.Context()))
				srv.AssertCount(t, "*", 1)
				require.NoError(t, client.Authenticate(t.Context()))

				srv.Fault(harness.SubmitRoute, 1, ambienttest.Redirect(location))
				srv.Fault(harness.GetRoute, 1, ambienttest.Redirect(location))
				_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
				check(err)
				check(harness.Get(t.Context(), client))
				srv.AssertRoutes(t, "POST /auth/token", "POST /auth/token", harness.SubmitRoute, harness.GetRoute)
			})
		})
	}
	elsewhere.AssertCount(t, "*", 0)
}
