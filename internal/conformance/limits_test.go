package conformance_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"strconv"
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

const manyTimes = 1_000_000 // more requests than a test makes

// xRateLimit is a limit that the server reports in X-RateLimit headers.
func xRateLimit(limit int, window time.Duration) ambienttest.RateLimit {
	return ambienttest.RateLimit{Limit: limit, Window: window, Dialect: ambienttest.XRateLimit}
}

// poll gets a job every pause until the time is over, and returns how often it had it.
func poll(t *testing.T, client *ambient.Client, pause, lasting time.Duration) (good int) {
	for end := time.Now().Add(lasting); time.Now().Before(end); time.Sleep(pause) {
		if harness.Get(t.Context(), client) == nil {
			good++
		}
	}
	return good
}

// beside runs submits one after another while the test goes on, until its end.
func beside(t *testing.T, client *ambient.Client) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			_, _ = harness.SubmitOf(ctx, client, harness.Visit())
		}
	})
	return func() { cancel(); done.Wait() }
}

// A limit of submits, which has no place left for an hour, holds up no read and no wait.
func TestSubmitsAndReadsHaveLimitsOfTheirOwn(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.SetRateLimitOf(harness.SubmitRoute, xRateLimit(5, time.Hour))
		srv.SetRateLimitOf(harness.GetRoute, xRateLimit(1000, time.Minute))
		client := harness.NewClient(t, srv)
		var id int64
		for range 5 {
			id = harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		}
		start := time.Now()
		_, err := client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		_, err = client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))
		_, err = harness.SubmitOf(t.Context(), client, harness.Visit())
		assert.True(t, harness.HoldsError[*ambient.RateLimitError](err), "%v", err)
	})
}

// A poller gets as much beside submits that are limited, or refused for ever, as alone.
func TestAPollerBesideRefusedSubmits(t *testing.T) {
	t.Parallel()
	const pause, lasting = 100 * time.Millisecond, 5 * time.Minute
	for name, limit := range map[string]func(srv *ambienttest.Server){
		"both limited a minute": func(srv *ambienttest.Server) {
			srv.SetRateLimitOf(harness.SubmitRoute, xRateLimit(10, time.Minute))
			srv.SetRateLimitOf(harness.GetRoute, xRateLimit(1500, time.Minute))
		},
		"refused for a minute each time": func(srv *ambienttest.Server) {
			srv.FaultRange(harness.SubmitRoute, 1, manyTimes, ambienttest.RetryAfter(429, "60"))
		},
		"refused without a pause": func(srv *ambienttest.Server) {
			srv.FaultRange(harness.SubmitRoute, 1, manyTimes, ambienttest.RetryAfter(429, "0"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
				limit(srv)
				client := harness.NewClient(t, srv)
				defer beside(t, client)()
				assert.GreaterOrEqual(t, poll(t, client, pause, lasting), int(lasting/pause)*95/100)
			})
		})
	}
}

// The pauses of a submit that is refused again and again double up to 30 s, whatever
// succeeds beside it.
func TestRefusedSubmitsBesideAPoller(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
		srv.FaultRange(harness.SubmitRoute, 1, manyTimes, ambienttest.RetryAfter(429, "0"))
		client := harness.NewClient(t, srv)
		stop := beside(t, client)
		poll(t, client, time.Second, 22*time.Minute)
		stop()
		assert.InDelta(t, 52, len(srv.RequestsTo(harness.SubmitRoute)), 3, "9 in 51 s, and one each 30 s")
	})
}

// Calls that have passed WithRateLimit while their endpoint closed go back, and take a
// token of the limiter again when it has opened.
func TestARefusalWhileCallsWaitForTheLimiter(t *testing.T) {
	t.Parallel()
	for _, callers := range []int{50, 500} {
		t.Run(strconv.Itoa(callers), func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				const burst, perSecond = 10, 10
				closed := time.Now().Add(2 * time.Second)
				srv.FaultWhere(func(r ambienttest.Request) bool {
					return r.Route == harness.GetRoute && r.Time.After(closed) && r.Time.Before(closed.Add(time.Minute))
				}, ambienttest.RetryAfter(429, "60"))
				srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
				client := harness.NewClient(t, srv, ambient.WithRateLimit(perSecond, burst))
				for _, err := range harness.Callers(callers, func() error { return harness.Get(t.Context(), client) }) {
					assert.NoError(t, err)
				}
				requests := srv.RequestsTo(harness.GetRoute)
				assert.LessOrEqual(t, len(requests)-callers, 2*burst, "refused")
				for i := range requests {
					n := 0
					for n < len(requests)-i && requests[i+n].Time.Sub(requests[i].Time) < time.Second {
						n++
					}
					assert.LessOrEqual(t, n, burst+perSecond, "in the second from %v", requests[i].Time)
				}
			})
		})
	}
}

