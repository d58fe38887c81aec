package ambient_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A tree is a tracer that notes which operation is in which, and how each ended.
type tree struct {
	mu    sync.Mutex
	lines []string
}

type pathKey struct{}

func pathOf(ctx context.Context) string { s, _ := ctx.Value(pathKey{}).(string); return s }

func (tr *tree) add(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, fmt.Sprintf(format, args...))
}

func (tr *tree) start(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
	name := op.Kind
	switch op.Kind {
	case "attempt":
		name += fmt.Sprint(" ", op.Number)
	case "wait":
		name += fmt.Sprint(" for ", op.JobID)
	case "call":
		name = op.Endpoint
	}
	path := pathOf(ctx) + "/" + name
	return context.WithValue(ctx, pathKey{}, path), func(e ambient.Event) {
		outcome := "ok"
		switch {
		case e.Kind == ambient.EventAttempt:
			outcome = fmt.Sprint(e.Attempt.StatusCode)
		case e.Err != nil:
			outcome = "failed"
		}
		tr.add("%s: %s", strings.ReplaceAll(path, "//", "/"), outcome)
	}
}

// A call, its attempts and a wait are operations inside each other. The token call is
// inside the call that needed it.
func TestTracerSeesATree(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var tr tree
		srv.Fault(harness.SubmitRoute, 1, ambienttest.Answer(503))
		srv.ScriptTranscription(ambienttest.Step{Status: "QUEUED", For: 1500 * time.Millisecond}, ambienttest.Step{Status: "STT_COMPLETED"})
		client := harness.NewClient(t, srv, ambient.WithTracer(tr.start))
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		_, err = client.Transcriptions.Get(t.Context(), 999)
		harness.CheckType(t, 404, err)
		assert.Equal(t, []string{
			"/POST /transcribe/POST /auth/token/attempt 1: 200",
			"/POST /transcribe/POST /auth/token: ok",
			"/POST /transcribe/attempt 1: 503",
			"/POST /transcribe/attempt 2: 202",
			"/POST /transcribe: ok",
			"/wait for 101/GET /transcribe/{id}/attempt 1: 200",
			"/wait for 101/GET /transcribe/{id}: ok",
			"/wait for 101/GET /transcribe/{id}/attempt 1: 200",
			"/wait for 101/GET /transcribe/{id}: ok",
			"/wait for 101: ok",
			"/GET /transcribe/{id}/attempt 1: 404",
			"/GET /transcribe/{id}: failed",
		}, tr.lines)
	})
}

// What happens in an operation has its context: events, the request, a token source and
// a limiter.
func TestTheTracersContextIsUsed(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var tr tree
		seen := map[string]string{}
		note := func(what string) func(context.Context) { return func(ctx context.Context) { seen[what] = pathOf(ctx) } }
		client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithTracer(tr.start),
			ambient.WithTokenSource(notingSource{note("token source")}), ambient.WithLimiter(notingLimiter{note("limiter")}),
			ambient.WithHTTPClient(&http.Client{Transport: notingTransport{http.DefaultTransport, note("transport")}}),
			ambient.WithObserver(func(ctx context.Context, e ambient.Event) { note(string(e.Kind))(ctx) }))
		require.NoError(t, err)
		_, err = client.Transcriptions.Wait(t.Context(), 7)
		require.NoError(t, err)
		const wait, call = "/wait for 7", "/wait for 7/GET /transcribe/{id}"
		assert.Equal(t, map[string]string{
			"token source": call, "limiter": call, "transport": call + "/attempt 1",
			"attempt": call + "/attempt 1", "call": call, "poll": wait, "job": wait,
		}, seen)
	})
}

type notingSource struct{ note func(context.Context) }

func (n notingSource) Token(ctx context.Context) (ambient.Token, error) {
	n.note(ctx)
	return ambient.NewToken("synthetic", time.Time{}), nil
}
func (notingSource) Invalidate(ambient.Token) {}

type notingLimiter struct{ note func(context.Context) }

func (n notingLimiter) Wait(ctx context.Context) error { n.note(ctx); return nil }

type notingTransport struct {
	http.RoundTripper
	note func(context.Context)
}

func (n notingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	n.note(r.Context())
	body := strings.NewReader(`{"id": 7, "task_status": "STT_COMPLETED", "raw_text": "synthetic"}`)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(body), Request: r}, nil
}

