package ambient

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// An Option configures a Client.
type Option func(*Client) error

// invalid is the error of a wrong option or request.
func invalid(field, problem string) error { return &RequestError{Field: field, Problem: problem} }

// WithCredentials sets the service account's user name and password. Neither of them
// may be empty or have a control character such as a line break in it. The token got with
// them is good until its exp claim (RFC 7519, section 4.1.4). Without an exp claim it is
// good for as long as expires_in of the answer says, or for 48 h. It is renewed in the
// last tenth of that time, while calls go on with the old one, and once in a call whose
// token is refused. A new token that is refused before any call succeeded with it is sent
// again after 1 s and 2 s first, since the service's clocks may differ.
//
// Of WithCredentials, WithCredentialsFunc, WithToken and WithTokenSource the last
// one given wins. Without any of them AMBIENT_USERNAME and AMBIENT_PASSWORD are
// read.
func WithCredentials(username, password string) Option {
	return func(c *Client) error { return c.setCredentials("WithCredentials", username, password) }
}

func (c *Client) setCredentials(field, username, password string) error {
	c.tokens = newPasswordSource(c, func(context.Context) (string, string, error) { return username, password, nil })
	return validateCredentials(field, username, password)
}

func validateCredentials(field, username, password string) error {
	switch {
	case username == "" || password == "":
		return invalid(field, "user name and password are both required")
	case !isCredential(username) || !isCredential(password):
		return invalid(field, "the user name or password has a line break or other control character in it")
	}
	return nil
}

// WithCredentialsFunc asks f for the user name and password at every renewal of the
// token. It is for vaults and for passwords that are rotated. f should end with its
// context. A call of f that does not is left behind, and the next renewal calls f
// again. Its error ends the call with a *CredentialsError.
func WithCredentialsFunc(f func(context.Context) (username, password string, err error)) Option {
	return func(c *Client) error {
		c.tokens = newPasswordSource(c, f)
		if f == nil {
			return invalid("WithCredentialsFunc", "the function is nil")
		}
		return nil
	}
}

// WithToken sets a bearer token. The SDK cannot renew it. When it is refused, calls end
// with an *UnauthorizedError.
func WithToken(token string) Option {
	return func(c *Client) error {
		c.tokens = staticToken{NewToken(token, time.Time{})}
		if !isBearerToken(token) {
			return invalid("WithToken", "the token is empty, or has a space or control character in it")
		}
		return nil
	}
}

// WithTokenSource takes tokens from ts, which is asked before every attempt. ts itself
// must keep its token and renew it in time. Its error ends the call with a
// *CredentialsError. A token that is empty, or has a space or control character in it,
// ends the call with a *RequestError.
func WithTokenSource(ts TokenSource) Option {
	return func(c *Client) error {
		if ts == nil {
			c.tokens = staticToken{} // what is wrong is not that none was given
			return invalid("WithTokenSource", "the token source is nil")
		}
		c.tokens = ts
		return nil
	}
}

// WithBaseURL sets where the API is, its path included, as in DefaultBaseURL. The
// scheme is https, or http to a loopback address. Without it AMBIENT_BASE_URL is read,
// else it is DefaultBaseURL.
func WithBaseURL(baseURL string) Option {
	return func(c *Client) error { return c.setBase("WithBaseURL", baseURL) }
}

func (c *Client) setBase(field, baseURL string) error {
	u, err := url.Parse(strings.TrimRight(baseURL, "/"))
	switch {
	case err != nil || u.Host == "":
		return invalid(field, "not an absolute URL such as "+DefaultBaseURL)
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return invalid(field, "must begin with https://, since patient data and the password travel there; http:// goes to loopback addresses only")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return invalid(field, "must have no user name, query or fragment")
	}
	c.base = u
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || ip != nil && ip.IsLoopback()
}

// WithHTTPClient sets the HTTP client to send with. It is copied and never
// changed: its Transport and Jar are used, its Timeout, if any, bounds each
// attempt, and redirects are not followed whatever its CheckRedirect says. The default
// is a clone of http.DefaultTransport with a MaxIdleConnsPerHost of 128 and an
// HTTP2.SendPingTimeout of 10 s. Start a Transport of your own from such a clone. With
// the 2 idle connections of http.DefaultTransport a busy client makes new ones, and
// without pings calls use a connection that the network has forgotten.
//
// What was sent is proven with any transport that reports its connections through
// net/http/httptrace, as http.Transport and what is built on it do. A transport that
// retries is noticed: a second whole request makes PossibleDuplicate true, and RetrySafe
// cuts it. Of a transport without httptrace the SDK sees the reads of the body and no
// more. A transport that replaces http.DefaultTransport after NewClient, as a mock does,
// is not used.
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) error {
		if client == nil {
			return invalid("WithHTTPClient", "the client is nil")
		}
		c.http = *client
		return nil
	}
}

// WithHeader sets a header on every call, the token call included. The last value of a
// key wins. Accept may be replaced. Headers that the SDK needs to set are refused.
func WithHeader(key, value string) Option {
	return func(c *Client) error {
		key = textproto.CanonicalMIMEHeaderKey(key)
		switch {
		case key == "" || strings.Trim(key, tokenChars) != "":
			return invalid("WithHeader", "the name is not a header name")
		case !isHeaderValue(value):
			return invalid("WithHeader", "the value has a line break or other control character in it")
		case key == "Authorization":
			return invalid("WithHeader", "use WithToken or WithTokenSource for Authorization")
		case key == "Accept-Encoding":
			return invalid("WithHeader", "Accept-Encoding is left to the transport, which decodes what it asked for")
		case key == "User-Agent" || key == "Content-Type" || key == "Content-Length" || key == "Host" || key == "Expect" || key == "Transfer-Encoding":
			return invalid("WithHeader", key+" is set by the SDK (User-Agent by WithUserAgent)")
		}
		c.header.get().Set(key, value)
		return nil
	}
}

