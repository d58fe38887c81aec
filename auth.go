package ambient

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tokenCallTime = time.Minute     // of a refresh, on top of what it may wait for the rate limit
	refusedFor    = 5 * time.Second // for which refused credentials are not tried again
	youngFor      = 5 * time.Second // for which a new token may be refused since clocks differ
)

// A passwordSource fetches tokens by the OAuth2 password flow and keeps them.
// However many callers need one, one call is made.
type passwordSource struct {
	client      *Client
	credentials func(context.Context) (username, password string, err error)

	mu       sync.Mutex
	token    Token     // zero without one
	fetched  time.Time // when token was
	accepted bool      // the API has taken token
	refresh  *refresh  // the one under way, nil without one
	failed   time.Time // when a refresh last failed
	refused  *rejectedLogin
}

// A refresh is a token call that any number of callers wait for.
type refresh struct {
	number   int64         // of the token call, in events
	done     chan struct{} // closed when the others are set
	token    Token
	err      error
	waiting  atomic.Int32 // callers
	panicked any          // with what a function of the caller panicked
}

// A rejectedLogin remembers credentials that were refused, so that a thousand callers
// with a wrong password do not lock the account.
type rejectedLogin struct {
	username, password string
	at                 time.Time
	err                error
}

func newPasswordSource(c *Client, credentials func(context.Context) (string, string, error)) *passwordSource {
	return &passwordSource{client: c, credentials: credentials}
}

// Token returns the cached token while it lives. In the last tenth of its life it also
// starts one refresh. The old token serves until that is done.
func (s *passwordSource) Token(ctx context.Context) (Token, error) {
	s.mu.Lock()
	now := time.Now()
	if token := s.token; token.Value() != "" && now.Before(token.Expiry()) {
		if s.nearExpiry(now) && now.Sub(s.failed) >= refusedFor {
			s.startRefresh(ctx)
		}
		s.mu.Unlock()
		return token, nil
	}
	r := s.startRefresh(ctx)
	s.mu.Unlock()
	return r.wait(ctx)
}

// ensureFresh waits for the refresh of a token that is near its expiry. It is for
// requests that cannot be repeated. A token that could not be renewed and still lives
// is good enough.
func (s *passwordSource) ensureFresh(ctx context.Context) error {
	s.mu.Lock()
	token, now := s.token, time.Now()
	lives := token.Value() != "" && now.Before(token.Expiry())
	if lives && (!s.nearExpiry(now) || now.Sub(s.failed) < refusedFor) {
		s.mu.Unlock()
		return nil
	}
	r := s.startRefresh(ctx)
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

// nearExpiry reports whether the token is in the last tenth of its life.
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

// noteAccepted remembers that the API took the token.
func (s *passwordSource) noteAccepted(token Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = s.accepted || s.token.Value() == token.Value()
}

// isUntried reports whether the token is new and no call has yet been answered with
// success.
func (s *passwordSource) isUntried(token Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.accepted && s.token.Value() == token.Value() && time.Since(s.fetched) < youngFor
}

// startRefresh joins the refresh under way or starts one. It outlives the caller who started
// it, who may leave. s.mu is held.
func (s *passwordSource) startRefresh(ctx context.Context) *refresh {
	if s.refresh != nil {
		return s.refresh
	}
	r := &refresh{number: s.client.nextCall(), done: make(chan struct{})}
	s.refresh = r
	bound := tokenCallTime + max(s.client.retry.MaxLimitWait, 0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	go func() {
		defer close(r.done)
		defer cancel()
		defer func() {
			r.panicked = cmp.Or(r.panicked, recover()) // of an observer
			if r.waiting.Load() == 0 {
				s.client.reportLatePanic(ctx, r.panicked)
			}
		}()
		s.run(ctx, r)
		s.client.emit(ctx, Event{Kind: EventToken, Call: r.number, Method: http.MethodPost, Route: tokenRoute, Err: r.err})
	}()
	return r
}

// run fetches a token. A panic or the end of the goroutine in a function of the caller
// is an error of the refresh.
func (s *passwordSource) run(ctx context.Context, r *refresh) {
	defer s.finish(r)
	defer func() { r.panicked = recover() }()
	r.err = errGoexit
	r.token, r.err = s.fetch(ctx, r.number)
}

func (s *passwordSource) finish(r *refresh) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh = nil
	if r.err != nil {
		s.failed = time.Now()
		return
	}
	s.token, s.fetched, s.accepted = r.token, time.Now(), false
}

func (r *refresh) wait(ctx context.Context) (Token, error) {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	select {
	case <-r.done:
		if r.panicked != nil {
			panic(r.panicked) // where the caller can recover
		}
		return r.token, r.err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

const (
	tokenEndpoint = "POST /auth/token"
	tokenRoute    = "/auth/token"
)

// fetch makes the token call. It has the form fields username and password, no
// grant_type, and no Authorization header.
func (s *passwordSource) fetch(ctx context.Context, number int64) (Token, error) {
	username, password, err := s.fetchCredentials(ctx)
	if err != nil {
		return Token{}, &CredentialsError{Source: "WithCredentialsFunc", cause: safeError(err)}
	}
	if err := validateCredentials("WithCredentialsFunc", username, password); err != nil {
		return Token{}, err
	}
	if r := s.refused; r != nil && r.username == username && r.password == password && time.Since(r.at) < refusedFor {
		return Token{}, r.err
	}
	s.refused = nil // only the refresh under way touches it

	form := url.Values{"username": {username}, "password": {password}}
	var token Token
	call := s.client.newTokenCall(ctx, number)
	call.request.content = inMemory("application/x-www-form-urlencoded", []byte(form.Encode()))
	call.request.decode = func(r response) (problem string) {
		token, problem = readToken(r, time.Now())
		return problem
	}
	err = call.run()
	if api, ok := find[*APIError](err); ok && isRejection(api.StatusCode) {
		s.refused = &rejectedLogin{username, password, time.Now(), err}
	}
	return token, err
}

// isRejection reports whether the token call was refused for what it sent, so that the
// same credentials would be refused again. Password forms of FastAPI answer 400.
func isRejection(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return false
}

// newTokenCall returns a token call. It creates no job, so it is no submit.
func (c *Client) newTokenCall(ctx context.Context, number int64) *call {
	call := c.newCall(ctx, tokenEndpoint, tokenRoute, []CallOption{withNumber(number)})
	call.request.submit, call.request.isTokenCall = false, true
	return call
}

// fetchCredentials calls the function for the credentials. The function may hang and
// ignore its context. The refresh must still end, or there would never be another.
func (s *passwordSource) fetchCredentials(ctx context.Context) (username, password string, err error) {
	type answer struct {
		username, password string
		err                error
	}
	a, hung := callWithContext(ctx, s.client, func() (a answer) {
		a.username, a.password, a.err = s.credentials(ctx)
		return a
	})
	return a.username, a.password, cmp.Or(a.err, hung)
}
