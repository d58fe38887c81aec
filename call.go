package ambient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// A call is one API call on its way: run is its walk, attempt the walk of one
// try of it.
type call struct {
	*Client
	*record
	callOptions
	ctx context.Context

	url         *url.URL
	body        exchange.Body // nil for none
	contentType string
	accept      func(answer) (problem string) // takes a 2xx answer, or says why not
	gate        *throttle.Gate

	order        uint64               // in the gate's line
	ticket       throttle.Ticket      // of its turn to send
	inTurn       bool                 // from takeTurn to endTurn
	limitLeft    time.Duration        // how long it may still wait for the rate limit
	waited       time.Duration        // since the last attempt
	refusedToken Token                // the token that was refused, after that happened
	noExpect     bool                 // the server does not know Expect: 100-continue
	limits       ratelimitheader.Info // what the last answer said of the rate limit
	lastHeader   http.Header          // of the last answer
	retries                           // the state of retry.go
	err          error                // what the last attempt met
}

// An answer is a response read in full.
type answer struct {
	header http.Header
	body   []byte
}

func (c *Client) newCall(method, route string, opts []CallOption) *call {
	call := &call{Client: c, record: &record{method: method, route: route, submit: !idempotent(method)}, gate: c.gate}
	for _, o := range opts {
		if o != nil {
			o.applyCall(&call.callOptions)
		}
	}
	return call
}

// idempotent methods are those of RFC 9110, section 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

func (c *Client) urlOf(path string) *url.URL {
	u := *c.base
	u.Path += path
	return &u
}

// run makes the call. go-retryablehttp repeats attempt as checkRetry and
// waitTime of retry.go say; the call keeps what became of it.
func (c *call) run(ctx context.Context) error {
	c.ctx, c.limitLeft = ctx, c.retry.MaxLimitWait
	if c.url == nil {
		c.url = c.urlOf(c.route)
	}
	if c.body != nil && c.body.Once() {
		c.freshToken()
	}
	if c.err == nil {
		c.repeat()
	}
	c.settle()
	if c.info != nil {
		*c.info = c.callInfo()
	}
	if c.submit && c.err == nil && c.callInfo().PossibleDuplicate() {
		c.emit(Event{Kind: EventPossibleDuplicate, Number: len(c.attempts)})
	}
	return c.err
}

// attempt gets a token, waits its turn, sends the request and judges what came
// back, until that is for the retry policy to decide: a renewed token and a
// rate limit are settled here.
func (c *call) attempt(req *http.Request) (verdict, error) {
	defer c.endTurn(throttle.Outcome{}) // if a caller's function panics in it
	cookies := req.Header["Cookie"]
	delete(req.Header, "Cookie") // the jar adds them anew each time
	for {
		token, err := c.token()
		if err != nil {
			return final, c.unsent(err)
		}
		lived := token.lives()
		if err := c.takeTurn(); err != nil {
			return final, c.unsent(err)
		}
		if lived && !token.lives() { // it expired in the line
			if token, err = c.token(); err != nil {
				return final, c.unsent(err)
			}
		}
		start := time.Now()
		report := c.send(req, token, cookies)
		c.limits = ratelimitheader.Read(report.Header, time.Now())
		c.keep(report, start)
		c.endTurn(throttle.Outcome{Answered: report.Status != 0, Refused: report.Status == http.StatusTooManyRequests, Info: c.limits})

		verdict, err := c.judge(report)
		switch verdict {
		case renewToken:
			c.tokens.Invalidate(token)
			c.refusedToken = token
		case dropExpect:
			c.noExpect = true
		case waitForLimit:
		default:
			return verdict, err
		}
		c.err = err
	}
}

// unsent is the error of an attempt that was not made. It does not hide that an
// earlier one may have been taken.
func (c *call) unsent(err error) error {
	if !c.maybeSubmitted() || MaybeSubmitted(err) {
		return err
	}
	return &interruptedError{record: c.record, by: err, last: c.err}
}

