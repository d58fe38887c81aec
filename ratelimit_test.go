package ambient_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// planGets plans the answers to the first GETs; the rest are good.
func planGets(srv *ambienttest.Server, faults ...ambienttest.Fault) {
	for i, f := range faults {
		srv.Fault(getRoute, i+1, f)
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
				inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					var told events
					client := newClient(t, srv, ambient.WithObserver(told.observe))
					id := submitted(t, client)
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
					refused := len(srv.RequestsTo(getRoute)) - 25
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
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv)
				id := submitted(t, client)
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
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

		_, err = submitOf(t.Context(), client, visit())
		require.ErrorAs(t, err, &limit)
		assert.WithinDuration(t, reset, limit.ResetAt, time.Second)
		assert.InDelta(t, 10*time.Hour, limit.RetryAfter, float64(time.Second))
		assert.Empty(t, limit.Attempts)
		assert.False(t, ambient.MaybeSubmitted(err))
		srv.AssertCount(t, submitRoute, 1)
	})
}

// A deadline before the reset ends a call at once: one that was refused, one
// that comes later, and one that waits already.
func TestDeadlineBeforeTheReset(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		refusal := limited("Retry-After", "60")
		refusal.Delay = time.Second
		srv.FaultRange(getRoute, 1, 8, refusal)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		start := time.Now()
		errs := callers(20, func() error { // eight are sent, the others wait for their answers
			return get(ctx, client)
		})
		sent := 0
		for _, err := range append(errs, get(ctx, client)) {
			var limit *ambient.RateLimitError
			require.ErrorAs(t, err, &limit)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.ErrorContains(t, err, "the context's deadline")
			sent += len(limit.Attempts)
			assert.False(t, ambient.MaybeSubmitted(err))
		}
		assert.Equal(t, 8, sent)
		srv.AssertCount(t, getRoute, 8)
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
		inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := newClient(t, srv, policy(ambient.RetryPolicy{MaxLimitWait: c.max}))
			id := submitted(t, client)
			srv.FaultRange(getRoute, 1, 100, limited("Retry-After", "6"))
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		plan(srv, limited("Retry-After", "1"), limited("Retry-After", "1"), limited("Retry-After", "1"), ambienttest.Answer(503), limited("Retry-After", "1"))
		sub, err := submitOf(t.Context(), newClient(t, srv, policy(ambient.RetryPolicy{MaxAttempts: 2})), visit())
		require.NoError(t, err)
		assert.Len(t, sub.Call.Attempts, 6)
		assert.False(t, sub.PossibleDuplicate())
	})
}

// Ten minutes of refusals, and by then the token has expired: both are got over
// in one call, in milliseconds of a test's time.
func TestLimitAndThenAnExpiredToken(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		plan(srv, limited("Retry-After", "600"))
		time.AfterFunc(time.Minute, srv.RevokeTokens)
		start := time.Now()
		_, err := submitOf(t.Context(), client, visit())
		require.NoError(t, err)
		assert.Equal(t, 10*time.Minute, time.Since(start).Truncate(time.Second))
		srv.AssertRoutes(t, tokenRoute, submitRoute, submitRoute, tokenRoute, submitRoute)
	})
}

// A token that is known to have expired while its call waited in line is not sent:
// it would cost the call its one replay, and an upload its body.
func TestATokenThatExpiresInTheLine(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		plan(srv, limited("Retry-After", "400"), limited("Retry-After", "400"))
		_, err := submitOf(t.Context(), client, visit())
		require.NoError(t, err)
		srv.AssertRoutes(t, tokenRoute, submitRoute, tokenRoute, submitRoute, tokenRoute, submitRoute)
	}, ambienttest.WithTokenLifetime(5*time.Minute))
}

// So it is where the line is longer than a token lives: no turn is given away.
func TestALineLongerThanATokenLives(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv, ambient.WithRateLimit(1, 1))
		id := submitted(t, client)
		for _, err := range callers(100, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		srv.SetRateLimit(ambienttest.RateLimit{Limit: 1, Window: time.Minute, Dialect: ambienttest.RetryAfterOnly})
		var info ambient.CallInfo
		for range 2 {
			_, err := submitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", announcedVisit()), ambient.WithCallInfo(&info))
			require.NoError(t, err)
		}
		arrived := srv.RequestsTo(submitRoute)
		require.Len(t, arrived, 3)
		assert.Equal(t, 429, arrived[1].Status)
		assert.Zero(t, arrived[1].BodySize)
		assert.Zero(t, info.Attempts[0].BytesSent)
		assert.Equal(t, info.Attempts[1].BytesSent, arrived[2].BodySize)
	})
}

// What an answer says of the limit is in CallInfo, by this machine's clock.
func TestCallInfoHasTheRateLimit(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
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
