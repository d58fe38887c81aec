package ambient

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A call is one call of the API. Its request never changes, its history only
// grows, and each step that must remember something has one small value here.
//
// run is the path of a call. It repeats try, the path of one try, as the loop in
// retry.go decides. The steps of a try are in the files call_*.go.
type call struct {
	client  *Client
	number  int64 // in events
	ctx     context.Context
	request request
	policy  RetryPolicy
	options callOptions
	job     int64 // that the call asks for, or created; in events

	auth  callAuth
	limit callLimit
	send  callSend

	history *history
	last    outcome       // of the last attempt
	waited  time.Duration // since the last attempt
}

// A request is what a call sends.
type request struct {
	*requestSummary
	url         *url.URL
	content     func() (content, error)         // makes the body, once in a call; nil for none
	once        bool                            // the body can be read only once
	decode      func(response) (problem string) // reads a 2xx answer, or says what is wrong with it
	isTokenCall bool
}

// A content is the body of a request.
type content struct {
	exchange.Body // nil for none
	contentType   string
	parts         []partSize // which errors and reports may show
	discard       func()     // closes what no attempt has opened; may be nil
}

// A response is an answer that was read to its end.
type response struct {
	header http.Header
	body   []byte
}

// An outcome is what one attempt brought, and what follows from that.
type outcome struct {
	report  exchange.Report
	limits  ratelimitheader.Info // what the answer says of the rate limit
	at      time.Time            // when the attempt ended
	action  action
	ending  ending // why the attempt is not repeated, where that needs to be said
	problem string // why a 2xx answer is no success
}

func (c *Client) newCall(ctx context.Context, endpoint, route string, opts []CallOption) *call {
	method, _, _ := strings.Cut(endpoint, " ")
	h := &history{requestSummary: requestSummary{method: method, route: route, endpoint: endpoint, submit: !idempotent(method)}}
	call := &call{
		client: c, ctx: ctx, policy: c.retry, history: h,
		request: request{requestSummary: &h.requestSummary, url: c.urlOf(route)},
	}
	for _, o := range opts {
		if o != nil {
			o.applyCall(&call.options)
		}
	}
	if call.number = call.options.number; call.number == 0 {
		call.number = c.nextCall()
	}
	call.policy.MaxAttempts = cmp.Or(call.options.maxAttempts, call.policy.MaxAttempts)
	call.policy.MaxLimitWait = cmp.Or(call.options.maxLimitWait, call.policy.MaxLimitWait)
	call.limit.budget = call.policy.MaxLimitWait
	if call.options.commit != nil {
		call.policy.Submits = RetrySafe
	}
	return call
}

// nextCall numbers the calls of a client, so that the events of one can be found.
func (c *Client) nextCall() int64 { return c.calls.Add(1) }

// routeOf is the route of an endpoint that has one id in it.
func routeOf(endpoint string, id int64) string {
	_, template, _ := strings.Cut(endpoint, " ")
	before, after, _ := strings.Cut(template, "{id}")
	route := strconv.AppendInt(append(make([]byte, 0, 64), before...), id, 10)
	return string(append(route, after...))
}

// run makes the call.
func (c *call) run() (err error) {
	if c.client.observed() {
		start, span := time.Now(), c.begin()
		err = errPanicked
		defer func() { c.finish(span, start, err) }()
	}
	return c.perform()
}

func (c *call) perform() error {
	defer c.discard()
	err := c.ensureFreshToken()
	if err == nil {
		err = c.repeat()
	}
	info := c.info()
	if c.options.info != nil {
		*c.options.info = info
	}
	if err == nil && c.request.submit && info.PossibleDuplicate() {
		c.emit(Event{Kind: EventPossibleDuplicate, Number: len(info.Attempts)})
	}
	return err
}

