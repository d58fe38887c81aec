package ambient_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// WithRateLimit counts requests, not calls: retries and polls are among them,
// token calls are not.
func TestWithRateLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told events
		client := newClient(t, srv, ambient.WithRateLimit(2, 1), ambient.WithObserver(told.observe), policy(ambient.RetryPolicy{BaseDelay: time.Nanosecond}))
		start := time.Now()
		plan(srv, ambienttest.Answer(503))
		_, err := submitOf(t.Context(), client, visit()) // 2 requests
		require.NoError(t, err)
		for range 7 {
			_, err := client.Transcriptions.Get(t.Context(), 101)
			require.NoError(t, err)
		}
		assert.InDelta(t, 4*time.Second, time.Since(start), float64(100*time.Millisecond))
		assert.Len(t, told.of(ambient.EventLimitWait), 8)
		srv.AssertCount(t, tokenRoute, 1)
	})
}

// A wait for the limiter that would be too long is told at once, as one for the
// server's limit is.
func TestLimiterThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		timeout  time.Duration
		max      time.Duration
		limiter  ambient.Option
		deadline bool
	}{
		{"the context's deadline", 10 * time.Second, 0, ambient.WithRateLimit(0.01, 1), true},
		{"MaxLimitWait", time.Hour, 10 * time.Second, ambient.WithRateLimit(0.01, 1), false},
		{"never wait", time.Hour, -1, ambient.WithRateLimit(0.01, 1), false},
		{"a rate.Limiter of the caller's", 10 * time.Second, 0, ambient.WithLimiter(rate.NewLimiter(0.01, 1)), true},
		{"a limiter that embeds one", 10 * time.Second, 0, ambient.WithLimiter(&countingLimiter{Limiter: rate.NewLimiter(0.01, 1)}), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv, c.limiter, policy(ambient.RetryPolicy{MaxLimitWait: c.max}))
				submitted(t, client)
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				start := time.Now()
				_, err := submitOf(ctx, client, visit())
				var limit *ambient.RateLimitError
				require.ErrorAs(t, err, &limit)
				assert.Empty(t, limit.Attempts)
				assert.EqualValues(t, -1, limit.Limit)
				assert.EqualValues(t, -1, limit.Remaining)
				assert.False(t, ambient.MaybeSubmitted(err))
				assert.Equal(t, c.deadline, isDeadline(err))
				assert.Zero(t, time.Since(start))
				srv.AssertCount(t, submitRoute, 1)
			})
		})
	}
}

// countingLimiter is a rate.Limiter with something to it.
type countingLimiter struct {
	*rate.Limiter
	asked atomic.Int64
	down  bool
}

func (l *countingLimiter) Wait(ctx context.Context) error {
	l.asked.Add(1)
	if l.down {
		return errLease
	}
	return l.Limiter.Wait(ctx)
}

// A limiter that embeds a rate.Limiter is asked by its own Wait, every time, and
// its own failures are no rate limit.
func TestLimiterThatEmbedsOne(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		l := &countingLimiter{Limiter: rate.NewLimiter(100, 100)}
		client := newClient(t, srv, ambient.WithLimiter(l))
		for range 5 {
			_, err := submitOf(t.Context(), client, visit())
			require.NoError(t, err)
		}
		assert.EqualValues(t, 5, l.asked.Load())
		l.down = true
		_, err := submitOf(t.Context(), client, visit())
		assert.True(t, isA[*ambient.RequestError](err), "%v", err)
	})
}

// A limiter that has to ask another process is given the time for it, however
// impatient the client is.
func TestLimiterThatAsksAnotherProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv, policy(ambient.RetryPolicy{MaxLimitWait: -1}), ambient.WithLimiter(limiterFunc(func(ctx context.Context) error {
			select {
			case <-time.After(20 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})))
		_, err := submitOf(t.Context(), client, visit())
		assert.NoError(t, err)
	})
}

func isDeadline(err error) bool {
	for e := range everyError(err) {
		if e == context.DeadlineExceeded {
			return true
		}
	}
	return false
}

var errLease = errors.New("no lease for " + secret)

