package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
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

// waits collects what the client says of its backoffs.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) observe(_ context.Context, e ambient.Event) {
	if e.Kind == ambient.EventRetry {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, e.Wait)
	}
}

func TestMaxAttemptsBoundsTheRequests(t *testing.T) {
	t.Parallel()
	for _, attempts := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(attempts), func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.FaultRange(harness.GetRoute, 1, 100, ambienttest.Answer(503))
				err := harness.Get(t.Context(), harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxAttempts: attempts})))
				unavailable, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
				require.True(t, ok, "%v", err)
				assert.Len(t, unavailable.Attempts, attempts)
				srv.AssertCount(t, harness.GetRoute, attempts)
			})
		})
	}
}

// TestLastAnswerSurvives: what the last answer said is in the error, however
// many attempts came before it.
func TestLastAnswerSurvives(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 3, ambienttest.ProxyHTML(502))
		last := ambienttest.RetryAfter(503, "1")
		last.Header.Set("X-Request-Id", "req-4")
		last.Body = `{"detail": "Transcription not found"}`
		srv.Fault(harness.GetRoute, 4, last)
		err := harness.Get(t.Context(), harness.NewClient(t, srv))
		unavailable, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, last.Body, string(unavailable.Body()))
		assert.Equal(t, "Transcription not found", unavailable.Detail)
		assert.Equal(t, "req-4", unavailable.RequestID)
		assert.Equal(t, "1", unavailable.Header.Get("Retry-After"))
		assert.Equal(t, time.Second, unavailable.RetryAfter)
		assert.ErrorContains(t, err, "4 attempts")
	})
}

// TestJitterIsFull: a backoff is anything between nothing and its bound, evenly
// spread, and the bound doubles up to MaxDelay.
func TestJitterIsFull(t *testing.T) {
	t.Parallel()
	const calls = 200
	bounds := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second} // the last is MaxDelay
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 4*calls, ambienttest.Answer(503))
		byRetry := make([][]time.Duration, len(bounds))
		for range calls {
			var w waits // and a client with a quota of its own
			client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithObserver(w.observe),
				harness.Policy(ambient.RetryPolicy{BaseDelay: bounds[0], MaxDelay: bounds[2]}))
			require.Error(t, harness.Get(t.Context(), client))
			require.Len(t, w.all, len(bounds))
			for i, wait := range w.all {
				byRetry[i] = append(byRetry[i], wait)
			}
		}
		for i, bound := range bounds {
			var sum, least, most time.Duration
			least = math.MaxInt64
			for _, wait := range byRetry[i] {
				sum, least, most = sum+wait, min(least, wait), max(most, wait)
			}
			assert.LessOrEqual(t, most, bound)
			assert.Greater(t, most, bound*9/10)
			assert.Less(t, least, bound/10)
			assert.InDelta(t, 0.5, float64(sum)/float64(calls)/float64(bound), 0.1, "mean of retry %d", i+1)
		}
	})
}

// TestExtremeDelaysDoNotOverflow: doubling must end before it wraps around.
func TestExtremeDelaysDoNotOverflow(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]ambient.RetryPolicy{
		"longest base":     {BaseDelay: math.MaxInt64, MaxDelay: math.MaxInt64},
		"longest maximum":  {BaseDelay: time.Second, MaxDelay: math.MaxInt64, MaxAttempts: 90},
		"base above max":   {BaseDelay: time.Hour, MaxDelay: time.Second},
		"shortest of both": {BaseDelay: 1, MaxDelay: 1},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.FaultRange(harness.GetRoute, 1, 90, ambienttest.Answer(503))
				var w waits
				client := harness.NewClient(t, srv, harness.Policy(p), ambient.WithObserver(w.observe))
				require.NotPanics(t, func() { _ = harness.Get(t.Context(), client) })
				for _, wait := range w.all {
					assert.GreaterOrEqual(t, wait, time.Duration(0))
					assert.LessOrEqual(t, wait, p.MaxDelay)
				}
			})
		})
	}
}