// token returns a token, none for the token call itself. After a refusal the
// source must have another one, or the refusal stands.
func (c *call) token() (Token, error) {
	if c.ctx.Err() != nil {
		return Token{}, c.interrupted()
	}
	if c.gate == c.tokenGate {
		return Token{}, nil
	}
	token, err := c.tokens.Token(c.ctx)
	switch {
	case err == nil && c.refusedToken.Value() != "" && token.Value() == c.refusedToken.Value():
		return Token{}, c.err
	case err == nil && token.Value() != "":
		return token, nil
	}
	return Token{}, c.tokenError(err)
}

// send puts one request on the wire. req has the route; the header is made anew
// for each attempt.
func (c *call) send(req *http.Request, token Token, cookies []string) exchange.Report {
	own := *c.header.get()
	header := make(http.Header, len(own)+4)
	maps.Copy(header, own)
	if s := token.secret.get(); s != nil {
		header["Authorization"] = s.header
	}
	if cookies != nil {
		header["Cookie"] = []string{strings.Join(slices.Concat(own["Cookie"], cookies), "; ")} // RFC 6265, section 5.4
	}
	if c.body != nil {
		header["Content-Type"] = []string{c.contentType}
		if c.expects() {
			header["Expect"] = []string{"100-continue"}
		}
	}
	bounds := c.bounds
	bounds.WholeOnce = c.submit && c.retry.Submits == RetrySafe
	return exchange.Send(c.ctx, c.transport, req, header, c.body, bounds, c.tell())
}

// expectFrom is the size from which a body is announced with Expect:
// 100-continue (RFC 9110, section 10.1.1), so that a refusal costs no upload.
const expectFrom = 1 << 20

func (c *call) expects() bool {
	return !c.noExpect && (c.body.Once() || c.body.Len() > expectFrom)
}

// tell adapts WithProgress to what the wire reports.
func (c *call) tell() func(int64) {
	if c.progress == nil || c.body == nil {
		return nil
	}
	total := c.body.Len()
	return func(sent int64) { c.progress(sent, total) }
}

// repeat runs attempt through go-retryablehttp, once and as often again as
// checkRetry says, which is fewer times than RetryMax.
func (c *call) repeat() {
	client := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: attemptTransport{c}, Jar: c.http.Jar, CheckRedirect: noRedirect},
		RetryMax:     c.retry.MaxAttempts,
		CheckRetry:   c.checkRetry,
		Backoff:      c.waitTime,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	req := (&http.Request{Method: c.method, URL: c.url, Host: c.url.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(c.ctx)
	_, err := client.Do(&retryablehttp.Request{Request: req})
	switch {
	case err == nil:
	case c.sleeping:
		c.err = c.interrupted()
	case c.err == nil: // net/http refused the request itself
		c.err = &NetworkError{Route: c.route, record: c.record, cause: safeError(err)}
	}
}

// attemptTransport is a call as go-retryablehttp sees it: a transport whose round
// trip is an attempt, which answers with nothing but success or failure, and has
// no idle connections to close.
type attemptTransport struct{ call *call }

func (a attemptTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := a.call
	c.sleeping = false
	c.tries++
	if c.verdict, c.err = c.attempt(req); c.err != nil {
		return nil, c.err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: c.lastHeader, Body: http.NoBody, Request: req}, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// await calls f, which is of the caller's and may hang, and leaves it behind when
// ctx ends.
func callWithContext[T any](ctx context.Context, f func() T) (T, error) {
	var v T
	failed := errGoexit
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v = f()
		failed = nil
	}()
	select {
	case <-ended:
		return v, failed
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// errEnded is of a test's function, mostly, that failed the test.
var errGoexit = errors.New("a function of the caller ended its goroutine")

// bytesBody is a request body held in memory.
type bytesBody []byte

func (b bytesBody) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
func (b bytesBody) Len() int64          { return int64(len(b)) }
func (b bytesBody) Once() bool          { return false }