// limiterFunc is a caller's own limiter.
type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// A limiter of the caller's is asked before each request, and bounded like all
// waits. Its failure is the caller's to see, without its text.
func TestWithLimiter(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		asked, stuck, failing := 0, false, false
		client := newClient(t, srv, policy(ambient.RetryPolicy{MaxLimitWait: time.Minute}), ambient.WithLimiter(limiterFunc(func(ctx context.Context) error {
			switch asked++; {
			case failing:
				return errLease
			case stuck:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})))
		plan(srv, limited("Retry-After", "1"), ambienttest.Answer(401))
		id := submitted(t, client)
		assert.Equal(t, 3, asked)
		srv.AssertCount(t, submitRoute, 3)

		stuck = true
		start := time.Now()
		var limit *ambient.RateLimitError
		_, err := client.Transcriptions.Get(t.Context(), id)
		require.ErrorAs(t, err, &limit)
		assert.False(t, isDeadline(err), "it was MaxLimitWait, not the caller's deadline")
		assert.Equal(t, time.Minute, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Transcriptions.Get(ctx, id)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 61*time.Second, time.Since(start))

		failing = true
		_, err = client.Transcriptions.Get(t.Context(), id)
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, "WithLimiter", bad.Field)
		assert.ErrorIs(t, err, errLease)
		tellsNothing(t, err)
		srv.AssertCount(t, getRoute, 0)
	})
}

// The gate tells of its closings and openings, and each call of its wait.
func TestLimitEvents(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told events
		client := newClient(t, srv, ambient.WithObserver(told.observe))
		id := submitted(t, client)
		planGets(srv, limited("Retry-After", "7"))
		for i, err := range callers(5, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
			require.NoError(t, err, i)
		}
		synctest.Wait()
		closed, opened, waits := told.of(ambient.EventLimitClosed), told.of(ambient.EventLimitOpened), told.of(ambient.EventLimitWait)
		require.Len(t, closed, 1)
		assert.Equal(t, 7*time.Second, closed[0].Wait)
		assert.Positive(t, closed[0].Waiting)
		require.Len(t, opened, 1)
		assert.Equal(t, 7*time.Second, opened[0].Time.Sub(closed[0].Time))
		assert.NotEmpty(t, waits)
		for _, e := range waits {
			assert.GreaterOrEqual(t, e.Wait, 7*time.Second)
			assert.Equal(t, "/transcribe/"+strconv.FormatInt(id, 10), e.Route)
		}
	})
}

// A limit that is lowered while calls go on is kept to as soon as answers tell.
func TestLimitLoweredInMidRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		limit := ambienttest.RateLimit{Limit: 50, Window: time.Second, Dialect: ambienttest.IETF}
		srv.SetRateLimit(limit)
		id := submitted(t, client)
		limit.Limit = 5
		time.AfterFunc(1500*time.Millisecond, func() { srv.SetRateLimit(limit) })
		start := time.Now()
		for i, err := range callers(170, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
			require.NoError(t, err, i)
		}
		assert.InDelta(t, 15*time.Second, time.Since(start), float64(time.Second)) // 99 in two seconds, then 5 a second
		assert.LessOrEqual(t, len(srv.RequestsTo(getRoute))-170, 45, "those of one window, sent before the news")
	})
}

// A window is a server's limit without a server.
type window struct {
	*clockwork
	mu            sync.Mutex
	limit, used   int
	start         time.Time
	took, refused int
}

func (w *window) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(5 * time.Millisecond)
	w.mu.Lock()
	if start := time.Now().Truncate(time.Second); !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
	ok := w.used < w.limit
	if ok {
		w.used++
		w.took++
	} else {
		w.refused++
	}
	left := w.limit - w.used
	w.mu.Unlock()
	resp, err := w.clockwork.RoundTrip(r)
	resp.Header.Set("Ratelimit-Limit", strconv.Itoa(w.limit))
	resp.Header.Set("Ratelimit-Remaining", strconv.Itoa(left))
	resp.Header.Set("Ratelimit-Reset", "1")
	if !ok {
		resp.StatusCode = 429
	}
	return resp, err
}

// Ten thousand calls at once are all served, in the limit's time, with hardly
// any refused.
func TestTenThousandCallsAtOnce(t *testing.T) {
	t.Parallel()
	calls := 10_000
	if raceEnabled {
		calls = 1_000
	}
	synctest.Test(t, func(t *testing.T) {
		clock, _ := newClockwork(t, 0)
		w := &window{clockwork: clock, limit: calls / 10}
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: w}))
		require.NoError(t, err)
		start := time.Now()
		for _, err := range callers(calls, func() error { _, err := client.Transcriptions.Get(t.Context(), 7); return err }) {
			require.NoError(t, err)
		}
		assert.Equal(t, calls, w.took)
		assert.LessOrEqual(t, w.refused, calls/100)
		assert.LessOrEqual(t, time.Since(start), 13*time.Second)
	})
}
