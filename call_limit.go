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

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// callLimit is what a call remembers of its waits for the rate limit.
type callLimit struct {
	position uint64           // in the queue; 0 before the first wait
	permit   *throttle.Permit // nil while the call has none
	allowed  bool             // the limiter has let the next request go
	budget   time.Duration    // how long the call may still wait; negative = not at all
}

// throttle is the one that the call's requests pass.
func (c *call) throttle() *throttle.Throttle {
	if c.request.isTokenCall {
		return c.client.tokenThrottle
	}
	return c.client.throttle
}

// acquire waits for a permit, and then for the limiter. It returns at once if the wait
// would pass the context's deadline or the call's budget.
func (c *call) acquire() error {
	start := time.Now()
	deadline, ok := c.ctx.Deadline()
	bounded := ok && deadline.Sub(start) < c.limit.budget
	permit, err := c.throttle().Acquire(c.ctx, c.request.endpoint, c.limit.budget, &c.limit.position)
	c.spendBudget(start)
	if tooLong, ok := errors.AsType[*throttle.TooLongError](err); ok {
		return c.limitError(tooLong.Until, bounded)
	}
	if err != nil {
		return c.interrupted()
	}
	c.limit.permit = permit
	if c.client.limiter == nil || c.request.isTokenCall || c.limit.allowed {
		return nil
	}
	defer c.spendBudget(time.Now())
	err = c.waitForLimiter()
	c.limit.allowed = err == nil
	return err
}

// confirm looks again whether the endpoint is open, just before the request. If it has
// closed while the call waited for the limiter, the call goes back to its place in the
// queue, and needs the limiter again after that.
func (c *call) confirm() bool {
	c.limit.allowed = false
	if !c.throttle().Confirm(c.limit.permit) {
		c.limit.permit = nil
	}
	return c.limit.permit != nil
}

// release gives the permit back, if the call has one, with the status of the answer and
// what that says of the rate limit.
func (c *call) release(status int, limits ratelimitheader.Info) {
	if c.limit.permit != nil {
		c.throttle().Release(c.ctx, c.limit.permit, status, limits)
		c.limit.permit = nil
	}
}

// noticeable is the shortest wait that is worth an event.
const noticeable = time.Millisecond

// spendBudget takes the time since start off the call's budget.
func (c *call) spendBudget(start time.Time) {
	d := time.Since(start)
	c.waited += d
	if c.limit.budget >= 0 {
		c.limit.budget = max(c.limit.budget-d, 0)
	}
	if d >= noticeable {
		c.emit(Event{Kind: EventLimitWait, Wait: d})
	}
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
