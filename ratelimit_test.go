package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// limited is a 429 with these headers, given as "Name", "value" pairs.
func limited(headers ...string) ambienttest.Fault {
	f := ambienttest.Answer(429)
	for i := 0; i < len(headers); i += 2 {
		f.Header.Set(headers[i], headers[i+1])
	}
	return f
}

// planGets plans the answers to the first GETs; the rest are good.
func planGets(srv *ambienttest.Server, faults ...ambienttest.Fault) {
	for i, f := range faults {
		srv.Fault(harness.GetRoute, i+1, f)
	}
}

func epochIn(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// Whatever dialect the server speaks, and however wrong its clock or ours is,
// all calls succeed in about the time that the limit allows.
func TestEveryDialectIsKeptTo(t *testing.T) {
	t.Parallel()
	dialects := map[string]ambienttest.Dialect{
		"no headers": ambienttest.NoHeaders, "Retry-After": ambienttest.RetryAfterOnly, "X-RateLimit": ambienttest.XRateLimit,
		"X-RateLimit in ms": ambienttest.XRateLimitMillis, "RateLimit in seconds": ambienttest.RateLimitDelta, "IETF": ambienttest.IETF,
	}
	for name, dialect := range dialects {
		skews := []time.Duration{0, time.Hour, -time.Hour}
		if dialect == ambienttest.NoHeaders || dialect == ambienttest.RateLimitDelta {
			skews = skews[:1] // no time of day is in these
		}
		for _, skew := range skews {
			t.Run(fmt.Sprintf("%s, clock off by %v", name, skew), func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					var told harness.Events
					client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
					id := harness.Submitted(t, client)
					srv.SetRateLimit(ambienttest.RateLimit{Limit: 10, Window: 10 * time.Second, Dialect: dialect, ClockSkew: skew})
					start := time.Now()
					for range 25 {
						_, err := client.Transcriptions.Get(t.Context(), id)
						require.NoError(t, err)
					}
					// Two windows are full; the clock begins at the start of one. What
					// goes beyond is the rounding of seconds and of Date.
					most := 25 * time.Second
					if dialect == ambienttest.NoHeaders {
						most = time.Minute
					}
					assert.GreaterOrEqual(t, time.Since(start), 20*time.Second)
					assert.LessOrEqual(t, time.Since(start), most)
					refused := len(srv.RequestsTo(harness.GetRoute)) - 25
					switch dialect {
					case ambienttest.NoHeaders:
						assert.Less(t, refused, 40)
					case ambienttest.RetryAfterOnly:
						assert.LessOrEqual(t, refused, 4, "each window ends with one")
					default:
						assert.Zero(t, refused, "Remaining: 0 says it before")
					}
				})
			})
		}
	}
}

// A reset that has passed, or is now, does not make a hot loop: the pauses
// double from 100 ms.
func TestResetInThePast(t *testing.T) {
	t.Parallel()
	for name, past := range map[string]func() ambienttest.Fault{
		"an hour ago":      func() ambienttest.Fault { return limited("X-RateLimit-Reset", epochIn(-time.Hour)) },
		"an old date":      func() ambienttest.Fault { return limited("Retry-After", "Thu, 01 Jan 1998 00:00:00 GMT") },
		"now":              func() ambienttest.Fault { return limited("Retry-After", "0") },
		"now, with a rest": func() ambienttest.Fault { return limited("RateLimit", `"a";r=0;t=0`) },
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				id := harness.Submitted(t, client)
				planGets(srv, past(), past(), past(), past(), past())
				start := time.Now()
				_, err := client.Transcriptions.Get(t.Context(), id)
				require.NoError(t, err)
				at := polls(srv, start)
				require.Len(t, at, 6)
				pause := 100 * time.Millisecond
				for i := 1; i < len(at); i++ {
					assert.Equal(t, pause, at[i]-at[i-1])
					pause *= 2
				}
			})
		})
	}
}

