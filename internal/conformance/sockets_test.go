package conformance_test

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// longVisit is a recording that no socket buffer swallows.
var longVisit = sync.OnceValue(func() []byte { return harness.Pattern(20 << 20) })

// quick repeats at once, since real sockets need real time.
var quick = ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond})

// leavesNothing checks, when the test and its other cleanups are over, that no
// goroutine and no open file is left. Call it first.
func leavesNothing(t *testing.T) {
	t.Helper()
	files := func() (n int) {
		for _, target := range harness.OpenFiles() {
			if !strings.HasPrefix(target, "anon_inode:") { // the runtime has its own from the first use of the network on
				n++
			}
		}
		return n
	}
	goroutines, open := runtime.NumGoroutine(), files()
	t.Cleanup(func() {
		for range 200 { // the runtime needs a moment to close what is closed
			if runtime.NumGoroutine() <= goroutines && files() <= open {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines and %d files before, %d and %d after:\n%s", goroutines, open, runtime.NumGoroutine(), files(), stacks[:runtime.Stack(stacks, true)])
	})
}

// servers are the two kinds that listen on real sockets.
var servers = map[string]func(...ambienttest.Option) *ambienttest.Server{
	"plain HTTP/1.1": ambienttest.NewServer,
	"TLS HTTP/2":     ambienttest.NewTLSServer,
}

func start(t *testing.T, server func(...ambienttest.Option) *ambienttest.Server) *ambienttest.Server {
	t.Helper()
	srv := server()
	t.Cleanup(srv.Close)
	return srv
}

// TestResetsOnRealSockets checks an RST before, in and after the request, and an answer
// that breaks off. A request is repeated unless all of it was sent, and it then arrives
// whole.
func TestResetsOnRealSockets(t *testing.T) {
	leavesNothing(t)
	sizes := map[string]int{"plain HTTP/1.1": 20 << 20, "TLS HTTP/2": 6 << 20} // the latter's windows are small
	small := longVisit()[:2<<20]
	for name, server := range servers {
		for _, c := range []struct {
			name  string
			fault ambienttest.Fault
			taken bool
		}{
			{"before it", ambienttest.Fault{Reset: ambienttest.ResetBeforeRead}, false},
			{"in its middle", ambienttest.Fault{Reset: ambienttest.ResetMidBody}, false},
			{"after it", ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}, true},
			{"in the answer", ambienttest.Fault{Reset: ambienttest.ResetMidResponse}, true},
			{"half an answer", ambienttest.Fault{Truncate: true}, true},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				srv := start(t, server)
				harness.Plan(srv, c.fault)
				client := harness.NewClient(t, srv, quick)
				content := small
				if c.fault.Reset == ambienttest.ResetMidBody {
					content = longVisit()[:sizes[name]]
				}
				sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioFile(harness.TempFile(t, content)))
				if c.taken {
					_, ok := errors.AsType[*ambient.NetworkError](err)
					require.True(t, ok, "%v", err)
					assert.True(t, ambient.MaybeSubmitted(err))
					srv.AssertCount(t, harness.SubmitRoute, 1)
					return
				}
				require.NoError(t, err)
				arrived := srv.RequestsTo(harness.SubmitRoute)
				require.Len(t, arrived, 2)
				assert.False(t, arrived[0].Complete)
				assert.Equal(t, harness.Digest(content), arrived[1].Files[0].SHA256)
				assert.False(t, sub.PossibleDuplicate())
			})
		}
	}
}

// TestManyResetsInTheMiddle checks many retries of one file. A rewound *os.File once
// cut one upload in seventeen short, without an error. And a body that the transport
// closed under its writer once looked like broken audio.
func TestManyResetsInTheMiddle(t *testing.T) {
	leavesNothing(t)
	const uploads = 10
	content := longVisit()[:3<<20]
	path, want := harness.TempFile(t, content), harness.Digest(content)
	srv := start(t, ambienttest.NewServer)
	client := harness.NewClient(t, srv, quick)
	repeated := 0
	for range uploads {
		before := len(srv.RequestsTo(harness.SubmitRoute))
		srv.Fault(harness.SubmitRoute, before+1, ambienttest.Fault{Reset: ambienttest.ResetMidBody})
		_, err := harness.SubmitOf(t.Context(), client, ambient.AudioFile(path))
		arrived := srv.RequestsTo(harness.SubmitRoute)[before:]
		if err != nil { // the rest fitted into the sockets' buffers before the reset was seen
			network, ok := errors.AsType[*ambient.NetworkError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, ambient.FullySent, network.Sent)
			assert.True(t, ambient.MaybeSubmitted(err))
			assert.Len(t, arrived, 1)
			continue
		}
		repeated++
		require.Len(t, arrived, 2)
		assert.Equal(t, want, arrived[1].Files[0].SHA256)
		assert.True(t, arrived[1].Complete)
	}
	t.Logf("%d of %d uploads were repeated", repeated, uploads)
}