// try makes attempts until the outcome of one is for the retry policy to judge. A
// refused token, a rate limit and a refused Expect are settled here. The error says
// why no further attempt could be made.
func (c *call) try(req *http.Request) error {
	defer c.release(0, ratelimitheader.Info{}) // a function of the caller may panic while the permit is held
	cookies := req.Header["Cookie"]
	delete(req.Header, "Cookie") // the jar adds them for each try
	for {
		token, err := c.authorize()
		if err == nil {
			err = c.prepare()
		}
		if err != nil {
			return c.unsent(err)
		}
		if !c.confirm() {
			continue
		}
		c.attempt(req, token, cookies)
		if !c.attemptAgain(token) {
			c.decode()
			return nil
		}
	}
}

// attempt makes one request, and judges what became of it.
func (c *call) attempt(req *http.Request, token Token, cookies []string) {
	ctx, span := c.client.begin(c.ctx, Operation{Kind: "attempt", Method: c.request.method, Endpoint: c.request.endpoint, Number: len(c.history.attempts) + 1})
	e := c.eventOf(Event{Kind: EventAttempt, Number: len(c.history.attempts) + 1, Err: errPanicked})
	defer func() { span.end(e) }()
	start := time.Now()
	report := c.exchange(ctx, req, token, cookies)
	e = c.record(ctx, report, start)
	c.noteAccepted(token)
	c.release(report.Status, c.last.limits)
	c.last.action, c.last.ending.reason = classify(&c.request, c.policy.Submits, &report)
}

// attemptAgain prepares another attempt of the same try, where the last one asks for
// it. A second refusal of a token or of Expect ends the call.
func (c *call) attemptAgain(used Token) bool {
	switch c.last.action {
	case awaitReset:
		return true
	case refreshToken:
		return c.tokenRefused(used)
	case retryWithoutExpect:
		return c.ctx.Err() == nil && c.dropExpect()
	}
	if c.last.report.Status == http.StatusUnauthorized && !c.request.isTokenCall {
		c.client.tokens.Invalidate(used) // the next call must not meet the same refusal
	}
	return false
}

// decode reads the answer of an attempt that succeeded.
func (c *call) decode() {
	if r := &c.last.report; succeeded(r) && !early(r) {
		c.last.problem = c.request.decode(response{r.Header, jsonobject.TrimMark(r.Body)})
	}
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

// callWithContext calls a function that the caller gave. A panic of the function
// surfaces here. The function may hang, so it is left behind when ctx ends. What it
// returns after that is dropped, and a panic is reported to the observers.
func callWithContext[T any](ctx context.Context, c *Client, f func() T) (T, error) {
	g := &guardedCall[T]{f: f, err: errGoexit, ended: make(chan struct{})}
	go g.run(ctx, c)
	select {
	case <-g.ended:
	case <-ctx.Done():
		if !g.settled.Swap(true) {
			var none T
			return none, ctx.Err()
		}
		<-g.ended
	}
	if g.panicked != nil {
		panic(g.panicked)
	}
	return g.v, g.err
}

// A guardedCall is a function of the caller that may be left behind.
type guardedCall[T any] struct {
	f        func() T
	v        T
	err      error
	panicked any
	settled  atomic.Bool // the function has ended, or was left behind
	ended    chan struct{}
}

func (g *guardedCall[T]) run(ctx context.Context, c *Client) {
	defer func() {
		g.panicked = recover()
		if g.settled.Swap(true) {
			c.reportLatePanic(ctx, g.panicked)
		}
		close(g.ended)
	}()
	g.v = g.f()
	g.err = nil
}

// errGoexit is met where a test's function fails the test with t.FailNow.
var errGoexit = errors.New("a function of the caller ended its goroutine")

// inMemory is the content of a request whose body is in memory.
func inMemory(contentType string, b []byte, parts ...partSize) func() (content, error) {
	return func() (content, error) { return content{bytesBody(b), contentType, parts, nil}, nil }
}

// bytesBody is a request body in memory.
type bytesBody []byte

func (b bytesBody) Open() exchange.Reader { return bytesReader{bytes.NewReader(b)} }
func (b bytesBody) Len() int64            { return int64(len(b)) }
func (b bytesBody) Replayable() bool      { return true }

type bytesReader struct{ *bytes.Reader }

func (bytesReader) Close() error       { return nil }
func (bytesReader) At(err error) error { return err }