// Without any header the pauses begin with 250 ms.
func TestRefusalsWithoutHeaders(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		planGets(srv, limited(), limited(), limited())
		start := time.Now()
		tr, err := client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, 250*time.Millisecond+500*time.Millisecond+time.Second, time.Since(start).Truncate(250*time.Millisecond))
		assert.Nil(t, tr.Call.RateLimit)
		assert.Equal(t, 250*time.Millisecond, tr.Call.Attempts[1].Wait)
	})
}

// A reset that nobody can wait for is an error at once, with all that the server
// said of it; so is the next call's, which is not even sent.
func TestResetTenHoursAhead(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		reset := time.Now().Add(10 * time.Hour)
		planGets(srv, limited("X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", epochIn(10*time.Hour)))
		start := time.Now()
		_, err := client.Transcriptions.Get(t.Context(), id)
		assert.Zero(t, time.Since(start))
		var limit *ambient.RateLimitError
		require.ErrorAs(t, err, &limit)
		assert.Equal(t, 429, limit.StatusCode)
		assert.WithinDuration(t, reset, limit.ResetAt, time.Second)
		assert.InDelta(t, 10*time.Hour, limit.RetryAfter, float64(time.Second))
		assert.EqualValues(t, 100, limit.Limit)
		assert.Zero(t, limit.Remaining)
		assert.Len(t, limit.Attempts, 1)
		assert.ErrorContains(t, err, "MaxLimitWait")
		assert.True(t, ambient.Retryable(err))
		assert.NotErrorIs(t, err, context.DeadlineExceeded)

		_, err = client.Transcriptions.Get(t.Context(), id)
		require.ErrorAs(t, err, &limit)
		assert.WithinDuration(t, reset, limit.ResetAt, time.Second)
		assert.InDelta(t, 10*time.Hour, limit.RetryAfter, float64(time.Second))
		assert.Empty(t, limit.Attempts)
		srv.AssertCount(t, harness.GetRoute, 1)

		_, err = harness.SubmitOf(t.Context(), client, harness.Visit())
		require.NoError(t, err, "another endpoint")
	})
}

// A deadline before the reset ends a call at once: one that was refused, and one
// that comes later.
func TestDeadlineBeforeTheReset(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		refusal := limited("Retry-After", "60")
		refusal.Delay = time.Second
		srv.FaultRange(harness.GetRoute, 1, 20, refusal)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		errs := harness.Callers(20, func() error { // nothing is known of the endpoint, so all are sent
			return harness.Get(ctx, client)
		})
		sent := 0
		for _, err := range append(errs, harness.Get(ctx, client)) {
			var limit *ambient.RateLimitError
			require.ErrorAs(t, err, &limit)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorContains(t, err, "the context's deadline")
			sent += len(limit.Attempts)
			assert.False(t, ambient.MaybeSubmitted(err))
		}
		assert.Equal(t, 20, sent)
		srv.AssertCount(t, harness.GetRoute, 20)
		assert.Equal(t, time.Second, time.Since(start))
	})
}

// MaxLimitWait bounds all waits of a call together.
func TestMaxLimitWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		max      time.Duration
		attempts int
		waited   time.Duration
	}{{15 * time.Second, 3, 12 * time.Second}, {5 * time.Second, 1, 0}, {-1, 1, 0}} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: c.max}))
			id := harness.Submitted(t, client)
			srv.FaultRange(harness.GetRoute, 1, 100, limited("Retry-After", "6"))
			start := time.Now()
			_, err := client.Transcriptions.Get(t.Context(), id)
			var limit *ambient.RateLimitError
			require.ErrorAs(t, err, &limit)
			assert.Len(t, limit.Attempts, c.attempts)
			assert.Equal(t, c.waited, time.Since(start))
			assert.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// A refusal for the rate limit is no failed attempt.
func TestRefusalsDoNotCountAsAttempts(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		harness.Plan(srv, limited("Retry-After", "1"), limited("Retry-After", "1"), limited("Retry-After", "1"), ambienttest.Answer(503), limited("Retry-After", "1"))
		sub, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxAttempts: 2})), harness.Visit())
		require.NoError(t, err)
		assert.Len(t, sub.Call.Attempts, 6)
		assert.False(t, sub.PossibleDuplicate())
	})
}