// isHeaderValue reports whether v has no control character but tabs, RFC 9110
// section 5.5.
func isHeaderValue(v string) bool {
	return strings.IndexFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

// tokenChars are the characters of a header name, RFC 9110 section 5.6.2.
const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// WithRetryPolicy sets how often and how patiently calls are repeated. A zero
// field means its default.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(c *Client) error {
		if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 || p.MaxServerDelay < 0 {
			return invalid("WithRetryPolicy", "MaxAttempts, BaseDelay, MaxDelay and MaxServerDelay cannot be negative; use MaxAttempts: 1 for no retry")
		}
		if p.Submits != RetryDocumented && p.Submits != RetrySafe {
			return invalid("WithRetryPolicy", "Submits must be RetryDocumented or RetrySafe")
		}
		c.retry = p.withDefaults()
		return nil
	}
}

// WithRateLimit keeps the client from sending more than perSecond requests a second on
// average, and burst at once. Retries and polls count, token calls do not. Set it where
// the account's limit is known, since the answers of the API may not report it. Of
// WithRateLimit and WithLimiter the last one given wins.
func WithRateLimit(perSecond float64, burst int) Option {
	return func(c *Client) error {
		if !(perSecond > 0) || math.IsInf(perSecond, 0) || burst < 1 {
			return invalid("WithRateLimit", "perSecond must be above 0 and burst at least 1")
		}
		c.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
		return nil
	}
}

// WithLimiter asks l before every request but token calls. Processes that use
// one account can share a limit through it.
func WithLimiter(l Limiter) Option {
	return func(c *Client) error {
		if l == nil {
			return invalid("WithLimiter", "the limiter is nil")
		}
		c.limiter = l
		return nil
	}
}

// WithLogger logs every Event with the context it happened in: at Warn what a person
// should look into (a possible duplicate, an unknown status, odd audio, a failed
// renewal of the token), at Info what makes calls slow (retries, waits for the rate
// limit) and new tokens, at Debug attempts and polls. No patient data or secret is
// logged. Without it the SDK is silent. Given twice, it logs to both.
func WithLogger(l *slog.Logger) Option {
	return func(c *Client) error {
		if l == nil {
			return invalid("WithLogger", "the logger is nil")
		}
		c.observers = append(c.observers, slogObserver(l))
		return nil
	}
}

// WithObserver calls f with every Event, in the goroutine and with the context it
// happened in. Work in the background has the values of the call that began it,
// without its cancellation: the renewal of a token, and the end of a rate limit. So has
// what happens after the context of a call has ended, which f can still export. f
// must be fast and safe for concurrent use. A panic of f surfaces from the call. Where
// the event belongs to no call, a panic becomes an EventLatePanic. WithObserver may be
// given more than once.
func WithObserver(f func(ctx context.Context, e Event)) Option {
	return func(c *Client) error {
		if f == nil {
			return invalid("WithObserver", "the function is nil")
		}
		c.observers = append(c.observers, f)
		return nil
	}
}

// WithTracer calls start when a call, an attempt or a wait begins, and the function
// that start returns with the event of its end: an EventCall, EventAttempt or EventJob.
// What happens in the operation has the values of the context that start returns; a
// nil context or function is none. Both are called in a goroutine, and must be safe for
// concurrent use. One that does not return holds up its call until shortly after the
// call's context ends, and is left behind then. A panic surfaces from the call. The
// operations of a second tracer are inside those of the first. Package ambientotel has
// a tracer for OpenTelemetry.
func WithTracer(start func(ctx context.Context, op Operation) (context.Context, func(Event))) Option {
	return func(c *Client) error {
		switch {
		case start == nil:
			return invalid("WithTracer", "the function is nil")
		case c.tracer != nil:
			start = nest(c.tracer.start, start)
		}
		c.tracer = &tracer{start: start}
		return nil
	}
}

// WithStallTimeout cuts an attempt in which bytes of a body are due, in either
// direction, and none moved for d. The default is 60 s, and 0 means never. The attempt
// is a *NetworkError whose Timeout is true, and is repeated as such. Where the source of
// the audio gave no byte for d, the call ends with an *AudioError.
// errors.Is finds os.ErrDeadlineExceeded in both.
func WithStallTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d < 0 {
			return invalid("WithStallTimeout", "cannot be negative; 0 means never")
		}
		c.bounds.Stall = d
		return nil
	}
}

// WithResponseTimeout bounds the time from the last byte sent to the first received, and
// from that to the last received. The default is 5 min, and 0 means never. A read is
// repeated then. A submit ends with a *NetworkError, and MaybeSubmitted is true. The
// longer of this and WithStallTimeout bounds the wait for a connection.
func WithResponseTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d < 0 {
			return invalid("WithResponseTimeout", "cannot be negative; 0 means never")
		}
		c.bounds.Response = d
		return nil
	}
}

// WithUserAgent puts product, e.g. "clinic-sync/2.1", before the SDK's own
// product in the User-Agent header.
func WithUserAgent(product string) Option {
	return func(c *Client) error {
		if product == "" || !isHeaderValue(product) {
			return invalid("WithUserAgent", "must be text on one line such as clinic-sync/2.1")
		}
		c.header.get().Set("User-Agent", product+" "+userAgent)
		return nil
	}
}

// apply applies all options and joins what is wrong with them.
func (c *Client) apply(opts []Option) error {
	var errs []error
	for _, opt := range opts {
		if opt == nil {
			errs = append(errs, invalid("NewClient", "an option is nil"))
			continue
		}
		if err := opt(c); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
