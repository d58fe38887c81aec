package ambient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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

// authenticate fetches a token and lets its event, which comes from a goroutine
// of its own, come first.
func authenticate(t *testing.T, client *ambient.Client) {
	t.Helper()
	require.NoError(t, client.Authenticate(t.Context()))
	synctest.Wait()
}

// story tells from events alone where the time of the calls went.
func story(events []ambient.Event) (lines []string) {
	tell := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, e := range events {
		switch e.Kind {
		case ambient.EventToken:
			tell("%s %s: token", e.Method, e.Route)
		case ambient.EventAttempt:
			tell("%s %s: attempt %d after %v took %v: %d", e.Method, e.Route, e.Number, e.Attempt.Wait, e.Attempt.Duration, e.Attempt.StatusCode)
		case ambient.EventRetry:
			tell("%s %s: attempt %d is repeated in %v because of %s", e.Method, e.Route, e.Number, e.Wait, strings.Fields(e.Err.Error())[3])
		case ambient.EventLimitClosed:
			tell("all calls wait %v for the rate limit", e.Wait)
		case ambient.EventLimitOpened:
			tell("the rate limit is over")
		case ambient.EventLimitWait:
			tell("%s %s: waited %v for the rate limit", e.Method, e.Route, e.Wait)
		case ambient.EventPossibleDuplicate:
			tell("%s %s: possible duplicate after %d attempts", e.Method, e.Route, e.Number)
		case ambient.EventCall:
			tell("%s %s: %d attempts took %v", e.Method, e.Route, e.Number, e.Duration)
		case ambient.EventJob:
			tell("job %d: %s after %d polls and %v", e.ID, e.Status, e.Number, e.Duration)
		case ambient.EventPoll:
			tell("job %d: %s, again in %v", e.ID, e.Status, e.Wait)
		case ambient.EventUnknownStatus:
			tell("job %d: unknown status %s", e.ID, e.Status)
		case ambient.EventAudioFormat:
			tell("audio: %s", e.Note)
		default:
			tell("?%s", e.Kind)
		}
	}
	return lines
}

// A slow submit: two retries, a rate limit, a second of work, and a job whose
// state is new. Whoever reads the events learns why it took 39 s.
func TestEventsTellWhyACallIsSlow(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault("POST /transcribe", 1, ambienttest.RetryAfter(503, "4"))
		slow := ambienttest.RetryAfter(502, "3")
		slow.Delay = 2 * time.Second
		srv.Fault("POST /transcribe", 2, slow)
		srv.Fault("POST /transcribe", 3, ambienttest.RetryAfter(429, "30"))
		srv.ScriptTranscription(ambienttest.Step{Status: "QUEUED", For: time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
		var events []ambient.Event
		client := harness.NewClient(t, srv, ambient.WithObserver(func(_ context.Context, e ambient.Event) { events = append(events, e) }))
		authenticate(t, client)
		start := time.Now()
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioBytes("visit.wav", []byte("ID3\x04"))},
			ambient.WithPollInterval(time.Second, time.Second))
		require.NoError(t, err)

		assert.Equal(t, []string{
			"POST /auth/token: attempt 1 after 0s took 0s: 200",
			"POST /auth/token: 1 attempts took 0s",
			"POST /auth/token: token",
			"audio: audio 1 has the first bytes of mp3 and a name that ends in wav",
			"POST /transcribe: attempt 1 after 0s took 0s: 503",
			"POST /transcribe: attempt 1 is repeated in 4s because of 503",
			"POST /transcribe: attempt 2 after 4s took 2s: 502",
			"POST /transcribe: attempt 2 is repeated in 3s because of 502",
			"POST /transcribe: attempt 3 after 3s took 0s: 429",
			"all calls wait 30s for the rate limit",
			"the rate limit is over",
			"POST /transcribe: waited 30s for the rate limit",
			"POST /transcribe: attempt 4 after 30s took 0s: 202",
			"POST /transcribe: possible duplicate after 4 attempts",
			"POST /transcribe: 4 attempts took 39s",
			"GET /transcribe/101: attempt 1 after 0s took 0s: 200",
			"GET /transcribe/101: 1 attempts took 0s",
			"job 101: STT_COMPLETED, again in 0s",
			"job 101: STT_COMPLETED after 1 polls and 1s",
		}, story(events))

		// The times of the attempts and the waits before them are all there is.
		var total time.Duration
		for _, e := range events {
			if e.Kind == ambient.EventAttempt {
				total += e.Attempt.Wait + e.Attempt.Duration
			}
		}
		assert.Equal(t, 39*time.Second, total)
		assert.Equal(t, time.Since(start), total+time.Second, "and one second until the first poll")
		for _, e := range events {
			assert.False(t, e.Time.IsZero())
		}
	})
}

