package ambient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// callLimit is what a call remembers of its waits for the rate limit.
type callLimit struct {
	position uint64 // in the queue; 0 before the first wait
	permit   throttle.Ticket
	held     bool          // the call has the permit
	budget   time.Duration // how long the call may still wait; negative = not at all
}

// throttle is the one that the call's requests pass.
func (c *call) throttle() *throttle.Gate {
	if c.request.isTokenCall {
		return c.client.tokenThrottle
	}
	return c.client.throttle
}

// acquire waits for the limiter and for a permit. It returns at once if the wait
// would pass the context's deadline or the call's budget.
func (c *call) acquire() error {
	start := time.Now()
	if c.client.limiter != nil && !c.request.isTokenCall {
		if err := c.waitForLimiter(); err != nil {
			return err
		}
		start = c.spendBudget(start)
	}
	permit, err := c.throttle().Enter(c.ctx, c.limit.budget, &c.limit.position)
	c.spendBudget(start)
	if tooLong, ok := errors.AsType[*throttle.TooLongError](err); ok {
		return c.limitError(tooLong.Until, tooLong.Deadline)
	}
	if err != nil {
		return c.interrupted()
	}
	c.limit.permit, c.limit.held = permit, true
	return nil
}

// release gives the permit back, if the call has one.
func (c *call) release(o throttle.Outcome) {
	if c.limit.held {
		c.limit.held = false
		c.throttle().Leave(c.limit.permit, o)
	}
}

// noticeable is the shortest wait that is worth an event.
const noticeable = time.Millisecond

// spendBudget takes the time since start off the call's budget, and returns now.
func (c *call) spendBudget(start time.Time) time.Time {
	now := time.Now()
	d := now.Sub(start)
	c.waited += d
	if c.limit.budget >= 0 {
		c.limit.budget = max(c.limit.budget-d, 0)
	}
	if d >= noticeable {
		c.emit(Event{Kind: EventLimitWait, Wait: d})
	}
	return now
}

// limiterAnswerTime is what a Limiter may need to answer. It may ask another
// process, so this is no wait for the rate limit.
const limiterAnswerTime = time.Second

// waitForLimiter waits for the Limiter, for no longer than the call may wait. The
// error that x/time/rate has for a wait that would be too long is known by its text
// alone. A test watches that text.
func (c *call) waitForLimiter() error {
	maxWait := max(c.limit.budget, limiterAnswerTime)
	if local, ok := c.client.limiter.(*rate.Limiter); ok {
		if local.Allow() {
			return nil
		}
		maxWait = max(c.limit.budget, noticeable)
	}
	ctx, cancel := context.WithTimeout(c.ctx, maxWait)
	defer cancel()
	err := c.limiterWait(ctx)
	if err == nil {
		return nil
	}
	switch {
	case c.ctx.Err() != nil:
		return c.interrupted()
	case errors.Is(err, context.DeadlineExceeded), strings.HasSuffix(err.Error(), "would exceed context deadline"):
		deadline, ok := c.ctx.Deadline()
		return c.limitError(time.Time{}, ok && time.Until(deadline) < maxWait)
	}
	return &RequestError{Field: "WithLimiter", Problem: "the limiter failed: " + safeText(err), cause: safeError(err)}
}

// limiterWait waits for the Limiter. A limiter that the caller gave may ignore its
// context, so it is left behind when that ends.
func (c *call) limiterWait(ctx context.Context) error {
	if local, ok := c.client.limiter.(*rate.Limiter); ok {
		return local.Wait(ctx)
	}
	err, left := callWithContext(ctx, c.client, func() error { return c.client.limiter.Wait(ctx) })
	return cmp.Or(left, err)
}

// limitError is the error of a call that cannot wait for the rate limit. After a 429
// it is the error of that answer.
func (c *call) limitError(until time.Time, deadline bool) error {
	outcome, bound := "not sent", "MaxLimitWait"
	if len(c.history.attempts) > 0 {
		outcome = "not repeated"
	}
	if deadline {
		bound = "the context's deadline"
	}
	if until.IsZero() {
		return c.rateLimitError(ending{outcome + ": the wait for the rate limit would pass " + bound, deadline})
	}
	asked := max(time.Until(until), 0)
	e := c.rateLimitError(ending{fmt.Sprintf("%s: the rate limit resets in %v, past %s", outcome, round(asked), bound), deadline})
	e.ResetAt, e.RetryAfter = until, max(until.Sub(e.Time), 0)
	return e
}

// rateLimitError is the error of the last answer if that was a 429, else a 429 that
// the client answers itself.
func (c *call) rateLimitError(end ending) *RateLimitError {
	if len(c.history.attempts) > 0 && c.last.report.Status == http.StatusTooManyRequests {
		return c.statusError(c.history.snapshot(end)).(*RateLimitError)
	}
	h := c.history.snapshot(end)
	return &RateLimitError{
		APIError: &APIError{StatusCode: http.StatusTooManyRequests, Method: h.method, Route: h.route, Time: time.Now(), Attempts: h.attempts, history: h},
		Limit:    -1, Remaining: -1,
	}
}