// The server of an operation is that of the base URL.
func TestServerOfAnOperation(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.example/v1":    "api.example 443",
		"https://api.example:8443/": "api.example 8443",
		"http://127.0.0.1":          "127.0.0.1 80",
		"http://[::1]:8080":         "::1 8080",
	} {
		var got string
		client, err := ambient.NewClient(ambient.WithBaseURL(base), ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: notingTransport{note: func(context.Context) {}}}),
			ambient.WithTracer(func(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
				got = fmt.Sprint(op.ServerAddress, " ", op.ServerPort)
				return ctx, nil
			}))
		require.NoError(t, err)
		require.NoError(t, harness.Get(t.Context(), client))
		assert.Equal(t, want, got)
	}
}

// A tracer may return no context, no function, or a context that is not of the call. The
// call goes on, and still ends with its own context.
func TestCarelessTracer(t *testing.T) {
	foreign := context.WithValue(context.Background(), traceKey{}, "foreign")
	ended, cancel := context.WithCancel(foreign)
	cancel()
	for name, start := range map[string]func(context.Context, ambient.Operation) (context.Context, func(ambient.Event)){
		"nothing":         func(context.Context, ambient.Operation) (context.Context, func(ambient.Event)) { return nil, nil },
		"foreign context": func(context.Context, ambient.Operation) (context.Context, func(ambient.Event)) { return foreign, nil },
		"ended context":   func(context.Context, ambient.Operation) (context.Context, func(ambient.Event)) { return ended, nil },
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				values := map[string]bool{}
				client := harness.NewClient(t, srv, ambient.WithTracer(start), ambient.WithObserver(func(ctx context.Context, _ ambient.Event) { values[traceOf(ctx)] = true }))
				_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
				require.NoError(t, err)
				if name != "nothing" {
					assert.Equal(t, map[string]bool{"foreign": true}, values)
				}
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: time.Hour}, ambienttest.Step{Status: "STT_COMPLETED"})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err = client.Transcriptions.Wait(ctx, id)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// Two tracers nest.
func TestTracersNest(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var outer, inner tree
		var order []string
		srv.Fault(harness.GetRoute, 1, harness.SomeJob)
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithTracer(outer.start), ambient.WithTracer(inner.start),
			ambient.WithTracer(func(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
				order = append(order, pathOf(ctx))
				return nil, nil
			}))
		_ = harness.Get(t.Context(), client)
		assert.Equal(t, []string{"/GET /transcribe/{id}/GET /transcribe/{id}", "/GET /transcribe/{id}/GET /transcribe/{id}/attempt 1/attempt 1"}, order)
		assert.Len(t, outer.lines, 2)
		assert.Len(t, inner.lines, 2)
	})
}

// A tracerOf does one thing at one place, and nothing elsewhere.
func tracerOf(place string, do func(context.Context)) ambient.Option {
	return ambient.WithTracer(func(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
		name := op.Kind
		if op.Endpoint == harness.TokenRoute {
			name = "token " + name
		}
		if place == "start of "+name {
			do(ctx)
		}
		return ctx, func(ambient.Event) {
			if place == "end of "+name {
				do(ctx)
			}
		}
	})
}

var tracedPlaces = []string{
	"start of call", "end of call", "start of attempt", "end of attempt", "start of wait", "end of wait",
	"start of token call", "end of token call", "start of token attempt", "end of token attempt",
}

// A panic of a tracer surfaces where the caller can recover from it, and costs no later
// call anything.
func TestAPanicOfATracerSurfaces(t *testing.T) {
	for _, place := range tracedPlaces {
		t.Run(place, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				due := true
				var mu sync.Mutex
				client := harness.NewClient(t, srv, tracerOf(place, func(context.Context) {
					mu.Lock()
					defer mu.Unlock()
					if due {
						panic("a tracer's mistake")
					}
				}))
				job := harness.Submitted(t, harness.NewClient(t, srv))
				for range 20 { // more than a throttle that knows nothing lets go at once
					assert.PanicsWithValue(t, "a tracer's mistake", func() { _, _ = client.Transcriptions.Wait(t.Context(), job) })
				}
				assert.PanicsWithValue(t, "a tracer's mistake", func() {
					for range client.Transcriptions.WaitAll(t.Context(), []int64{job, job + 1, job + 2}) {
					}
				})
				mu.Lock()
				due = false
				mu.Unlock()
				time.Sleep(time.Minute)
				_, err := client.Transcriptions.Wait(t.Context(), job)
				require.NoError(t, err)
			})
		})
	}
}

// A tracer that blocks is left behind when the context has ended. Its late panic is
// reported.
func TestABlockedTracerIsLeftBehind(t *testing.T) {
	for _, place := range tracedPlaces {
		t.Run(place, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told harness.Events
				release := make(chan struct{})
				client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe), tracerOf(place, func(context.Context) {
					<-release
					panic("a tracer's mistake")
				}))
				job := harness.Submitted(t, harness.NewClient(t, srv))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				_, _ = client.Transcriptions.Wait(ctx, job)
				assert.GreaterOrEqual(t, time.Since(start), time.Minute)
				assert.LessOrEqual(t, time.Since(start), time.Minute+time.Second)
				close(release)
				synctest.Wait()
				assert.NotEmpty(t, told.Of(ambient.EventLatePanic))
			})
		})
	}
}

