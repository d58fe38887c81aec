package ambient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ambient-scribe/ambient-go/internal/gate"
	"github.com/ambient-scribe/ambient-go/internal/limits"
	"github.com/ambient-scribe/ambient-go/internal/mask"
	"github.com/ambient-scribe/ambient-go/internal/wire"
)

// DefaultBaseURL is where the vendor serves the API.
const DefaultBaseURL = "https://rcm-api.athelas.com/v1/ambient/api"

// Version is the version of this SDK, as the User-Agent header names it.
const Version = "0.1.0"

var userAgent = "ambient-go/" + Version + " (" + runtime.Version() + ")"

const (
	keptErrorBody  = 256 << 10 // bytes of an error's body that are read, decoded and kept
	maxSuccessBody = 64 << 20  // bytes of an answer; a three-hour transcript has 0.2 MB
	idlePerHost    = 128       // idle connections kept, where net/http's default of 2 makes a busy client reconnect all the time
)

// Client calls the Ambient AI Scribe API. It is safe for concurrent use, and
// should be shared: the token, the rate limit and the retry quota are known
// per Client.
type Client struct {
	Transcriptions *TranscriptionsService
	Scribes        *ScribesService

	core *core
}

// core is what all services of a client share.
type core struct {
	base      *url.URL
	http      http.Client // never used to follow redirects
	transport http.RoundTripper
	header    http.Header
	bounds    wire.Limits
	retry     RetryPolicy
	quota     *quota
	limiter   Limiter
	gate      *gate.Gate // of all calls but the token's
	tokenGate *gate.Gate
	tokens    TokenSource
	observers []func(Event)
}

// NewClient returns a client. Its error joins a *RequestError for each option
// that is wrong.
func NewClient(opts ...Option) (*Client, error) {
	c := &core{
		header: http.Header{"User-Agent": {userAgent}},
		bounds: wire.Limits{Stall: 60 * time.Second, Response: 5 * time.Minute, ErrorBody: keptErrorBody, SuccessBody: maxSuccessBody},
		retry:  RetryPolicy{}.withDefaults(),
		quota:  newQuota(),
	}
	if err := errors.Join(c.apply(opts), c.fromEnvironment()); err != nil {
		return nil, err
	}
	c.bounds.Total = c.http.Timeout
	if c.transport = c.http.Transport; c.transport == nil {
		c.transport = defaultTransport()
	}
	c.gate, c.tokenGate = gate.New(c.limitChanged), gate.New(nil)
	return &Client{&TranscriptionsService{c}, &ScribesService{c}, c}, nil
}

// fromEnvironment fills in what no option has set.
func (c *core) fromEnvironment() error {
	var errs []error
	if c.base == nil {
		base := DefaultBaseURL
		if env := os.Getenv("AMBIENT_BASE_URL"); env != "" {
			base = env
		}
		errs = append(errs, c.setBase("AMBIENT_BASE_URL", base))
	}
	if c.tokens == nil {
		username, password := os.Getenv("AMBIENT_USERNAME"), os.Getenv("AMBIENT_PASSWORD")
		if username == "" || password == "" {
			errs = append(errs, refuse("credentials", "none given: use WithCredentials, WithCredentialsFunc, WithToken or WithTokenSource, or set AMBIENT_USERNAME and AMBIENT_PASSWORD"))
		} else {
			errs = append(errs, WithCredentials(username, password)(c))
		}
	}
	return errors.Join(errs...)
}

// defaultTransport is net/http's with enough idle connections for a busy
// client.
func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the program has replaced it, and meant it
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 2*idlePerHost, idlePerHost
	return t
}

// Authenticate fetches a token now, if there is none: a check of the
// credentials at start-up. A *UnauthorizedError says that they are wrong, that
// the account is inactive, or that API access is not enabled for it.
func (c *Client) Authenticate(ctx context.Context) error {
	call := &call{core: c.core, ctx: ctx, record: &record{method: http.MethodPost, route: tokenRoute}}
	_, err := call.token()
	return err
}

// CloseIdleConnections closes the connections that no call uses at the moment.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.core.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do calls an endpoint that this SDK has no method for. path begins with a slash,
// is below the base URL and may have a query. body, unless nil, is sent as
// JSON; the answer is decoded into out, unless that is nil or the answer is
// empty. All policies apply: methods other than GET, HEAD, OPTIONS, PUT and
// DELETE are treated as submits. Errors and events show path with words masked
// that could be patient data.
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...CallOption) error {
	u, err := url.Parse(path)
	switch {
	case err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(u.Path+"/", "/../"):
		return refuse("path", "must begin with one slash and stay below the base URL")
	case method == "" || strings.Trim(method, tokenChars) != "":
		return refuse("method", "must be an HTTP method such as GET")
	}
	call := c.core.newCall(method, mask.Path(u.Path), opts)
	call.url = c.core.url(u.Path)
	call.url.RawPath, call.url.RawQuery = "", u.RawQuery
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return &RequestError{Field: "body", Problem: "cannot be marshalled to JSON", cause: err}
		}
		call.body, call.contentType = bytesBody(b), "application/json"
	}
	call.accept = func(a answer) string {
		if out != nil && len(bytes.TrimSpace(a.body)) > 0 && json.Unmarshal(a.body, out) != nil {
			return "not JSON, or not of the type asked for"
		}
		return ""
	}
	return call.run(ctx)
}