// What needs a look is a warning, what explains a slow call is told, all else
// is for debugging.
func TestLogLevels(t *testing.T) {
	t.Parallel()
	levels := map[string]string{}
	var log bytes.Buffer
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault("POST /transcribe", 1, ambienttest.RetryAfter(502, "1"))
		srv.Fault("POST /transcribe", 2, ambienttest.RetryAfter(429, "1"))
		srv.Fault("POST /auth/token", 2, ambienttest.Answer(401))
		srv.ScriptTranscription(ambienttest.Step{Status: "QUEUED", For: 10 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
		client := harness.NewClient(t, srv, ambient.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioBytes("visit.mp3", []byte("noise"))})
		require.NoError(t, err)
		srv.RevokeTokens()
		_, err = client.Transcriptions.Get(t.Context(), 101)
		harness.CheckType(t, 401, err)
	})
	for line := range strings.Lines(log.String()) {
		var entry struct{ Level, Msg, Error string }
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		kind := strings.TrimPrefix(entry.Msg, "ambient: ")
		if entry.Error != "" && kind == "token" {
			kind = "token refused"
		}
		levels[kind] = entry.Level
	}
	assert.Equal(t, map[string]string{
		"possible_duplicate": "WARN", "unknown_status": "WARN", "audio_format": "WARN", "token refused": "WARN",
		"retry": "INFO", "limit_wait": "INFO", "limit_closed": "INFO", "limit_opened": "INFO", "token": "INFO",
		"attempt": "DEBUG", "call": "DEBUG", "poll": "DEBUG", "job": "DEBUG",
	}, levels)
}

// A logger that is not enabled is not asked to format anything, and one at Info
// is not told of every poll.
func TestLoggerKeepsItsLevel(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var log bytes.Buffer
		client := harness.NewClient(t, srv, ambient.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		authenticate(t, client)
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), "the token:\n%s", log.String())
	})
}

// What an attempt's log line says.
func TestLogOfAnAttempt(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var log bytes.Buffer
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		srv.Fault("POST /transcribe", 1, saying(404, `{"detail": "Account of Jane Doe not found"}`))
		client := harness.NewClient(t, srv, ambient.WithToken("token"), ambient.WithLogger(slog.New(handler)))
		err := submittingWith(t, client, harness.Visit())
		harness.CheckType(t, 404, err)
		assert.Contains(t, log.String(), `level=DEBUG msg="ambient: attempt" call=1 method=POST route=/transcribe request_id=`+requestIDOfGateway+
			` attempt=1 status=404 duration_ms=0 bytes_sent=4464 sent=answered conn_reused=false`+"\n")
	})
}

// Observers and loggers add up, and each sees everything.
func TestObserversAddUp(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var first, second []ambient.EventKind
		client := harness.NewClient(t, srv, ambient.WithObserver(func(_ context.Context, e ambient.Event) { first = append(first, e.Kind) }),
			ambient.WithObserver(func(_ context.Context, e ambient.Event) { second = append(second, e.Kind) }))
		authenticate(t, client)
		_, err := client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"Hello."}})
		require.NoError(t, err)
		assert.NotEmpty(t, first)
		assert.Equal(t, first, second)
	})
}

// traceOf reads what a caller has put into the context.
type traceKey struct{}

func traceOf(ctx context.Context) string { s, _ := ctx.Value(traceKey{}).(string); return s }