// Ten minutes of refusals, and by then the token has expired: both are got over
// in one call, in milliseconds of a test's time.
func TestLimitAndThenAnExpiredToken(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		harness.Plan(srv, limited("Retry-After", "600"))
		time.AfterFunc(time.Minute, srv.RevokeTokens)
		start := time.Now()
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		require.NoError(t, err)
		assert.Equal(t, 10*time.Minute, time.Since(start).Truncate(time.Second))
		srv.AssertRoutes(t, harness.TokenRoute, harness.SubmitRoute, harness.SubmitRoute, harness.TokenRoute, harness.SubmitRoute)
	})
}

// A token that is known to have expired while its call waited in line is not sent:
// it would cost the call its one replay, and an upload its body.
func TestATokenThatExpiresInTheLine(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		harness.Plan(srv, limited("Retry-After", "400"), limited("Retry-After", "400"))
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		require.NoError(t, err)
		srv.AssertRoutes(t, harness.TokenRoute, harness.SubmitRoute, harness.TokenRoute, harness.SubmitRoute, harness.TokenRoute, harness.SubmitRoute)
	}, ambienttest.WithTokenLifetime(5*time.Minute))
}

// So it is where the line is longer than a token lives: no turn is given away.
func TestALineLongerThanATokenLives(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithRateLimit(1, 1))
		id := harness.Submitted(t, client)
		for _, err := range harness.Callers(100, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
			require.NoError(t, err)
		}
		for _, r := range srv.Requests() {
			assert.NotEqual(t, 401, r.Status)
		}
	}, ambienttest.WithTokenLifetime(30*time.Second))
}

// An upload that is refused has cost no byte of its body.
func TestRefusedUploadsCostNothing(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		srv.SetRateLimit(ambienttest.RateLimit{Limit: 1, Window: time.Minute, Dialect: ambienttest.RetryAfterOnly})
		var info ambient.CallInfo
		for range 2 {
			_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit()), ambient.WithCallInfo(&info))
			require.NoError(t, err)
		}
		arrived := srv.RequestsTo(harness.SubmitRoute)
		require.Len(t, arrived, 3)
		assert.Equal(t, 429, arrived[1].Status)
		assert.Zero(t, arrived[1].BodySize)
		assert.Zero(t, info.Attempts[0].BytesSent)
		assert.Equal(t, info.Attempts[1].BytesSent, arrived[2].BodySize)
	})
}

// What an answer says of the limit is in CallInfo, by this machine's clock.
func TestCallInfoHasTheRateLimit(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		srv.SetRateLimit(ambienttest.RateLimit{Limit: 10, Window: time.Minute, Dialect: ambienttest.XRateLimit, ClockSkew: -time.Hour})
		tr, err := client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		assert.EqualValues(t, 10, tr.Call.RateLimit.Limit)
		assert.EqualValues(t, 9, tr.Call.RateLimit.Remaining)
		assert.WithinDuration(t, time.Now().Add(time.Minute), tr.Call.RateLimit.ResetAt, time.Second)
		srv.SetRateLimit(ambienttest.RateLimit{})
		tr, err = client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		assert.Nil(t, tr.Call.RateLimit)
	})
}

