package ambient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RetryPolicy says how often and how patiently a call is repeated. A zero field
// means its default.
type RetryPolicy struct {
	// MaxAttempts is 4 by default, and 1 means no retry. Waits for the rate limit and the
	// replay after a 401 do not count. The retries of a client draw on one quota of 500. A
	// retry costs 5, and 10 where no answer came. A success gives back what its retries
	// cost, or 1. So of 400 calls at once that all meet a 503, 300 make one attempt.
	MaxAttempts    int
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
	// documentation asks for. A gateway may have lost the answer to a request that
	// created a job. PossibleDuplicate reports when that may be so.
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

// A loop repeats the tries of a call. go-retryablehttp runs it: a try is what it
// takes for a round trip, and its hooks read what decide has decided.
type loop struct {
	call  *call
	tries int
	spent int // of the client's quota
	next  decision

	http   http.Client
	client retryablehttp.Client
}

// A decision is what follows from a try.
type decision struct {
	again bool // after wait
	wait  time.Duration
	err   error // of the call, if there is no other try; nil after a success
}

// repeat makes the tries of a call.
func (c *call) repeat() error {
	l := &loop{call: c}
	l.http = http.Client{Transport: l, Jar: c.client.http.Jar, CheckRedirect: noRedirect}
	l.client = retryablehttp.Client{
		HTTPClient:   &l.http,
		RetryMax:     c.policy.MaxAttempts,
		CheckRetry:   func(context.Context, *http.Response, error) (bool, error) { return l.next.again, nil },
		Backoff:      func(time.Duration, time.Duration, int, *http.Response) time.Duration { return l.next.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	_, err := l.client.Do(&retryablehttp.Request{Request: c.request.httpRequest(c.ctx)}) //nolint:bodyclose // RoundTrip answers without a body
	switch {
	case l.tries == 0: // net/http refused the request itself
		return &NetworkError{Method: c.request.method, Route: c.request.route, history: c.history.snapshot(ending{}), cause: safeError(err)}
	case l.next.again: // the context ended in the sleep
		return c.interrupted()
	case l.next.err == nil:
		c.client.quota.give(max(l.spent, 1))
	}
	return l.next.err
}

// RoundTrip makes one try.
func (l *loop) RoundTrip(req *http.Request) (*http.Response, error) {
	l.tries++
	if err := l.call.try(req); err != nil {
		l.next = decision{err: err}
	} else {
		l.next = l.decide()
	}
	if l.next.again || l.next.err != nil {
		return nil, errNoSuccess
	}
	r := &l.call.last.report
	return &http.Response{StatusCode: r.Status, Header: r.Header, Body: http.NoBody, Request: req}, nil
}

// errNoSuccess stands for the error of a try, which decision holds.
var errNoSuccess = errors.New("no success")

// decide asks in order: is the outcome final, are there tries left, how long is the
// wait, and does that wait fit the policy, the deadline and the quota?
func (l *loop) decide() decision {
	c, o := l.call, &l.call.last
	switch {
	case o.action != retry:
		return c.end(o.ending)
	case l.tries >= c.policy.MaxAttempts:
		return c.end(ending{reason: c.brokenUpload()})
	case c.ctx.Err() != nil && answered(&o.report):
		return decision{err: c.interrupted()}
	case c.ctx.Err() != nil:
		return c.end(ending{})
	}
	wait := c.policy.backoff(l.tries)
	if asked := time.Until(o.limits.RetryAfter); asked > 0 { // a time in the past must not make a hot loop
		wait = asked
		if wait > c.policy.MaxServerDelay {
			return c.end(ending{reason: fmt.Sprintf("not repeated: the server asks to wait %v, longer than MaxServerDelay", round(wait))})
		}
	}
	if deadline, ok := c.ctx.Deadline(); ok && time.Until(deadline) < wait {
		return c.end(ending{fmt.Sprintf("not repeated: the wait of %v would pass the context's deadline", round(wait)), true})
	}
	cost := costOfRetry
	if !answered(&o.report) {
		cost = costOfNetworkRetry
	}
	if !c.client.quota.take(cost) {
		return c.end(ending{reason: "not repeated: the client's retry quota is spent"})
	}
	l.spent += cost
	c.waited += wait
	c.emit(Event{Kind: EventRetry, Wait: wait, Number: len(c.history.attempts), Err: c.failure(ending{})})
	return decision{again: true, wait: wait}
}

// end ends the call with what its last attempt met.
func (c *call) end(e ending) decision { return decision{err: c.failure(e)} }

// httpRequest is the request as go-retryablehttp needs it. exchange adds header and
// body to it.
func (r *request) httpRequest(ctx context.Context) *http.Request {
	req := &http.Request{Method: r.method, URL: r.url, Host: r.url.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	return req.WithContext(ctx)
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

const (
	quotaSize          = 500
	costOfRetry        = 5
	costOfNetworkRetry = 10
)

// A quota bounds the retries of a whole client, so that an outage is not multiplied
// by the patience of each caller.
type quota struct {
	mu   sync.Mutex
	left int
}

func newQuota() *quota { return &quota{left: quotaSize} }

func (q *quota) take(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left < n {
		return false
	}
	q.left -= n
	return true
}

func (q *quota) give(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left = min(q.left+n, quotaSize)
}
