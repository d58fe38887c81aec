package ambient_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// TestEveryAttemptIsRecorded: a call that meets a rate limit, a lost
// connection, a refused token and a gateway has five attempts, each as it was.
func TestEveryAttemptIsRecorded(t *testing.T) {
	t.Parallel()
	bad := []ambienttest.Fault{
		ambienttest.RetryAfter(429, "2"), {Reset: ambienttest.ResetMidBody, Delay: time.Second}, ambienttest.Answer(401), ambienttest.RetryAfter(502, "3"),
	}
	for name, last := range map[string]ambienttest.Fault{"in a success": {}, "in an error": ambienttest.Answer(422)} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, append(bad, last)...)
				client := harness.NewClient(t, srv)
				require.NoError(t, client.Authenticate(t.Context()))
				time.Sleep(10 * time.Second) // a refused token is replaced at once if it is not new
				var info ambient.CallInfo
				start := time.Now()
				sub, err := harness.SubmitOf(t.Context(), client, harness.AudioOf(""), ambient.WithCallInfo(&info))
				took := time.Since(start)

				final := http.StatusAccepted
				if last.Status == 0 {
					require.NoError(t, err)
					assert.Equal(t, info.Attempts, sub.Call.Attempts)
					assert.True(t, sub.PossibleDuplicate(), "after the 502")
				} else {
					final = last.Status
					invalid, ok := errors.AsType[*ambient.ValidationError](err)
					require.True(t, ok, "%v", err)
					assert.Equal(t, info.Attempts, invalid.Attempts)
					assert.True(t, ambient.MaybeSubmitted(err), "after the 502")
				}
				a := info.Attempts
				require.Len(t, a, 5)
				srv.AssertCount(t, "POST /auth/token", 2)
				size := srv.RequestsTo(harness.SubmitRoute)[4].BodySize

				end := start
				for i, want := range []struct {
					status int
					sent   ambient.Delivery
					reused bool
				}{{429, ambient.Answered, true}, {0, ambient.PartlySent, true}, {401, ambient.Answered, false}, {502, ambient.Answered, true}, {final, ambient.Answered, true}} {
					assert.Equal(t, want.status, a[i].StatusCode, "attempt %d", i+1)
					assert.Equal(t, want.sent, a[i].Sent, "attempt %d", i+1)
					assert.Equal(t, want.reused, a[i].ConnReused, "attempt %d", i+1)
					assert.Equal(t, end.Add(a[i].Wait), a[i].Start, "attempt %d begins when its wait is over", i+1)
					assert.GreaterOrEqual(t, a[i].Duration, time.Duration(0))
					end = a[i].Start.Add(a[i].Duration)
					if want.status == 0 {
						assert.Error(t, a[i].Err)
						assert.Greater(t, a[i].BytesSent, size/2-1)
						assert.Less(t, a[i].BytesSent, size)
					} else {
						assert.NoError(t, a[i].Err)
						assert.Equal(t, size, a[i].BytesSent, "attempt %d", i+1)
					}
				}
				assert.Equal(t, took, end.Sub(start))
				assert.Equal(t, 2*time.Second, a[1].Wait, "for the rate limit")
				assert.Equal(t, time.Second, a[1].Duration)
				assert.LessOrEqual(t, a[2].Wait, 500*time.Millisecond, "a backoff")
				assert.Less(t, a[3].Wait, 10*time.Millisecond, "a new token needs no wait; the gate spaces requests after a refusal")
				assert.Equal(t, 3*time.Second, a[4].Wait, "as the gateway asked")
			})
		})
	}
}

// TestNetworkErrorHasItsAttempts: exhaustion keeps the last failure and all
// attempts.
func TestNetworkErrorHasItsAttempts(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.SubmitRoute, 1, 4, ambienttest.Fault{Reset: ambienttest.ResetMidBody})
		var info ambient.CallInfo
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), harness.AudioOf(""), ambient.WithCallInfo(&info))
		network, ok := errors.AsType[*ambient.NetworkError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, network.Attempts, 4)
		assert.Equal(t, network.Attempts, info.Attempts)
		assert.Error(t, network.Unwrap())
		assert.True(t, ambient.Retryable(err))
		assert.ErrorContains(t, err, "4 attempts")
	})
}

// TestUnsentCallHasNoAttempt: what never reached the wire of this call's route.
func TestUnsentCallHasNoAttempt(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange("POST /auth/token", 1, 4, ambienttest.Answer(503))
		info := ambient.CallInfo{RequestID: "stale"}
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), harness.Visit(), ambient.WithCallInfo(&info))
		unavailable, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "/auth/token", unavailable.Route)
		assert.Len(t, unavailable.Attempts, 4, "of the token call")
		assert.Empty(t, info.Attempts)
		assert.Empty(t, info.RequestID)
		assert.False(t, ambient.MaybeSubmitted(err))
	})
}

// TestATokenErrorDoesNotHideASubmit: the gateway may have passed the first
// attempt on; that the token could not be renewed after it changes nothing.
func TestATokenErrorDoesNotHideASubmit(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		harness.Plan(srv, ambienttest.RetryAfter(502, "10"), ambienttest.Answer(401))
		srv.Fault("POST /auth/token", 2, ambienttest.Answer(401))
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), harness.Visit())
		_, ok := errors.AsType[*ambient.UnauthorizedError](err)
		assert.True(t, ok, "%v", err)
		assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
		srv.AssertCount(t, harness.SubmitRoute, 2)
	})
}

// failingLimiter fails from its nth Wait on.
type failingLimiter struct {
	mu   sync.Mutex
	left int
}

var errLimiter = errors.New("the limiter's server is down")

func (l *failingLimiter) Wait(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left < 0 {
		return errLimiter
	}
	return nil
}

// TestALimiterErrorDoesNotHideASubmit is the same for a limiter of the caller's.
func TestALimiterErrorDoesNotHideASubmit(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		harness.Plan(srv, ambienttest.ProxyHTML(504))
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv, ambient.WithLimiter(&failingLimiter{left: 1})), harness.Visit())
		assert.ErrorIs(t, err, errLimiter)
		assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
		srv.AssertCount(t, harness.SubmitRoute, 1)
	})
}
