package ambient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// RetryPolicy says how often and how patiently a call is repeated. A zero field
// means its default.
type RetryPolicy struct {
	MaxAttempts    int           // default 4; 1 = no retry. Waits for the rate limit and the replay after a 401 do not count
	BaseDelay      time.Duration // default 500 ms; doubles with each retry, full jitter
	MaxDelay       time.Duration // default 30 s; caps the backoff
	MaxServerDelay time.Duration // default 2 min; a longer Retry-After on a 5xx ends the call at once
	MaxLimitWait   time.Duration // default 15 min; longest a call waits, in all, for the rate limit; negative = never wait (a Limiter of your own has 1 s to answer)
	Submits        SubmitRetry   // default RetryDocumented
}

// SubmitRetry says which failed submits are repeated.
type SubmitRetry int

const (
	// RetryDocumented repeats a submit after 500, 502, 503 and 504, as the API's
	// documentation asks for. A gateway may have lost the answer to a request
	// that was taken; PossibleDuplicate tells when that may be so.
	RetryDocumented SubmitRetry = iota
	// RetrySafe repeats a submit only where the service cannot have taken it: when
	// part of the request at most was sent, or after a 408, 425 or 503, which are
	// taken at their word. (A gateway in front of a service may answer 503 in error
	// after it passed the request on.)
	RetrySafe
)

func (p RetryPolicy) withDefaults() RetryPolicy {
	p.MaxAttempts = cmp.Or(p.MaxAttempts, 4)
	p.BaseDelay = cmp.Or(p.BaseDelay, 500*time.Millisecond)
	p.MaxDelay = cmp.Or(p.MaxDelay, 30*time.Second)
	p.MaxServerDelay = cmp.Or(p.MaxServerDelay, 2*time.Minute)
	p.MaxLimitWait = cmp.Or(p.MaxLimitWait, 15*time.Minute)
	return p
}

// A verdict is what follows from an attempt.
type verdict int

const (
	final        verdict = iota // success, or an error that repeating does not mend
	repeatLater                 // repeat after a backoff
	renewToken                  // repeat with another token
	waitForLimit                // repeat when the rate limit allows
	dropExpect                  // repeat without Expect: 100-continue
)

// judge reads the table of doc.go: what an attempt's outcome means, and the
// error to return if the call ends with it.
func (c *call) judge(r exchange.Report) (verdict, error) {
	ok := r.Status/100 == 2
	switch {
	case r.SourceErr != nil:
		return final, c.audioError(r.SourceErr)
	case ok && errors.Is(r.Err, exchange.ErrTooLong):
		return final, c.decodeError(r, fmt.Sprintf("longer than %d MiB", maxSuccessBody>>20))
	case r.Status == 0 || ok && r.Err != nil:
		return c.judgeFailure(r)
	case ok && r.Early:
		return final, c.decodeError(r, "it came before the whole request was sent")
	case ok:
		if problem := c.accept(answer{r.Header, r.Body}); problem != "" {
			return final, c.decodeError(r, problem)
		}
		return final, nil
	}
	v := c.judgeStatus(r)
	if v != final && !c.rewinds(r) {
		v = final
		c.note = "not repeated: the audio cannot be read twice"
	}
	return v, c.statusError(r)
}

func (c *call) judgeStatus(r exchange.Report) verdict {
	switch r.Status {
	case http.StatusUnauthorized:
		if c.gate != c.tokenGate && c.refusedToken.Value() == "" {
			return renewToken
		}
	case http.StatusTooManyRequests:
		return waitForLimit
	case http.StatusExpectationFailed:
		if c.body != nil && c.expects() {
			return dropExpect
		}
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if c.submit && c.retry.Submits == RetrySafe && c.mayHaveTaken(r) {
			return final
		}
		return repeatLater
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return repeatLater
	}
	return final
}

// judgeFailure judges an attempt without a usable answer.
func (c *call) judgeFailure(r exchange.Report) (verdict, error) {
	err := &NetworkError{Route: c.route, Sent: Delivery(r.Sent), Attempts: c.attempts, record: c.record, cause: safeerr.Error(r.Err)}
	if c.ctx.Err() != nil && !errors.Is(r.Err, c.ctx.Err()) { // net/http gives the cause alone
		err.cause = contextError(c.ctx)
	}
	switch {
	case c.ctx.Err() != nil, permanent(r.Err), c.mayHaveTaken(r):
		return final, err
	case !c.rewinds(r):
		c.note = "not repeated: the audio cannot be read twice"
		return final, err
	}
	return repeatLater, err
}

// rewinds reports whether the request can be sent again.
func (c *call) rewinds(r exchange.Report) bool {
	return c.body == nil || !c.body.Once() || r.BytesSent == 0
}