// An impatient client of a slow server that never refuses meets no RateLimitError, and
// a read goes at once beside long uploads.
func TestSlowSubmitsAreNoRateLimit(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.SubmitRoute, 1, manyTimes, ambienttest.Fault{Delay: 2 * time.Minute})
		srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
		client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: 5 * time.Second}))
		var reads sync.WaitGroup
		reads.Go(func() {
			time.Sleep(time.Second)
			start := time.Now()
			assert.NoError(t, harness.Get(t.Context(), client))
			assert.Zero(t, time.Since(start))
		})
		for _, err := range harness.Callers(64, func() error { _, err := harness.SubmitOf(t.Context(), client, harness.Visit()); return err }) {
			assert.NoError(t, err)
		}
		reads.Wait()
	})
}

// A header that says for ever that nothing remains is a hint. It is tried every minute,
// and ignored with a limit of 0.
func TestNothingRemainsForEver(t *testing.T) {
	t.Parallel()
	for limit, most := range map[string]time.Duration{"0": 0, "100": 3 * time.Minute} {
		t.Run(limit, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				job := harness.SomeJob
				job.Header = http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"3600"}}
				srv.FaultRange(harness.GetRoute, 1, manyTimes, job)
				client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: 2 * time.Hour}))
				start := time.Now()
				for range 4 {
					require.NoError(t, harness.Get(t.Context(), client))
				}
				assert.Equal(t, most, time.Since(start))
			})
		})
	}
}

// A refusal for a day, as of a firewall, costs calls a quarter of an hour.
func TestARefusalForADay(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.GetRoute, 1, ambienttest.RetryAfter(429, "86400"))
		srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
		good := poll(t, harness.NewClient(t, srv), time.Minute, 24*time.Hour)
		assert.GreaterOrEqual(t, good, 24*60-16)
	})
}

// The age of an answer that a cache has kept is no error of a clock.
func TestARetryAfterFromACache(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		now := time.Now()
		old := ambienttest.RetryAfter(429, now.Add(time.Minute).UTC().Format(http.TimeFormat))
		old.Header.Set("Date", now.Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		old.Header.Set("Age", "600")
		srv.Fault(harness.GetRoute, 1, old)
		srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
		require.NoError(t, harness.Get(t.Context(), harness.NewClient(t, srv)))
		assert.Equal(t, time.Minute, time.Since(now))
	})
}

// A call may be less patient, or make fewer attempts, than its client.
func TestACallHasBoundsOfItsOwn(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.GetRoute, 1, ambienttest.RetryAfter(429, "800"))
		srv.FaultRange(harness.GetRoute, 1, manyTimes, harness.SomeJob)
		client := harness.NewClient(t, srv)
		start := time.Now()
		var background sync.WaitGroup
		background.Go(func() { assert.NoError(t, harness.Get(t.Context(), client)) })
		time.Sleep(time.Second)
		err := harness.Get(t.Context(), client, ambient.WithMaxLimitWait(2*time.Second))
		var limited *ambient.RateLimitError
		require.ErrorAs(t, err, &limited)
		assert.Equal(t, start.Add(800*time.Second), limited.ResetAt)
		assert.Equal(t, time.Second, time.Since(start))
		background.Wait()
		assert.Equal(t, 800*time.Second, time.Since(start))

		srv.FaultRange(harness.SubmitRoute, 1, manyTimes, ambienttest.Answer(503))
		_, err = harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithMaxAttempts(1))
		assert.True(t, harness.HoldsError[*ambient.ServiceUnavailableError](err), "%v", err)
		assert.False(t, errors.Is(err, context.DeadlineExceeded))
		srv.AssertCount(t, harness.SubmitRoute, 1)
	})
}

// limitRow is a row of the table of rate limits in doc.go. Each GET meets the next of
// its answers, and then the usual one. The requests go at these times.
type limitRow struct {
	server, client    string
	answers           []ambienttest.Fault
	calls             int // one after the other; default 1
	then              int // calls that come at once after these
	deadline, maxWait time.Duration
	at                []time.Duration
	limited           bool // the call ends with a RateLimitError
}

