package ambient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/throttle"
)

// DefaultBaseURL is where the vendor serves the API.
const DefaultBaseURL = "https://rcm-api.athelas.com/v1/ambient/api"

// Version is the version of this SDK. The User-Agent header has it.
const Version = "0.1.0"

var userAgent = "ambient-go/" + Version + " (" + runtime.Version() + ")"

const (
	keptErrorBody  = 256 << 10 // bytes of an error's body that are read, decoded and kept
	keptDecodeBody = 1 << 20   // bytes of a success that is no good
	maxSuccessBody = 64 << 20  // bytes of an answer; a three-hour transcript has 0.2 MB
)

// Client calls the Ambient AI Scribe API. It is safe for concurrent use. Share one
// Client, since its calls share a token, the rate limit and the retry quota. Make it
// with NewClient.
type Client struct {
	Transcriptions *TranscriptionsService // recordings to transcripts
	Scribes        *ScribesService        // recordings or transcripts to notes

	base          *url.URL
	http          http.Client // only Transport, Jar and Timeout are used
	transport     http.RoundTripper
	header        secret[http.Header] // may hold a key for a gateway
	bounds        exchange.Options    // of every exchange
	noExpect      *atomic.Bool        // the server does not know Expect: 100-continue
	retry         RetryPolicy
	quota         *quota
	limiter       Limiter
	throttle      *throttle.Throttle // of all calls but the token call
	tokenThrottle *throttle.Throttle
	tokens        TokenSource
	observers     []func(context.Context, Event)
	tracer        *tracer       // nil without one
	calls         *atomic.Int64 // made so far
}

// NewClient returns a client. It sends nothing. Without an option for them, it reads
// the credentials from AMBIENT_USERNAME and AMBIENT_PASSWORD, and the base URL from
// AMBIENT_BASE_URL or else takes DefaultBaseURL. An empty variable counts as unset.
//
// The error joins a *RequestError for each option that is wrong. Without credentials
// there is one with the Field "credentials".
func NewClient(opts ...Option) (*Client, error) {
	c := &Client{
		header:   newSecret(http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}),
		bounds:   exchange.Options{Stall: 60 * time.Second, Response: 5 * time.Minute, ErrorBody: keptErrorBody, SuccessBody: maxSuccessBody},
		retry:    RetryPolicy{}.withDefaults(),
		quota:    newQuota(),
		calls:    new(atomic.Int64),
		noExpect: new(atomic.Bool),
	}
	if err := errors.Join(c.apply(opts), c.fromEnvironment()); err != nil {
		return nil, err
	}
	c.bounds.Total, c.bounds.Late = c.http.Timeout, c.reportLatePanic
	if c.transport = c.http.Transport; c.transport == nil {
		c.transport = defaultTransport()
	}
	c.throttle, c.tokenThrottle = throttle.New(c.limitChanged), throttle.New(c.limitChanged)
	c.Transcriptions, c.Scribes = &TranscriptionsService{c}, &ScribesService{c}
	return c, nil
}

// fromEnvironment sets the credentials and base URL that no option has set.
func (c *Client) fromEnvironment() error {
	var badBase, badCredentials error
	if c.base == nil {
		badBase = c.setBase("AMBIENT_BASE_URL", cmp.Or(os.Getenv("AMBIENT_BASE_URL"), DefaultBaseURL))
	}
	if c.tokens == nil {
		username, password := os.Getenv("AMBIENT_USERNAME"), os.Getenv("AMBIENT_PASSWORD")
		if username == "" || password == "" {
			badCredentials = invalid("credentials", "none given: use WithCredentials, WithCredentialsFunc, WithToken or WithTokenSource, or set AMBIENT_USERNAME and AMBIENT_PASSWORD")
		} else {
			badCredentials = c.setCredentials("AMBIENT_USERNAME and AMBIENT_PASSWORD", username, password)
		}
	}
	return errors.Join(badBase, badCredentials)
}

// Authenticate fetches a token, unless the client has one that is still valid. Call it
// at start-up to check the credentials. With WithToken it fetches and checks nothing. A
// *UnauthorizedError means that the user name or password is wrong, or that the account
// is inactive or has no API access. Other errors are those of any call.
func (c *Client) Authenticate(ctx context.Context) error {
	_, err := c.newCall(ctx, tokenEndpoint, tokenRoute, nil).token()
	return err
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do calls an endpoint that has no method in this SDK. path begins with a slash, is
// relative to the base URL and may have a query. If body is not nil, it is sent as JSON.
// If out is not nil and the answer is not empty, the answer is decoded into out.
//
// All policies apply. A method other than GET, HEAD, OPTIONS, PUT and DELETE is a
// submit, and WithCallInfo has its PossibleDuplicate. Errors and events mask the words
// and numbers of path that could be patient data. They show the id of a job in
// /transcribe/{id} and /scribe/{id}.
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...CallOption) error {
	u, err := url.Parse(path)
	switch {
	case err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(u.Path+"/", "/../"):
		return invalid("path", "must begin with one slash and stay below the base URL")
	case method == "" || strings.Trim(method, tokenChars) != "":
		return invalid("method", "must be an HTTP method such as GET")
	}
	ids := idsIn(u.EscapedPath())
	route := redact.Path(u.Path, ids...)
	call := c.newCall(ctx, Event{Method: method, Route: route}.Endpoint(), route, opts)
	call.request.ids = ids
	call.request.url = c.urlOf(u.Path)
	call.request.url.RawPath, call.request.url.RawQuery = c.base.EscapedPath()+u.EscapedPath(), u.RawQuery
	if body != nil {
		b, err := marshal("body", body)
		if err != nil {
			return err
		}
		call.request.content = inMemory("application/json", b, partSize{"JSON", int64(len(b))})
	}
	call.request.decode = func(r response) string {
		if out != nil && len(bytes.TrimSpace(r.body)) > 0 && json.Unmarshal(r.body, out) != nil {
			return "not JSON, or not of the type asked for"
		}
		return ""
	}
	return call.run()
}

// idsIn returns the id of the job that a path of the API names, if it does. Of other
// numbers in a path nobody knows what they are.
func idsIn(path string) []int64 {
	segments := strings.Split(path, "/")
	if len(segments) < 3 || segments[1] != "transcribe" && segments[1] != "scribe" {
		return nil
	}
	id, err := strconv.ParseInt(segments[2], 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != segments[2] {
		return nil
	}
	return []int64{id}
}
