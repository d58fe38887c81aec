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
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/throttle"
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
// per Client. Make one with NewClient.
type Client struct {
	Transcriptions *TranscriptionsService // recordings to transcripts
	Scribes        *ScribesService        // recordings or transcripts to notes

	base          *url.URL
	http          http.Client // the caller's, of which Transport, Jar and Timeout are used
	transport     http.RoundTripper
	header        secret[http.Header] // may hold a key for a gateway
	bounds        exchange.Bounds
	retry         RetryPolicy
	quota         *quota
	limiter       Limiter
	throttle      *throttle.Gate // of all calls but the token call
	tokenThrottle *throttle.Gate
	tokens        TokenSource
	observers     []func(Event)
}

// NewClient returns a client. What no option sets is read from the environment:
// AMBIENT_USERNAME, AMBIENT_PASSWORD and AMBIENT_BASE_URL, where an empty variable
// is none. Nothing is sent yet; see Authenticate. The error joins a *RequestError
// for each option that is wrong, and one with the Field "credentials" if there
// are none.
func NewClient(opts ...Option) (*Client, error) {
	c := &Client{
		header: newSecret(http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}),
		bounds: exchange.Bounds{Stall: 60 * time.Second, Response: 5 * time.Minute, ErrorBody: keptErrorBody, SuccessBody: maxSuccessBody},
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
	c.throttle, c.tokenThrottle = throttle.New(c.limitChanged), throttle.New(nil)
	c.Transcriptions, c.Scribes = &TranscriptionsService{c}, &ScribesService{c}
	return c, nil
}

// fromEnvironment fills in what no option has set.
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
			badCredentials = WithCredentials(username, password)(c)
		}
	}
	return errors.Join(badBase, badCredentials)
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

// Authenticate fetches a token now, unless there is one that has not expired: a
// check of the credentials at start-up. With WithToken there is nothing to fetch and
// nothing is checked. A *UnauthorizedError says that user name or password are wrong,
// that the account is inactive, or that API access is not enabled for it; other
// errors are those of any call.
func (c *Client) Authenticate(ctx context.Context) error {
	_, err := c.newCall(ctx, http.MethodPost, tokenRoute, nil).token()
	return err
}

// CloseIdleConnections closes the connections that no call uses at the moment.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do calls an endpoint that this SDK has no method for. path begins with a slash,
// is below the base URL and may have a query. body, unless nil, is sent as
// JSON; the answer is decoded into out, unless that is nil or the answer is
// empty. All policies apply: methods other than GET, HEAD, OPTIONS, PUT and
// DELETE are treated as submits, whose PossibleDuplicate is that of WithCallInfo.
// Errors and events show path with words masked that could be patient data.
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...CallOption) error {
	u, err := url.Parse(path)
	switch {
	case err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(u.Path+"/", "/../"):
		return invalid("path", "must begin with one slash and stay below the base URL")
	case method == "" || strings.Trim(method, tokenChars) != "":
		return invalid("method", "must be an HTTP method such as GET")
	}
	call := c.newCall(ctx, method, redact.Path(u.Path), opts)
	call.request.url = c.urlOf(u.Path)
	call.request.url.RawPath, call.request.url.RawQuery = c.base.EscapedPath()+u.EscapedPath(), u.RawQuery
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return &RequestError{Field: "body", Problem: "cannot be marshalled to JSON", cause: safeError(err)}
		}
		call.request.content = inMemory("application/json", b, form.Size{Name: "JSON", Bytes: int64(len(b))})
	}
	call.request.decode = func(r response) string {
		if out != nil && len(bytes.TrimSpace(r.body)) > 0 && json.Unmarshal(r.body, out) != nil {
			return "not JSON, or not of the type asked for"
		}
		return ""
	}
	return call.run()
}
