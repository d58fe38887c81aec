package ambient

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	defaultTokenLife = 48 * time.Hour       // documented by the API
	maxTokenLife     = 365 * 24 * time.Hour // an exp beyond it is not believed
	tokenCallTime    = time.Minute          // of a renewal, on top of what it may wait for the rate limit
	refusedFor       = 5 * time.Second      // for which refused credentials are not tried again
)

// Token is a bearer token. It prints and marshals as nothing but its expiry.
type Token struct{ secret hidden[tokenSecret] }

type tokenSecret struct {
	value  string
	header []string // the Authorization header's value
	expiry time.Time
}

// NewToken returns a token. A zero expiry means that it is not known. If it
// expires while its call waits for the rate limit, its source is asked again.
func NewToken(value string, expiry time.Time) Token {
	return Token{hide(tokenSecret{value: value, header: []string{"Bearer " + value}, expiry: expiry})}
}

// Value returns the secret itself; empty for a zero Token.
func (t Token) Value() string {
	if s := t.secret.get(); s != nil {
		return s.value
	}
	return ""
}

// Expiry returns when the token expires; zero when unknown.
func (t Token) Expiry() time.Time {
	if s := t.secret.get(); s != nil {
		return s.expiry
	}
	return time.Time{}
}

// lives reports whether the token has not expired, as far as is known.
func (t Token) lives() bool { return t.Expiry().IsZero() || time.Now().Before(t.Expiry()) }

func (t Token) String() string {
	if t.Expiry().IsZero() {
		return "Token(hidden)"
	}
	return "Token(hidden, expires " + t.Expiry().UTC().Format(time.RFC3339) + ")"
}

func (t Token) Format(s fmt.State, verb rune) { formatText(s, verb, t.String()) }
func (t Token) MarshalText() ([]byte, error)  { return []byte(t.String()), nil }

// A TokenSource gives out bearer tokens. It must be safe for concurrent use.
type TokenSource interface {
	// Token returns a token that is valid as far as is known. It is called before
	// every attempt, and should end with ctx.
	Token(ctx context.Context) (Token, error)
	// Invalidate is called at the first refusal in a call. The call then asks Token
	// once more, and ends if the token is the same. A source that has given out a newer
	// one since does nothing.
	Invalidate(stale Token)
}

// A staticToken cannot be renewed.
type staticToken struct{ token Token }

func (s staticToken) Token(context.Context) (Token, error) { return s.token, nil }
func (staticToken) Invalidate(Token)                       {}

// A passwordSource fetches tokens by the OAuth2 password flow and keeps them.
// However many callers need one, one call is made.
type passwordSource struct {
	core        *core
	credentials func(context.Context) (username, password string, err error)

	mu      sync.Mutex
	token   Token     // zero without one
	fetched time.Time // when token was
	renewal *renewal  // the one under way, nil without one
	failed  time.Time // when a renewal last failed
	refused *refusal
}

// A renewal is a token call that any number of callers wait for.
type renewal struct {
	done  chan struct{} // closed when token and err are set
	token Token
	err   error
}

// A refusal remembers credentials that were refused, so that a thousand callers
// with a wrong password do not lock the account.
type refusal struct {
	username, password string
	at                 time.Time
	err                error
}

func newPasswordSource(c *core, credentials func(context.Context) (string, string, error)) *passwordSource {
	return &passwordSource{core: c, credentials: credentials}
}

// Token returns the cached token while it lives. In the last tenth of its life
// one renewal is started in passing; the old token serves until that is done.
func (s *passwordSource) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	now := time.Now()
	if token := s.token; token.Value() != "" && now.Before(token.Expiry()) {
		if s.aging(now) && now.Sub(s.failed) >= refusedFor {
			s.renew(ctx)
		}
		s.mu.Unlock()
		return token, nil
	}
	r := s.renew(ctx)
	s.mu.Unlock()
	return r.wait(ctx)
}

// freshen waits for the renewal of an aging token: for requests that cannot be
// repeated. A token that could not be renewed and still lives is good enough.
func (s *passwordSource) freshen(ctx context.Context) error {
	s.mu.Lock()
	token, now := s.token, time.Now()
	lives := token.Value() != "" && now.Before(token.Expiry())
	if lives && (!s.aging(now) || now.Sub(s.failed) < refusedFor) {
		s.mu.Unlock()
		return nil
	}
	r := s.renew(ctx)
	s.mu.Unlock()
	if lives {
		patience, stop := context.WithTimeout(ctx, tokenCallTime)
		_, _ = r.wait(patience)
		stop()
		if ctx.Err() == nil && time.Now().Before(token.Expiry()) {
			return nil
		}
	}
	_, err := r.wait(ctx)
	return err
}

// aging reports whether the token is in the last tenth of its life.
func (s *passwordSource) aging(now time.Time) bool {
	life := s.token.Expiry().Sub(s.fetched)
	return !now.Before(s.token.Expiry().Add(-life / 10))
}

// Invalidate drops the cached token if it is the stale one.
func (s *passwordSource) Invalidate(stale Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Value() == stale.Value() {
		s.token = Token{}
	}
}