// TestRetryAfterOnServerErrors: go-retryablehttp reads integer seconds and one
// form of date, and takes an overflow for no wait at all.
func TestRetryAfterOnServerErrors(t *testing.T) {
	t.Parallel()
	const backoff = -1 // nothing usable: the backoff, which is not zero
	const refused = -2 // more than MaxServerDelay: the call ends
	for _, c := range []struct {
		name  string
		value func(now time.Time) string
		wait  time.Duration
	}{
		{"seconds", is("7"), 7 * time.Second},
		{"a fraction", is("1.5"), 1500 * time.Millisecond},
		{"IMF-fixdate", func(now time.Time) string { return now.Add(9 * time.Second).Format(http.TimeFormat) }, 9 * time.Second},
		{"RFC 850 date", func(now time.Time) string {
			return now.Add(9*time.Second).Format("Monday, 02-Jan-06 15:04:05") + " GMT"
		}, 9 * time.Second},
		{"asctime date", func(now time.Time) string { return now.Add(9 * time.Second).Format(time.ANSIC) }, 9 * time.Second},
		{"epoch", func(now time.Time) string { return fmt.Sprint(now.Unix() + 9) }, 9 * time.Second},
		{"at MaxServerDelay", is("120"), 2 * time.Minute},
		{"above MaxServerDelay", is("121"), refused},
		{"a day", is("86400"), refused},
		{"date in a year", func(now time.Time) string { return now.AddDate(1, 0, 0).Format(http.TimeFormat) }, refused},
		{"zero", is("0"), backoff},
		{"negative", is("-5"), backoff},
		{"past date", is("Wed, 21 Oct 1998 07:28:00 GMT"), backoff},
		{"overflow of nanoseconds", is("9223372036855"), refused}, // as milliseconds since 1970: the year 2262
		{"overflow of int64", is("9223372036854775807"), backoff},
		{"overflow of everything", is(strings.Repeat("9", 400)), backoff},
		{"not a number", is("NaN"), backoff},
		{"words", is("soon"), backoff},
		{"empty", is(""), backoff},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				time.Sleep(26 * 365 * 24 * time.Hour) // a bubble begins in 2000, when epochs were shorter
				srv.FaultRange(harness.GetRoute, 1, 4, ambienttest.RetryAfter(503, c.value(time.Now().UTC())))
				var w waits
				client := harness.NewClient(t, srv, ambient.WithObserver(w.observe), harness.Policy(ambient.RetryPolicy{BaseDelay: time.Second, MaxAttempts: 2}))
				start := time.Now()
				err := harness.Get(t.Context(), client)
				require.Error(t, err)
				switch c.wait {
				case refused:
					srv.AssertCount(t, harness.GetRoute, 1)
					assert.Zero(t, time.Since(start))
					assert.ErrorContains(t, err, "longer than MaxServerDelay")
				case backoff:
					srv.AssertCount(t, harness.GetRoute, 2)
					assert.Positive(t, time.Since(start), "no hot loop")
					assert.LessOrEqual(t, time.Since(start), time.Second)
				default:
					srv.AssertCount(t, harness.GetRoute, 2)
					assert.Equal(t, c.wait, time.Since(start))
				}
			})
		})
	}
}

func is(value string) func(time.Time) string { return func(time.Time) string { return value } }

// TestQuotaHoldsAnOutageDown: 1,000 callers in an outage of 30 s are no 4,000
// requests.
func TestQuotaHoldsAnOutageDown(t *testing.T) {
	t.Parallel()
	const callers = 1000
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 4*callers, ambienttest.Answer(503))
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		var wg sync.WaitGroup
		var spent atomic.Int64
		for i := range callers {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 30 * time.Second / callers)
				err := harness.Get(context.Background(), client)
				_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
				assert.True(t, ok, "%v", err)
				if strings.Contains(err.Error(), "retry quota is spent") {
					spent.Add(1)
				}
			})
		}
		wg.Wait()
		requests := len(srv.RequestsTo(harness.GetRoute))
		assert.Less(t, requests, callers*12/10)
		assert.Equal(t, callers+100, requests, "500 tokens are 100 retries")
		assert.Greater(t, spent.Load(), int64(callers/2))
	})
}

// TestQuotaIsRefunded: a call that succeeds in the end costs nothing, and every
// plain success earns one token back.
func TestQuotaIsRefunded(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		const cost, drain = 10, 50 // tokens of a retry after a network failure, and such retries in the quota
		client := harness.NewClient(t, srv, ambient.WithHTTPClient((&failingDialer{}).client(srv.Client())), harness.Policy(ambient.RetryPolicy{MaxAttempts: 2}))
		lost := ambienttest.Fault{Status: 200, Body: "cut off", Truncate: true}
		arrived := 0
		call := func(answers ...ambienttest.Fault) error {
			for i, f := range answers {
				srv.Fault(harness.GetRoute, arrived+i+1, f)
			}
			arrived += len(answers)
			err := harness.Get(t.Context(), client)
			srv.AssertCount(t, harness.GetRoute, arrived)
			return err
		}
		for range drain {
			require.Error(t, call(lost, lost))
		}
		require.ErrorContains(t, call(lost), "the client's retry quota is spent")

		for range cost {
			require.NoError(t, call(harness.SomeJob))
		}
		for range drain {
			require.NoError(t, call(lost, harness.SomeJob), "refunded each time")
		}
		require.Error(t, call(lost, lost))
		require.ErrorContains(t, call(lost), "the client's retry quota is spent")
	})
}