// mayHaveTaken reports whether the service may have created what this attempt
// of a submit asked for. A success, or a pointer to its result, says so whatever
// was sent by then. Else it cannot have if it never got the whole request, and
// has not if it says so.
func (c *call) mayHaveTaken(r exchange.Report) bool {
	switch {
	case !c.submit:
		return false
	case r.Status/100 == 2, r.Status == http.StatusSeeOther, r.Repeated:
		return true
	case !r.Whole:
		return false
	}
	switch r.Status {
	case http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusHTTPVersionNotSupported:
		return false
	}
	return r.Status < 200 || r.Status >= 500
}

// permanent reports a failure that another attempt would meet again.
func permanent(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func retryableStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (c *call) statusError(r exchange.Report) error {
	now := time.Now()
	until := c.limits.RetryAfter
	if r.Status == http.StatusTooManyRequests {
		until = c.limits.Until()
	}
	var wait time.Duration
	if !until.IsZero() {
		wait = max(until.Sub(now), 0)
	}
	e := newAPIError(c.record, r.Status, r.Header, r.Body, now, wait)
	if r.Status == http.StatusTooManyRequests {
		return &RateLimitError{APIError: e, ResetAt: until, Limit: c.limits.Limit, Remaining: c.limits.Remaining}
	}
	return e.typed()
}

func (c *call) decodeError(r exchange.Report, problem string) error {
	return &DecodeError{StatusCode: r.Status, Route: c.route, problem: problem, requestID: requestID(r.Header), body: newSecret(r.Body), record: c.record}
}

func (c *call) audioError(err error) error {
	e := &AudioError{record: c.record, cause: safeerr.Error(err)}
	if at, ok := errors.AsType[*form.FileError](err); ok {
		e.Part, e.Offset, e.cause = at.File, at.Offset, safeerr.Error(at.Err)
	}
	return e
}

// interrupted is the error of a call whose context ended between attempts.
func (c *call) interrupted() error {
	return &interruptedError{record: c.record, by: contextError(c.ctx), last: c.err}
}

// retries is the part of a call's state that go-retryablehttp's hooks need.
type retries struct {
	verdict  verdict
	tries    int           // attempts that the policy counts
	sleeping bool          // in a backoff
	wait     time.Duration // of that backoff
	spent    int           // taken from the quota
}

// checkRetry is go-retryablehttp's CheckRetry. A wait that could not end well
// ends the call now.
func (c *call) checkRetry(context.Context, *http.Response, error) (bool, error) {
	if c.verdict != repeatLater || c.tries >= c.retry.MaxAttempts {
		return false, nil
	}
	if c.ctx.Err() != nil { // while an error's body was read
		c.err = c.interrupted()
		return false, nil
	}
	c.wait = c.retry.backoff(c.tries)
	if asked := time.Until(c.limits.RetryAfter); asked > 0 { // "now" or earlier must not make a hot loop
		c.wait = asked
		if c.wait > c.retry.MaxServerDelay {
			c.note = fmt.Sprintf("not repeated: the server asks to wait %v, longer than MaxServerDelay", round(c.wait))
			return false, nil
		}
	}
	if deadline, ok := c.ctx.Deadline(); ok && time.Until(deadline) < c.wait {
		c.note = fmt.Sprintf("not repeated: the wait of %v would pass the context's deadline", round(c.wait))
		c.pastDeadline = true
		return false, nil
	}
	cost := costOfRetry
	if _, ok := c.err.(*NetworkError); ok {
		cost = costOfNetworkRetry
	}
	if !c.quota.take(cost) {
		c.note = "not repeated: the client's retry quota is spent"
		return false, nil
	}
	c.spent += cost
	next := *c.record // an observer may keep the error, whose record must not change
	c.record = &next
	c.emit(Event{Kind: EventRetry, Wait: c.wait, Number: len(c.attempts), Err: c.err})
	return true, nil
}

// waitTime is go-retryablehttp's Backoff.
func (c *call) waitTime(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	c.sleeping = true
	c.waited += c.wait
	return c.wait
}

// backoff is exponential with full jitter: anything from 0 to the bound that
// doubles with each try.
func (p RetryPolicy) backoff(tries int) time.Duration {
	bound := min(p.BaseDelay, p.MaxDelay)
	for range tries - 1 {
		if bound > p.MaxDelay/2 { // and twice the longest duration is none
			bound = p.MaxDelay
			break
		}
		bound *= 2
	}
	return rand.N(bound)
}

// settle pays back what the call's retries cost once it has succeeded.
func (c *call) settle() {
	if c.err == nil {
		c.quota.give(max(c.spent, 1))
	}
}
