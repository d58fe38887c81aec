package ambient

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	tokenCallTime = time.Minute     // of a renewal, on top of what it may wait for the rate limit
	refusedFor    = 5 * time.Second // for which refused credentials are not tried again
)

// A passwordSource fetches tokens by the OAuth2 password flow and keeps them.
// However many callers need one, one call is made.
type passwordSource struct {
	client      *Client
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

func newPasswordSource(c *Client, credentials func(context.Context) (string, string, error)) *passwordSource {
	return &passwordSource{client: c, credentials: credentials}
}

// Token returns the cached token while it lives. In the last tenth of its life
// one renewal is started in passing; the old token serves until that is done.
func (s *passwordSource) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	now := time.Now()
	if token := s.token; token.Value() != "" && now.Before(token.Expiry()) {
		if s.nearExpiry(now) && now.Sub(s.failed) >= refusedFor {
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
func (s *passwordSource) ensureFresh(ctx context.Context) error {
	s.mu.Lock()
	token, now := s.token, time.Now()
	lives := token.Value() != "" && now.Before(token.Expiry())
	if lives && (!s.nearExpiry(now) || now.Sub(s.failed) < refusedFor) {
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
func (s *passwordSource) nearExpiry(now time.Time) bool {
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
	bound := tokenCallTime + max(s.client.retry.MaxLimitWait, 0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	go func() {
		defer close(r.done)
		defer cancel()
		s.run(ctx, r)
		s.client.emit(Event{Kind: EventToken, Method: http.MethodPost, Route: tokenRoute, Err: r.err})
	}()
	return r
}

func (s *passwordSource) run(ctx context.Context, r *renewal) {
	defer s.finish(r)
	r.err = errGoexit // where a function of the caller ends this goroutine
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
		return Token{}, &RequestError{Field: "WithCredentialsFunc", Problem: "the function failed: " + safeText(err), cause: safeError(err)}
	}
	if username == "" || password == "" {
		return Token{}, invalid("WithCredentialsFunc", "the function gave no user name or no password")
	}
	if r := s.refused; r != nil && r.username == username && r.password == password && time.Since(r.at) < refusedFor {
		return Token{}, r.err
	}
	s.refused = nil // only the renewal under way touches it

	form := url.Values{"username": {username}, "password": {password}}
	var token Token
	call := &call{Client: s.client, record: &record{method: http.MethodPost, route: tokenRoute}, gate: s.client.tokenGate}
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
	a, hung := callWithContext(ctx, func() (a answer) {
		a.username, a.password, a.err = s.credentials(ctx)
		return a
	})
	return a.username, a.password, cmp.Or(a.err, hung)
}

// freshToken renews an aging token before a request that cannot be repeated.
func (c *call) freshToken() {
	if s, ok := c.tokens.(*passwordSource); ok {
		if err := s.ensureFresh(c.ctx); err != nil {
			c.err = c.tokenError(err)
		}
	}
}

// tokenError is the error of a call that got no token.
func (c *call) tokenError(err error) error {
	if isSDKError(err) {
		return err
	}
	switch {
	case c.ctx.Err() != nil:
		return c.interrupted()
	case err == nil:
		return invalid("WithTokenSource", "the token source gave an empty token")
	}
	return &RequestError{Field: "WithTokenSource", Problem: "the token source failed: " + safeText(err), cause: safeError(err)}
}