// TestASuccessRightAtTheEnd checks a server that answers as soon as it has the closing
// boundary of a chunked upload. Such an answer is not early, however late the last Read
// comes.
func TestASuccessRightAtTheEnd(t *testing.T) {
	leavesNothing(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		for err == nil {
			var part *multipart.Part
			if part, err = form.NextPart(); err == nil {
				_, err = io.Copy(io.Discard, part)
			}
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"transcription_id": 7}`))
	}))
	defer srv.Close()
	client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithToken("synthetic"))
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	for range 300 {
		_, err := harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", harness.ReaderAt(harness.ShortVisit()[:10_000])))
		require.NoError(t, err)
	}
}

// TestEarlyRefusalOnRealSockets checks that a refusal after "Expect: 100-continue"
// always arrives and that no byte of the audio is sent.
func TestEarlyRefusalOnRealSockets(t *testing.T) {
	leavesNothing(t)
	const calls = 30
	srv := start(t, ambienttest.NewServer)
	early := ambienttest.Answer(413)
	early.Early = true
	srv.FaultRange(harness.SubmitRoute, 1, calls, early)
	client := harness.NewClient(t, srv)
	audio := ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit())
	for range calls {
		_, err := harness.SubmitOf(t.Context(), client, audio)
		refused, ok := errors.AsType[*ambient.APIError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, 413, refused.StatusCode)
		assert.Zero(t, refused.Attempts[0].BytesSent)
	}
}

// TestReadsOnRealSockets checks that a read survives a lost connection.
func TestReadsOnRealSockets(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			srv := start(t, server)
			client := harness.NewClient(t, srv, quick)
			id := harness.Submitted(t, client)
			for i, f := range []ambienttest.Fault{{Reset: ambienttest.ResetAfterRead}, {Reset: ambienttest.ResetMidResponse}, {Truncate: true}} {
				srv.Fault(harness.GetRoute, 3*i+1, f)
			}
			for range 5 {
				_, err := client.Transcriptions.Get(t.Context(), id)
				require.NoError(t, err)
			}
		})
	}
}

// TestCancelledUploadOnRealSockets leaves nothing behind.
func TestCancelledUploadOnRealSockets(t *testing.T) {
	path := harness.TempFile(t, longVisit())
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			srv := start(t, server)
			client := harness.NewClient(t, srv)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := harness.SubmitOf(ctx, client, ambient.AudioFile(path), ambient.WithProgress(func(sent, total int64) {
				if sent > total/2 {
					cancel()
				}
			}))
			assert.ErrorIs(t, err, context.Canceled)
			network, ok := errors.AsType[*ambient.NetworkError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, ambient.PartlySent, network.Sent)
			assert.False(t, ambient.MaybeSubmitted(err))
		})
	}
}

// TestNobodyListens checks that a call repeats a refused connection and reports that
// nothing was sent.
func TestNobodyListens(t *testing.T) {
	leavesNothing(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	base := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	client, err := ambient.NewClient(ambient.WithBaseURL(base), ambient.WithToken("synthetic"), quick)
	require.NoError(t, err)
	_, err = harness.SubmitOf(t.Context(), client, harness.Visit())
	network, ok := errors.AsType[*ambient.NetworkError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, ambient.NotSent, network.Sent)
	assert.Len(t, network.Attempts, 4)
	assert.ErrorContains(t, err, "connection refused")
	assert.True(t, ambient.Retryable(err))
}

// TestUntrustedCertificate checks that there is one attempt and a clear error, since
// time changes nothing.
func TestUntrustedCertificate(t *testing.T) {
	leavesNothing(t)
	srv := start(t, ambienttest.NewTLSServer)
	stranger := &http.Transport{ForceAttemptHTTP2: true}
	defer stranger.CloseIdleConnections()
	client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: stranger}))
	for range 2 {
		err := client.Authenticate(t.Context())
		network, ok := errors.AsType[*ambient.NetworkError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, network.Attempts, 1)
		assert.Equal(t, ambient.NotSent, network.Sent)
		assert.ErrorContains(t, err, "certificate")
		assert.False(t, ambient.Retryable(err))
	}
	srv.AssertCount(t, "*", 0)
}

// TestGarbageFromTheServer checks that an answer which is no HTTP counts as no answer.
func TestGarbageFromTheServer(t *testing.T) {
	leavesNothing(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, 64))
			_, _ = conn.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n"))
			conn.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	client, err := ambient.NewClient(ambient.WithBaseURL("http://"+l.Addr().String()), ambient.WithToken("synthetic"), quick)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	network, ok := errors.AsType[*ambient.NetworkError](harness.Get(t.Context(), client))
	require.True(t, ok)
	assert.Len(t, network.Attempts, 4)
}
