package ambient

import (
	"context"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// RateLimit is what an answer said of the account's rate limit.
type RateLimit struct {
	Limit     int64     // requests per window; -1 when unknown
	Remaining int64     // requests left in the window; -1 when unknown
	ResetAt   time.Time // when the window ends, by this machine's clock; zero when unknown
}

// A Limiter holds back a request until it may be sent. *rate.Limiter of
// golang.org/x/time/rate is one. It must be safe for concurrent use.
type Limiter interface {
	// Wait returns nil when the request may be sent. ctx ends when the call may wait
	// no longer: an error that is its context.DeadlineExceeded makes the call's a
	// *RateLimitError, any other a *RequestError.
	Wait(context.Context) error
}

// limitChanged reports that an endpoint has closed or opened. That is no matter of the
// call in whose time it happens, so that no call surfaces the panic of an observer.
func (c *Client) limitChanged(change throttle.Change) {
	defer func() { c.reportLatePanic(change.Context, recover()) }()
	e := Event{Kind: EventLimitOpened, Waiting: change.Waiting}
	if change.Closed {
		e.Kind, e.Wait = EventLimitClosed, time.Until(change.Until)
	}
	e.Method, e.Route, _ = strings.Cut(change.Endpoint, " ")
	c.emit(change.Context, e)
}
