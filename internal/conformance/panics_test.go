package conformance_test

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

type panickingTransport struct {
	http.RoundTripper
	due func() bool
}

func (p panickingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if p.due() {
		panic("a transport's mistake")
	}
	return p.RoundTripper.RoundTrip(req)
}

// A program may survive a panic in a transport or observer that it gave us, as
// net/http's server does. The calls after it must still find room at the gate.
func TestAPanicCostsNoRoomAtTheGate(t *testing.T) {
	t.Parallel()
	const calls = 20 // more than a client that knows nothing yet lets go at once
	for _, where := range []string{"transport", string(ambient.EventAttempt), string(ambient.EventLimitWait)} {
		t.Run(where, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				due := false
				client := harness.NewClient(t, srv,
					ambient.WithHTTPClient(&http.Client{Transport: panickingTransport{srv.Client().Transport, func() bool { return due && where == "transport" }}}),
					ambient.WithObserver(func(_ context.Context, e ambient.Event) {
						if due && string(e.Kind) == where {
							panic("an observer's mistake")
						}
					}))
				require.NoError(t, client.Authenticate(t.Context()))
				if where == string(ambient.EventLimitWait) {
					srv.FaultRange(harness.GetRoute, 1, calls, ambienttest.RetryAfter(429, "1"))
				}
				due = true
				for range calls {
					assert.Panics(t, func() { _ = harness.Get(t.Context(), client) })
				}
				if where == "transport" { // whose call with a body is in another goroutine
					assert.Panics(t, func() { _, _ = harness.SubmitOf(t.Context(), client, harness.Visit()) })
				}
				due = false
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()})
				require.NoError(t, err)
			})
		})
	}
}

// A loop over WaitAll may panic, also when its context has ended while polls
// are in flight. It ends all the same, and leaves nothing behind.
func TestAPanicEndsWaitAll(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		ids := harness.SubmitMany(t, srv, client, 3, func(int) time.Duration { return time.Hour })
		srv.FaultRange(harness.GetRoute, 1, 3, ambienttest.Fault{Delay: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.PanicsWithValue(t, "a caller's mistake", func() {
			for range client.Transcriptions.WaitAll(ctx, ids) {
				panic("a caller's mistake")
			}
		})
	})
}

// A transport's panic in a poll of WaitAll is where the caller can recover from it,
// as in Wait; one that ends its goroutine, as a test's that fails, ends that wait.
func TestAPanicOfAPollReachesTheLoop(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		meet := func() { panic("a transport's mistake") }
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithBaseURL(srv.URL),
			ambient.WithHTTPClient(&http.Client{Transport: meeting(func() { meet() })}))
		require.NoError(t, err)
		ids := []int64{1, 2, 3}
		assert.PanicsWithValue(t, "a transport's mistake", func() {
			for range client.Transcriptions.WaitAll(t.Context(), ids) {
			}
		})
		meet = runtime.Goexit
		n := 0
		for _, err := range client.Transcriptions.WaitAll(t.Context(), ids) {
			assert.True(t, harness.IsA[*ambient.WaitError](err))
			n++
		}
		assert.Equal(t, 3, n)
	})
}

// meeting is a transport that only calls a function.
type meeting func()

func (m meeting) RoundTrip(*http.Request) (*http.Response, error) {
	m()
	return nil, http.ErrServerClosed
}

// An observer that ends the goroutine of a renewal, as a test's that fails, does
// not keep others from ever getting a token.
func TestARenewalThatEndsItsGoroutine(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var ended atomic.Bool
		client := harness.NewClient(t, srv, ambient.WithObserver(func(context.Context, ambient.Event) {
			if !ended.Swap(true) {
				runtime.Goexit()
			}
		}))
		assert.Error(t, client.Authenticate(t.Context()))
		time.Sleep(time.Minute)
		assert.NoError(t, client.Authenticate(t.Context()))
	})
}

// So does a source of audio that ends the goroutine that looks at it.
func TestAudioThatEndsItsGoroutine(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", exitingReader{}))
		assert.True(t, harness.IsA[*ambient.RequestError](err), "%v", err)
		srv.AssertCount(t, harness.SubmitRoute, 0)
	})
}

type exitingReader struct{}

func (exitingReader) Read([]byte) (int, error) {
	runtime.Goexit()
	return 0, nil
}

// A limit closes and opens in the time of any call, or of none. A panic of an observer
// over that ends neither the process nor a call, and other observers hear of the panic.
func TestAPanicOverALimitEndsNothing(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var changes, panics int
		client := harness.NewClient(t, srv,
			ambient.WithObserver(func(_ context.Context, e ambient.Event) {
				switch e.Kind {
				case ambient.EventLimitClosed, ambient.EventLimitOpened:
					changes++
					panic("an observer's mistake")
				case ambient.EventLatePanic:
					panic("again")
				}
			}),
			ambient.WithObserver(func(_ context.Context, e ambient.Event) {
				if e.Kind == ambient.EventLatePanic {
					panics++
				}
			}))
		srv.Fault(harness.GetRoute, 1, ambienttest.RetryAfter(429, "60"))
		var notFound *ambient.NotFoundError
		require.ErrorAs(t, harness.Get(t.Context(), client), &notFound, "the timer opens the endpoint")
		assert.Equal(t, 2, changes)
		assert.Equal(t, 2, panics)
	})
}