// However many calls meet a tracer that hangs, few functions of it are left behind, and
// the calls after these do not wait for it.
func TestFewFunctionsHang(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var mu sync.Mutex
		hanging := 0
		release := make(chan struct{})
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), tracerOf("start of wait", func(context.Context) {
			mu.Lock()
			hanging++
			mu.Unlock()
			<-release
		}))
		ids := make([]int64, 10_000)
		for i := range ids {
			ids[i] = int64(i + 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start, n := time.Now(), 0
		for _, err := range client.Transcriptions.WaitAll(ctx, ids) {
			require.Error(t, err)
			n++
		}
		assert.Equal(t, len(ids), n)
		assert.LessOrEqual(t, time.Since(start), time.Minute+time.Second)
		harness.Callers(1000, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.Transcriptions.Wait(ctx, 7)
			return err
		})
		mu.Lock()
		left := hanging
		mu.Unlock()
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, _ = client.Transcriptions.Wait(ctx, 7)
			cancel()
		}
		mu.Lock()
		assert.LessOrEqual(t, hanging, max(left, 100))
		mu.Unlock()
		close(release)
	})
}

// Spans of calls that their context ended are ended too: at once, without a wait.
func TestSpansOfCancelledCallsEnd(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var tr tree
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithTracer(tr.start))
		srv.Fault(harness.GetRoute, 1, ambienttest.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := client.Transcriptions.Wait(ctx, 7)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Equal(t, []string{
			"/wait for 7/GET /transcribe/{id}/attempt 1: 0",
			"/wait for 7/GET /transcribe/{id}: failed",
			"/wait for 7: failed",
		}, tr.lines)
	})
}

// A wait that a panic ends has an end too, and says so.
func TestAPanicEndsItsSpans(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var tr tree
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithTracer(tr.start),
			ambient.WithHTTPClient(&http.Client{Transport: notingTransport{note: func(context.Context) { panic("a transport's mistake") }}}))
		onPoll := ambient.WithOnPoll(func(ambient.PollEvent) { panic("a caller's mistake") })
		assert.PanicsWithValue(t, "a transport's mistake", func() { _, _ = client.Transcriptions.Wait(t.Context(), 7, onPoll) })
		want := []string{"/wait for 7/GET /transcribe/{id}/attempt 1: 0", "/wait for 7/GET /transcribe/{id}: failed", "/wait for 7: failed"}
		assert.Equal(t, want, tr.lines)
		client = harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithTracer(tr.start),
			ambient.WithHTTPClient(&http.Client{Transport: notingTransport{note: func(context.Context) {}}}))
		for _, wait := range []func(){
			func() { _, _ = client.Transcriptions.Wait(t.Context(), 7, onPoll) },
			func() {
				for range client.Transcriptions.WaitAll(t.Context(), []int64{7}, onPoll) {
				}
			},
		} {
			tr.lines = nil
			assert.PanicsWithValue(t, "a caller's mistake", wait)
			assert.Equal(t, []string{"/wait for 7/GET /transcribe/{id}/attempt 1: 200", "/wait for 7/GET /transcribe/{id}: ok", "/wait for 7: failed"}, tr.lines)
		}
	})
}

// Each wait of WaitAll ends once, whatever ends the loop.
func TestEachWaitOfWaitAllEndsOnce(t *testing.T) {
	for name, leave := range map[string]func(n int) bool{
		"all done": func(int) bool { return false }, "left at once": func(n int) bool { return n == 1 }, "left later": func(n int) bool { return n == 3 },
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told harness.Events
				var tr tree
				client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe), ambient.WithTracer(tr.start))
				ids := harness.SubmitMany(t, srv, client, 20, func(i int) time.Duration { return time.Duration(i) * time.Minute })
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
				defer cancel()
				n := 0
				for range client.Transcriptions.WaitAll(ctx, ids) {
					if n++; leave(n) {
						break
					}
				}
				ended, spans := map[int64]int{}, 0
				for _, e := range told.Of(ambient.EventJob) {
					ended[e.ID]++
				}
				for _, line := range tr.lines {
					if strings.HasPrefix(line, "/wait") && strings.Count(line, "/") == 1 {
						spans++
					}
				}
				assert.Len(t, ended, len(ids))
				assert.Equal(t, len(ids), spans)
				for id, n := range ended {
					assert.Equal(t, 1, n, "%d", id)
				}
			})
		})
	}
}