func limitTable() []limitRow {
	hint := func(limit, remaining string) ambienttest.Fault {
		return ambienttest.Fault{Header: http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {"3600"}}}
	}
	slow := harness.WithDelay(hint("100", "2"), 500*time.Millisecond)
	past := ambienttest.RetryAfter(429, "0")
	const ms, s = time.Millisecond, time.Second
	return []limitRow{
		{server: "429 with Retry-After or a reset", client: "closes the endpoint until then, and tries it every 15 minutes",
			answers: []ambienttest.Fault{ambienttest.RetryAfter(429, "60"), ambienttest.RetryAfter(429, "86400"), ambienttest.RetryAfter(429, "86400")},
			at:      []time.Duration{0, time.Minute, 16 * time.Minute, 31 * time.Minute}},
		{server: "429 with a reset that has passed", client: "closes the endpoint for 100 ms, doubling to 30 s",
			answers: []ambienttest.Fault{past, past, past, past, past, past, past, past, past, past, past},
			at:      []time.Duration{0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 6300 * ms, 12700 * ms, 25500 * ms, 51100 * ms, 81100 * ms, 111100 * ms}},
		{server: "429 and nothing else", client: "closes the endpoint for 250 ms, doubling to 30 s, then goes on slowly",
			answers: []ambienttest.Fault{ambienttest.Answer(429), ambienttest.Answer(429), ambienttest.Answer(429)}, at: []time.Duration{0, 250 * ms, 750 * ms, 1750 * ms}},
		{server: "Remaining: 0 and a reset", client: "closes the endpoints of this limit until then, and tries each every minute",
			answers: []ambienttest.Fault{hint("100", "0"), hint("100", "0")}, calls: 3, at: []time.Duration{0, 60 * s, 120 * s}},
		{server: "Remaining above 0", client: "has at most so many requests on their way",
			answers: []ambienttest.Fault{hint("100", "2"), slow, slow}, then: 3, at: []time.Duration{0, 0, 0, 500 * ms}},
		{server: "Limit: 0", client: "ignores the limit, what remains, and its reset",
			answers: []ambienttest.Fault{hint("0", "0"), hint("0", "0")}, calls: 3, at: []time.Duration{0, 0, 0}},
		{server: "a reset beyond the deadline", client: "returns a RateLimitError at once",
			answers: []ambienttest.Fault{ambienttest.RetryAfter(429, "7200")}, deadline: time.Hour, at: []time.Duration{0}, limited: true},
		{server: "a reset beyond MaxLimitWait", client: "returns a RateLimitError at once",
			answers: []ambienttest.Fault{ambienttest.RetryAfter(429, "7200")}, maxWait: time.Hour, at: []time.Duration{0}, limited: true},
	}
}

// Each row of the table of rate limits in doc.go is what a client does.
func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../doc.go")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(doc), "//\tthe server answers ")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n//\n")
	rows := limitTable()
	require.Equal(t, len(rows), strings.Count(table, "\n"))
	for _, row := range rows {
		assert.Regexp(t, `(?m)^//\t`+regexp.QuoteMeta(row.server)+` +`+regexp.QuoteMeta(row.client)+`$`, table)
		t.Run(row.server, func(t *testing.T) { harness.InBubble(t, row.check) })
	}
}

func (r limitRow) check(t *testing.T, srv *ambienttest.Server) {
	client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: cmp.Or(r.maxWait, 100*time.Hour)}))
	id := harness.Submitted(t, client)
	for i, f := range r.answers {
		srv.Fault(harness.GetRoute, i+1, f)
	}
	ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(r.deadline, 1000*time.Hour))
	defer cancel()
	start := time.Now()
	get := func() error { _, err := client.Transcriptions.Get(ctx, id); return err }
	for range max(r.calls, 1) {
		err := get()
		require.Equal(t, r.limited, err != nil, "%v", err)
		require.Equal(t, r.limited, harness.HoldsError[*ambient.RateLimitError](err))
	}
	for _, err := range harness.Callers(r.then, get) {
		assert.NoError(t, err)
	}
	var at []time.Duration
	for _, request := range srv.RequestsTo(harness.GetRoute) {
		at = append(at, request.Time.Sub(start))
	}
	assert.Equal(t, r.at, at)
}