// renew joins the renewal under way or starts one. It runs on a context of its
// own, so that the caller who happened to start it may leave. s.mu is held.
func (s *passwordSource) renew(ctx context.Context) *renewal {
	if s.renewal != nil {
		return s.renewal
	}
	r := &renewal{done: make(chan struct{})}
	s.renewal = r
	bound := tokenCallTime + max(s.core.retry.MaxLimitWait, 0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	go func() {
		defer close(r.done)
		defer cancel()
		s.run(ctx, r)
		s.core.emit(Event{Kind: EventToken, Method: http.MethodPost, Route: tokenRoute, Err: r.err})
	}()
	return r
}

func (s *passwordSource) run(ctx context.Context, r *renewal) {
	defer s.finish(r)
	r.err = errEnded // where a function of the caller ends this goroutine
	r.token, r.err = s.fetch(ctx)
}

func (s *passwordSource) finish(r *renewal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewal = nil
	if r.err != nil {
		s.failed = time.Now()
		return
	}
	s.token, s.fetched = r.token, time.Now()
}

func (r *renewal) wait(ctx context.Context) (Token, error) {
	select {
	case <-r.done:
		return r.token, r.err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

const tokenRoute = "/auth/token"

// fetch makes the token call: form fields username and password, no grant_type
// and no Authorization header.
func (s *passwordSource) fetch(ctx context.Context) (Token, error) {
	username, password, err := s.ask(ctx)
	if err != nil {
		return Token{}, &RequestError{Field: "WithCredentialsFunc", Problem: "the function failed: " + ownText(err), cause: safe(err)}
	}
	if username == "" || password == "" {
		return Token{}, refuse("WithCredentialsFunc", "the function gave no user name or no password")
	}
	if r := s.refused; r != nil && r.username == username && r.password == password && time.Since(r.at) < refusedFor {
		return Token{}, r.err
	}
	s.refused = nil // only the renewal under way touches it

	form := url.Values{"username": {username}, "password": {password}}
	var token Token
	call := &call{core: s.core, record: &record{method: http.MethodPost, route: tokenRoute}, gate: s.core.tokenGate}
	call.body, call.contentType = bytesBody(form.Encode()), "application/x-www-form-urlencoded"
	call.accept = func(a answer) (problem string) {
		token, problem = readToken(a, time.Now())
		return problem
	}
	err = call.run(ctx)
	if _, ok := errors.AsType[*UnauthorizedError](err); ok {
		s.refused = &refusal{username, password, time.Now(), err}
	}
	return token, err
}

// ask calls the function for the credentials, which may hang and not look at its
// context: the renewal must end all the same, or there would never be another.
func (s *passwordSource) ask(ctx context.Context) (username, password string, err error) {
	type answer struct {
		username, password string
		err                error
	}
	a, hung := await(ctx, func() (a answer) {
		a.username, a.password, a.err = s.credentials(ctx)
		return a
	})
	return a.username, a.password, cmp.Or(a.err, hung)
}

// readToken reads the answer of the token call and tells what is wrong with it.
func readToken(a answer, now time.Time) (Token, string) {
	var reply struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	switch {
	case json.Unmarshal(a.body, &reply) != nil:
		return Token{}, "not the documented JSON"
	case reply.AccessToken == "" || strings.ContainsAny(reply.AccessToken, " \r\n"):
		return Token{}, "no usable access_token"
	case reply.TokenType != "" && !strings.EqualFold(reply.TokenType, "bearer"):
		return Token{}, "token_type is not bearer"
	}
	return NewToken(reply.AccessToken, now.Add(tokenLife(reply.AccessToken, a.header, now))), ""
}

// tokenLife is how long a new token lives: until its exp claim (RFC 7519,
// section 4.1.4) by the server's own clock, as its Date header tells it. A
// claim that is absent, past, or absurdly far is not believed.
func tokenLife(jwt string, header http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	exp, ok := expClaim(jwt)
	if !ok || exp <= float64(now.Unix()) || exp > float64(now.Add(maxTokenLife).Unix()) {
		return defaultTokenLife
	}
	return time.Unix(int64(exp), 0).Sub(now)
}

// expClaim reads the exp claim without verifying the token, which is the API's
// to do.
func expClaim(jwt string) (exp float64, ok bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return 0, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return 0, false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return 0, false
	}
	return *claims.Exp, true
}

// freshToken renews an aging token before a request that cannot be repeated.
func (c *call) freshToken() {
	if s, ok := c.tokens.(*passwordSource); ok {
		if err := s.freshen(c.ctx); err != nil {
			c.err = c.tokenError(err)
		}
	}
}

// tokenError is the error of a call that got no token.
func (c *call) tokenError(err error) error {
	if isOwn(err) {
		return err
	}
	switch {
	case c.ctx.Err() != nil:
		return c.interrupted()
	case err == nil:
		return refuse("WithTokenSource", "the token source gave an empty token")
	}
	return &RequestError{Field: "WithTokenSource", Problem: "the token source failed: " + ownText(err), cause: safe(err)}
}
