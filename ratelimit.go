package ambient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// RateLimit is what an answer said of the account's rate limit.
type RateLimit struct {
	Limit     int64     // requests per window; -1 when unknown
	Remaining int64     // requests left in the window; -1 when unknown
	ResetAt   time.Time // when the window ends, by this machine's clock; zero when unknown
}

// takeTurn waits for the limiter and the gate. It returns at once if the wait
// would outlast the call's context or patience.
func (c *call) takeTurn() error {
	start := time.Now()
	if c.limiter != nil && c.gate != c.tokenGate {
		if err := c.waitForLimiter(); err != nil {
			return err
		}
		start = c.countWait(start)
	}
	var err error
	c.ticket, err = c.gate.Enter(c.ctx, c.limitLeft, &c.order)
	c.inTurn = err == nil
	c.countWait(start)
	if tooLong, ok := errors.AsType[*throttle.TooLongError](err); ok {
		return c.limitError(tooLong.Until, tooLong.Deadline)
	}
	if err != nil {
		return c.interrupted()
	}
	return nil
}

// endTurn lets the next call have its turn.
func (c *call) endTurn(o throttle.Outcome) {
	if c.inTurn {
		c.inTurn = false
		c.gate.Leave(c.ticket, o)
	}
}

// noticeable is the shortest wait that is worth an event.
const noticeable = time.Millisecond

// countWait takes the time since start off the call's patience, and returns now.
func (c *call) countWait(start time.Time) time.Time {
	now := time.Now()
	d := now.Sub(start)
	c.waited += d
	if c.limitLeft >= 0 {
		c.limitLeft = max(c.limitLeft-d, 0)
	}
	if d >= noticeable {
		c.emit(Event{Kind: EventLimitWait, Wait: d})
	}
	return now
}

// answerTime is what a limiter of the caller's own may need to answer, which is no
// wait for the limit: it may ask another process.
const answerTime = time.Second

// waitForLimiter asks the caller's limiter, for no longer than the call may
// wait. The error of x/time/rate for a wait that would be too long is no
// context.DeadlineExceeded and has only its text to be known by, which a test keeps
// watch on; ours is one where it was the context's deadline.
func (c *call) waitForLimiter() error {
	patience := max(c.limitLeft, answerTime)
	if static, ok := c.limiter.(*rate.Limiter); ok {
		if static.Allow() {
			return nil
		}
		patience = max(c.limitLeft, noticeable)
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	err := c.limiter.Wait(ctx)
	if err == nil {
		return nil
	}
	switch {
	case c.ctx.Err() != nil:
		return c.interrupted()
	case errors.Is(err, context.DeadlineExceeded), strings.HasSuffix(err.Error(), "would exceed context deadline"):
		deadline, ok := c.ctx.Deadline()
		return c.limitError(time.Time{}, ok && time.Until(deadline) < patience)
	}
	return &RequestError{Field: "WithLimiter", Problem: "the limiter failed: " + safeText(err), cause: safeError(err)}
}

// limitError is the error of a call that cannot wait for the rate limit. After
// a 429 it is that one's.
func (c *call) limitError(until time.Time, deadline bool) error {
	e, ok := c.err.(*RateLimitError)
	if !ok {
		e = &RateLimitError{
			APIError: &APIError{StatusCode: http.StatusTooManyRequests, Method: c.method, Route: c.route, Time: time.Now(), Attempts: c.attempts, record: c.record},
			Limit:    -1, Remaining: -1,
		}
	}
	outcome, bound := "not sent", "MaxLimitWait"
	if len(c.attempts) > 0 {
		outcome = "not repeated"
	}
	if deadline {
		bound = "the context's deadline"
		c.pastDeadline = true
	}
	if until.IsZero() {
		c.note = outcome + ": the wait for the rate limit would pass " + bound
	} else {
		e.ResetAt = until
		e.RetryAfter = max(until.Sub(e.Time), 0)
		c.note = fmt.Sprintf("%s: the rate limit resets in %v, past %s", outcome, round(e.RetryAfter), bound)
	}
	return e
}

// limitChanged tells observers that the gate closed or opened.
func (c *Client) limitChanged(change throttle.Change) {
	if change.Closed {
		c.emit(Event{Kind: EventLimitClosed, Wait: time.Until(change.Until), Waiting: change.Waiting})
	} else {
		c.emit(Event{Kind: EventLimitOpened, Waiting: change.Waiting})
	}
}
