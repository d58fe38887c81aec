package conformance_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// TestNoSleepPastTheDeadline checks that a call ends at once if its next wait would
// pass the deadline. It has the error of the last attempt, which is a
// context.DeadlineExceeded too.
func TestNoSleepPastTheDeadline(t *testing.T) {
	unavailable := func(err error) bool {
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		return ok
	}
	for name, c := range map[string]struct {
		fault ambienttest.Fault
		is    func(error) bool
	}{
		"Retry-After": {ambienttest.RetryAfter(503, "60"), unavailable},
		"backoff":     {ambienttest.Answer(503), unavailable},
		"backoff after half an answer": {ambienttest.Fault{Status: 200, Body: `{"id": 7}`, Truncate: true}, func(err error) bool {
			network, ok := errors.AsType[*ambient.NetworkError](err)
			return ok && !network.Timeout()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault(harness.GetRoute, 1, c.fault)
				client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{BaseDelay: 1 << 55, MaxDelay: 1 << 55}))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				start := time.Now()
				err := harness.Get(ctx, client)
				assert.Zero(t, time.Since(start))
				assert.True(t, c.is(err), "%v", err)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, context.Canceled)
				assert.True(t, ambient.Retryable(err))
				assert.ErrorContains(t, err, "would pass the context's deadline")
				srv.AssertCount(t, harness.GetRoute, 1)
			})
		})
	}
}

// hidden is a context that ends at a deadline and has no Deadline.
type hidden struct{ context.Context }

func (hidden) Deadline() (time.Time, bool) { return time.Time{}, false }

// TestContextEndsInABackoff checks that the call returns at once, with the error of the
// context and that of the server.
func TestContextEndsInABackoff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		want []error
	}{
		"cancelled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, []error{context.Canceled}},
		"cancelled with a cause": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(harness.ErrShutdown) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, harness.ErrShutdown}},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, harness.ErrShutdown)
			return hidden{ctx}, cancel
		}, []error{context.DeadlineExceeded, harness.ErrShutdown}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault(harness.GetRoute, 1, ambienttest.RetryAfter(503, "60"))
				client := harness.NewClient(t, srv)
				require.NoError(t, client.Authenticate(t.Context()))
				ctx, cancel := c.end(t.Context())
				defer cancel()
				start := time.Now()
				var info ambient.CallInfo
				err := harness.Get(ctx, client, ambient.WithCallInfo(&info))
				assert.Equal(t, time.Second, time.Since(start))
				for _, want := range c.want {
					assert.ErrorIs(t, err, want)
				}
				assert.ErrorContains(t, err, c.want[0].Error())
				unavailable, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
				require.True(t, ok, "%v", err)
				assert.Len(t, unavailable.Attempts, 1)
				assert.Len(t, info.Attempts, 1)
				assert.False(t, ambient.MaybeSubmitted(err))
				assert.Equal(t, name == "deadline", ambient.Retryable(err))
			})
		})
	}
}

// TestContextEndsInAnAttempt checks a context that ends while the request is in flight.
func TestContextEndsInAnAttempt(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: time.Hour})
		client := harness.NewClient(t, srv)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(harness.ErrShutdown) })
		start := time.Now()
		_, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()})
		assert.Equal(t, time.Second, time.Since(start))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, harness.ErrShutdown)
		network, ok := errors.AsType[*ambient.NetworkError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, ambient.FullySent, network.Sent)
		assert.True(t, ambient.MaybeSubmitted(err), "nobody knows")
		assert.False(t, ambient.Retryable(err))
		srv.AssertCount(t, "POST /transcribe", 1)
	})
}

// TestContextEndsInAnErrorBody checks that the error is that of the status, which is
// known by then, and that of the context.
func TestContextEndsInAnErrorBody(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.GetRoute, 1, ambienttest.Fault{Status: 503, BodySize: ambienttest.Endless, Trickle: time.Second})
		client := harness.NewClient(t, srv)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		err := harness.Get(ctx, client)
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		assert.True(t, ok, "%v", err)
		srv.AssertCount(t, harness.GetRoute, 1)
	})
}

// TestEndedContextSendsNothing checks that there is not even a token call.
func TestEndedContextSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := ambienttest.StartInMemory(t)
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := harness.Get(ctx, client)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, "before anything was sent")
		_, err = client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()})
		assert.ErrorIs(t, err, context.Canceled)
		assert.False(t, ambient.MaybeSubmitted(err))
		srv.AssertCount(t, "*", 1)
	})
}