// A call is one API call on its way: run is its walk, attempt the walk of one
// try of it.
type call struct {
	*core
	*record
	callOptions
	ctx context.Context

	url         *url.URL
	body        wire.Body // nil for none
	contentType string
	accept      func(answer) (problem string) // takes a 2xx answer, or says why not
	gate        *gate.Gate

	place     uint64        // in the gate's line
	limitLeft time.Duration // how long it may still wait for the rate limit
	waited    time.Duration // since the last attempt
	renewed   Token         // the token that was refused, after that happened
	noExpect  bool          // the server does not know Expect: 100-continue
	limits    limits.Info   // what the last answer said of the rate limit
	answered  http.Header   // the last answer's header
	retries                 // the state of retry.go
	err       error         // what the last attempt met
}

// An answer is a response read in full.
type answer struct {
	header http.Header
	body   []byte
}

func (c *core) newCall(method, route string, opts []CallOption) *call {
	call := &call{core: c, record: &record{method: method, route: route, submit: !idempotent(method)}, gate: c.gate}
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

func (c *core) url(path string) *url.URL {
	u := *c.base
	u.Path += path
	return &u
}

// run makes the call. go-retryablehttp repeats attempt as checkRetry and
// waitTime of retry.go say; the call keeps what became of it.
func (c *call) run(ctx context.Context) error {
	c.ctx, c.limitLeft = ctx, c.retry.MaxLimitWait
	if c.url == nil {
		c.url = c.core.url(c.route)
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
	return c.err
}

// attempt gets a token, waits its turn, sends the request and judges what came
// back, until that is for the retry policy to decide: a renewed token and a
// rate limit are settled here.
func (c *call) attempt(req *http.Request) (verdict, error) {
	cookies := req.Header["Cookie"]
	delete(req.Header, "Cookie") // the jar adds them anew each time
	for {
		token, err := c.token()
		if err != nil {
			return final, err
		}
		ticket, err := c.takeTurn()
		if err != nil {
			return final, err
		}
		start := time.Now()
		report := c.send(req, token, cookies)
		c.limits = limits.Read(report.Header, time.Now())
		c.gate.Leave(ticket, gate.Outcome{Answered: report.Status != 0, Refused: report.Status == http.StatusTooManyRequests, Info: c.limits})
		c.keep(report, start)

		verdict, err := c.judge(report)
		switch verdict {
		case renewToken:
			c.tokens.Invalidate(token)
			c.renewed = token
		case dropExpect:
			c.noExpect = true
		case waitForLimit:
		default:
			return verdict, err
		}
		c.err = err
	}
}

// token returns a token, none for the token call itself. After a refusal the
// source must have another one, or the refusal stands.
func (c *call) token() (Token, error) {
	if c.gate == c.tokenGate {
		return Token{}, nil
	}
	token, err := c.tokens.Token(c.ctx)
	switch {
	case err == nil && c.renewed.secret != nil && token.Value() == c.renewed.Value():
		return Token{}, c.err
	case err == nil && token.Value() != "":
		return token, nil
	}
	return Token{}, c.tokenError(err)
}

// send puts one request on the wire. req has the route; the header is made anew
// for each attempt.
func (c *call) send(req *http.Request, token Token, cookies []string) wire.Report {
	header := make(http.Header, len(c.header)+6)
	maps.Copy(header, c.header)
	header["Accept"] = acceptJSON
	if token.secret != nil {
		header["Authorization"] = token.secret.header
	}
	if cookies != nil {
		header["Cookie"] = cookies
	}
	if c.body != nil {
		header["Content-Type"] = []string{c.contentType}
		if c.expects() {
			header["Expect"] = []string{"100-continue"}
		}
	}
	return wire.Send(c.ctx, c.transport, req, header, c.body, c.bounds, c.tell())
}

var acceptJSON = []string{"application/json"}

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

// repeat runs attempt through go-retryablehttp.
func (c *call) repeat() {
	client := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: attempts{c}, Jar: c.http.Jar, CheckRedirect: noRedirect},
		RetryMax:     c.retry.MaxAttempts,
		CheckRetry:   c.checkRetry,
		Backoff:      c.waitTime,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	req := (&http.Request{Method: c.method, URL: c.url, Host: c.url.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(c.ctx)
	_, err := client.Do(&retryablehttp.Request{Request: req})
	if err != nil && c.sleeping {
		c.err = c.interrupted()
	}
}

// attempts is a call as go-retryablehttp sees it: a transport that answers with
// nothing but success or failure, and has no idle connections to close.
type attempts struct{ *call }

func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	c := a.call
	c.sleeping = false
	c.tries++
	if c.verdict, c.err = c.attempt(req); c.err != nil {
		return nil, c.err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: c.answered, Body: http.NoBody, Request: req}, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// bytesBody is a request body held in memory.
type bytesBody []byte

func (b bytesBody) Open() io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
func (b bytesBody) Len() int64          { return int64(len(b)) }
func (b bytesBody) Once() bool          { return false }