// traced is a context that names the call it is given to.
func traced(t *testing.T, name string) context.Context {
	return context.WithValue(t.Context(), traceKey{}, name)
}

// A traceHandler notes the message of a record with the trace of its context, as a
// handler does that writes trace ids.
type traceHandler struct {
	mu      sync.Mutex
	records []string
}

func (h *traceHandler) Enabled(ctx context.Context, _ slog.Level) bool { return traceOf(ctx) != "" }
func (h *traceHandler) WithAttrs([]slog.Attr) slog.Handler             { return h }
func (h *traceHandler) WithGroup(string) slog.Handler                  { return h }
func (h *traceHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, traceOf(ctx)+" "+strings.TrimPrefix(r.Message, "ambient: "))
	return nil
}

// Each record and event has the context of its call. The token that the first call
// fetches, the rate limit that the second meets, and its end have theirs too, and no
// end.
func TestEventsHaveTheContextOfTheirCall(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		handler := &traceHandler{}
		var background []string
		client := harness.NewClient(t, srv, ambient.WithLogger(slog.New(handler)), ambient.WithObserver(func(ctx context.Context, e ambient.Event) {
			switch e.Kind {
			case ambient.EventLimitClosed, ambient.EventLimitOpened, ambient.EventToken:
				assert.NoError(t, ctx.Err())
				background = append(background, traceOf(ctx)+" "+string(e.Kind))
			}
		}))
		srv.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED"})
		_, err := client.Transcriptions.SubmitAndWait(traced(t, "first"), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		srv.Fault(harness.GetRoute, 2, ambienttest.RetryAfter(429, "30"))
		ctx, leave := context.WithCancel(traced(t, "second"))
		time.AfterFunc(time.Second, leave)
		_, err = client.Transcriptions.Get(ctx, 101)
		require.ErrorIs(t, err, context.Canceled)
		_, err = client.Transcriptions.Get(traced(t, "third"), 101)
		require.NoError(t, err)

		assert.Equal(t, []string{
			"first attempt", "first call", "first token", "first attempt", "first call", "first attempt", "first call", "first poll", "first job",
			"second attempt", "second limit_closed", "second limit_wait", "second call", "second limit_opened",
			"third limit_wait", "third attempt", "third call",
		}, handler.records)
		assert.Equal(t, []string{"first token", "second limit_closed", "second limit_opened"}, background)
	})
}

// A token that is renewed in the background has the values of the call that began the
// renewal. It goes on after the end of that call, and its deadline is not that of the call.
func TestARenewalHasTheContextOfItsCall(t *testing.T) {
	const life = 100 * time.Minute
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var mu sync.Mutex
		renewed := map[string]time.Duration{} // by trace: when the context of the event ends
		client := harness.NewClient(t, srv, ambient.WithObserver(func(ctx context.Context, e ambient.Event) {
			if e.Kind == ambient.EventToken {
				mu.Lock()
				defer mu.Unlock()
				assert.NoError(t, ctx.Err())
				deadline, _ := ctx.Deadline()
				renewed[traceOf(ctx)] = time.Until(deadline)
			}
		}))
		require.NoError(t, client.Authenticate(traced(t, "first")))
		time.Sleep(life * 19 / 20)
		ctx, cancel := context.WithTimeout(traced(t, "second"), time.Second)
		require.NoError(t, client.Authenticate(ctx))
		cancel()
		synctest.Wait()
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		assert.Contains(t, renewed, "first")
		assert.Greater(t, renewed["second"], time.Second)
	}, ambienttest.WithTokenLifetime(life), ambienttest.WithTokenDelay(5*time.Second))
}

// What happens when the context of a call ends has a context that has not: a handler that
// exports what it logs would lose the end of the call.
func TestTheEndOfACallCanBeExported(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var kinds []ambient.EventKind
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithObserver(func(ctx context.Context, e ambient.Event) {
			if ctx.Err() == nil {
				kinds = append(kinds, e.Kind)
			}
		}))
		srv.Fault(harness.GetRoute, 1, ambienttest.Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.Transcriptions.Wait(ctx, 7)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []ambient.EventKind{ambient.EventAttempt, ambient.EventCall, ambient.EventPoll, ambient.EventJob}, kinds)
	})
}