// WithRateLimit counts requests, not calls: retries and polls are among them,
// token calls are not.
func TestWithRateLimit(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithRateLimit(2, 1), ambient.WithObserver(told.Observe), harness.Policy(ambient.RetryPolicy{BaseDelay: time.Nanosecond}))
		start := time.Now()
		harness.Plan(srv, ambienttest.Answer(503))
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit()) // 2 requests
		require.NoError(t, err)
		for range 7 {
			_, err := client.Transcriptions.Get(t.Context(), 101)
			require.NoError(t, err)
		}
		assert.InDelta(t, 4*time.Second, time.Since(start), float64(100*time.Millisecond))
		assert.Len(t, told.Of(ambient.EventLimitWait), 8)
		srv.AssertCount(t, harness.TokenRoute, 1)
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
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv, c.limiter, harness.Policy(ambient.RetryPolicy{MaxLimitWait: c.max}))
				harness.Submitted(t, client)
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				start := time.Now()
				_, err := harness.SubmitOf(ctx, client, harness.Visit())
				var limit *ambient.RateLimitError
				require.ErrorAs(t, err, &limit)
				assert.Empty(t, limit.Attempts)
				assert.EqualValues(t, -1, limit.Limit)
				assert.EqualValues(t, -1, limit.Remaining)
				assert.False(t, ambient.MaybeSubmitted(err))
				assert.Equal(t, c.deadline, isDeadline(err))
				assert.Zero(t, time.Since(start))
				srv.AssertCount(t, harness.SubmitRoute, 1)
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
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		l := &countingLimiter{Limiter: rate.NewLimiter(100, 100)}
		client := harness.NewClient(t, srv, ambient.WithLimiter(l))
		for range 5 {
			_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
			require.NoError(t, err)
		}
		assert.EqualValues(t, 5, l.asked.Load())
		l.down = true
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		assert.True(t, harness.IsA[*ambient.RequestError](err), "%v", err)
	})
}

// A limiter that has to ask another process is given the time for it, however
// impatient the client is.
func TestLimiterThatAsksAnotherProcess(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: -1}), ambient.WithLimiter(limiterFunc(func(ctx context.Context) error {
			select {
			case <-time.After(20 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})))
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		assert.NoError(t, err)
	})
}

func isDeadline(err error) bool {
	for e := range harness.EveryError(err) {
		if e == context.DeadlineExceeded {
			return true
		}
	}
	return false
}

var errLease = errors.New("no lease for " + harness.Secret)

// limiterFunc is a caller's own limiter.
type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// A limiter of the caller's is asked before each request, and bounded like all
// waits. Its failure is the caller's to see, without its text.
func TestWithLimiter(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		// A limiter may still run when its call has returned.
		var asked atomic.Int32
		var stuck, failing atomic.Bool
		client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: time.Minute}), ambient.WithLimiter(limiterFunc(func(ctx context.Context) error {
			asked.Add(1)
			switch {
			case failing.Load():
				return errLease
			case stuck.Load():
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})))
		harness.Plan(srv, limited("Retry-After", "1"), ambienttest.Answer(401))
		id := harness.Submitted(t, client)
		assert.EqualValues(t, 3, asked.Load())
		srv.AssertCount(t, harness.SubmitRoute, 3)

		stuck.Store(true)
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

		failing.Store(true)
		_, err = client.Transcriptions.Get(t.Context(), id)
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, "WithLimiter", bad.Field)
		assert.ErrorIs(t, err, errLease)
		harness.TellsNothing(t, err)
		srv.AssertCount(t, harness.GetRoute, 0)
	})
}

// The gate tells of its closings and openings, and each call of its wait.
func TestLimitEvents(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		id := harness.Submitted(t, client)
		planGets(srv, limited("Retry-After", "7"))
		for i, err := range harness.Callers(5, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
			require.NoError(t, err, i)
		}
		synctest.Wait()
		closed, opened, waits := told.Of(ambient.EventLimitClosed), told.Of(ambient.EventLimitOpened), told.Of(ambient.EventLimitWait)
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
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		limit := ambienttest.RateLimit{Limit: 50, Window: time.Second, Dialect: ambienttest.IETF}
		srv.SetRateLimit(limit)
		id := harness.Submitted(t, client)
		_, err := client.Transcriptions.Get(t.Context(), id) // so that the limit of the endpoint is known
		require.NoError(t, err)
		limit.Limit = 5
		time.AfterFunc(1500*time.Millisecond, func() { srv.SetRateLimit(limit) })
		start := time.Now()
		for i, err := range harness.Callers(170, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
			require.NoError(t, err, i)
		}
		assert.InDelta(t, 15*time.Second, time.Since(start), float64(time.Second)) // 99 in two seconds, then 5 a second
		assert.LessOrEqual(t, len(srv.RequestsTo(harness.GetRoute))-170, 45, "those of one window, sent before the news")
	})
}