// What happens in one call has one number: a submit that is repeated, a wait with all
// its polls. Calls at the same time have different ones.
func TestEventsOfACallHaveItsNumber(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		require.NoError(t, client.Authenticate(t.Context()))
		// Each first attempt takes one 503. Two are left, so that no call can meet more than the three it retries.
		srv.FaultRange(harness.SubmitRoute, 1, 5, ambienttest.Answer(503))
		srv.ScriptTranscription(ambienttest.Step{Status: "QUEUED", For: 10 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
				assert.NoError(t, err)
			})
		}
		wg.Wait()

		calls := map[int64]map[ambient.EventKind]int{}
		for _, e := range told.All() {
			require.Positive(t, e.Call, e.Kind)
			if calls[e.Call] == nil {
				calls[e.Call] = map[ambient.EventKind]int{}
			}
			calls[e.Call][e.Kind]++
			if e.Kind == ambient.EventAttempt && e.Route == "/transcribe" {
				calls[e.Call]["submit"]++
			}
		}
		require.Len(t, calls, 4, "the token's and three visits'")
		for _, c := range calls {
			if c[ambient.EventToken] == 0 {
				assert.Equal(t, c[ambient.EventRetry]+1, c["submit"])
				assert.Equal(t, c[ambient.EventPoll], c[ambient.EventAttempt]-c["submit"])
			}
		}
	})
}

// In WaitAll each job is a call.
func TestEachJobOfWaitAllIsACall(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		ids := harness.SubmitMany(t, srv, client, 3, func(int) time.Duration { return time.Minute })
		for _, err := range client.Transcriptions.WaitAll(t.Context(), ids) {
			require.NoError(t, err)
		}
		jobs := map[int64]int64{}
		for _, e := range told.Of(ambient.EventPoll) {
			if jobs[e.Call] == 0 {
				jobs[e.Call] = e.ID
			}
			assert.Equal(t, jobs[e.Call], e.ID)
		}
		assert.Len(t, jobs, 3)
	})
}

// Durations are numbers in a log, and their unit stands in the key.
func TestDurationsOfALog(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var log bytes.Buffer
		slow := ambienttest.RetryAfter(503, "4")
		slow.Delay = 1500*time.Millisecond + 250*time.Microsecond
		srv.Fault(harness.SubmitRoute, 1, slow)
		client := harness.NewClient(t, srv, ambient.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		require.NoError(t, submittingWith(t, client, harness.Visit()))
		assert.Contains(t, log.String(), `"duration_ms":1500.25,`)
		assert.Regexp(t, `"wait_ms":(4000|39\d\d\.\d+),`, log.String())
	})
}

func TestEndpointIsALabelForMetrics(t *testing.T) {
	for route, want := range map[string]string{
		"":                           "",
		"/transcribe":                "GET /transcribe",
		"/transcribe/7":              "GET /transcribe/{id}",
		"/scribe/7/regenerate/audio": "GET /scribe/{id}/regenerate/audio",
	} {
		assert.Equal(t, want, ambient.Event{Method: "GET", Route: route}.Endpoint())
	}
}

// An observer may give an event to another goroutine: nothing in it changes.
func TestEventsDoNotChange(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		passed, printed := make(chan ambient.Event, 100), make(chan string, 100)
		go func() {
			for e := range passed {
				if e.Kind == ambient.EventRetry {
					time.Sleep(time.Hour)
					printed <- e.Err.Error()
				}
			}
			close(printed)
		}()
		srv.FaultRange(harness.SubmitRoute, 1, 4, ambienttest.Answer(500))
		client := harness.NewClient(t, srv, ambient.WithObserver(func(_ context.Context, e ambient.Event) { passed <- e }))
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		assert.ErrorContains(t, err, "4 attempts")
		close(passed)
		assert.NotContains(t, <-printed, "attempts", "the first")
		assert.Contains(t, <-printed, "2 attempts")
		assert.Contains(t, <-printed, "3 attempts")
	})
}
