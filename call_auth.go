package ambient

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// callAuth is what a call remembers of its authorization.
type callAuth struct {
	refused Token // the token that the API refused; zero before that
	again   int   // how often the present token was sent again, since it is young
}

// youngTokenDelays are the pauses before a token that the API refuses is sent again.
// The clock that checks tokens may be behind the one that issues them.
var youngTokenDelays = [...]time.Duration{time.Second, 2 * time.Second}

// authorize gets a token and then a permit to send. If the token has expired while the
// call waited, the call gives the permit back, fetches a token, and takes a permit again
// in its place.
func (c *call) authorize() (Token, error) {
	for {
		token, err := c.token()
		if err != nil {
			return Token{}, err
		}
		lived := token.lives()
		if err := c.acquire(); err != nil {
			return Token{}, err
		}
		if !lived || token.lives() {
			return token, nil
		}
		c.release(0, ratelimitheader.Info{})
	}
}

// token returns a token, and none for the token call itself. After a refusal the
// source must have another token, or the refusal is the call's error.
func (c *call) token() (Token, error) {
	if c.ctx.Err() != nil {
		return Token{}, c.interrupted()
	}
	if c.request.isTokenCall {
		return Token{}, nil
	}
	token, err := c.sourceToken()
	switch {
	case err != nil:
		return Token{}, c.tokenError(err)
	case c.auth.refused.Value() != "" && token.Value() == c.auth.refused.Value():
		return Token{}, c.failure(ending{})
	case !isBearerToken(token.Value()):
		return Token{}, invalid("WithTokenSource", "the token source gave a token that is empty, or has a space or control character in it")
	}
	return token, nil
}

// sourceToken asks the token source. A source that the caller gave may ignore its
// context, so it is left behind when that ends.
func (c *call) sourceToken() (Token, error) {
	switch c.client.tokens.(type) {
	case *passwordSource, staticToken:
		return c.client.tokens.Token(c.ctx)
	}
	type result struct {
		token Token
		err   error
	}
	r, err := callWithContext(c.ctx, c.client, func() (r result) {
		r.token, r.err = c.client.tokens.Token(c.ctx)
		return r
	})
	return r.token, cmp.Or(err, r.err)
}

// noteAccepted remembers that the API took a token.
func (c *call) noteAccepted(token Token) {
	if s, ok := c.client.tokens.(*passwordSource); ok && succeeded(&c.last.report) {
		s.noteAccepted(token)
	}
}

// tokenRefused prepares another attempt after a 401: with the same token after a pause,
// where that may be too young for the API, else with another.
func (c *call) tokenRefused(used Token) bool {
	s, ok := c.client.tokens.(*passwordSource)
	if !ok || c.auth.again == len(youngTokenDelays) || !s.isUntried(used) {
		return c.replaceToken(used)
	}
	wait := youngTokenDelays[c.auth.again]
	c.auth.again++
	if deadline, ok := c.ctx.Deadline(); ok && time.Until(deadline) < wait {
		c.last.ending = ending{fmt.Sprintf("not repeated: the wait of %v for a new token would pass the context's deadline", wait), true}
		return false
	}
	c.emit(Event{Kind: EventRetry, Wait: wait, Number: len(c.history.attempts), Err: c.failure(ending{})})
	c.waited += wait
	sleep(c.ctx, wait)
	return true
}

// sleep waits, for no longer than the context lasts.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 { // an expired timer in a testing/synctest bubble may crash the race detector (go.dev/issue/78156)
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// replaceToken invalidates a token that the API refused, once in a call.
func (c *call) replaceToken(refused Token) bool {
	if c.auth.refused.Value() != "" {
		return false
	}
	c.client.tokens.Invalidate(refused)
	c.auth = callAuth{refused: refused}
	return true
}

// ensureFreshToken renews a token that is near its expiry before a request that
// cannot be repeated.
func (c *call) ensureFreshToken() error {
	s, ok := c.client.tokens.(*passwordSource)
	if !ok || !c.request.once {
		return nil
	}
	if err := s.ensureFresh(c.ctx); err != nil {
		return c.tokenError(err)
	}
	return nil
}

// tokenError is the error of a call that got no token. What a source of the caller met,
// even an error of this package, is no answer to the call.
func (c *call) tokenError(err error) error {
	source := "WithTokenSource"
	if _, ok := c.client.tokens.(*passwordSource); ok {
		if isSDKError(err) {
			return err
		}
		source = "WithCredentials"
	}
	if c.ctx.Err() != nil {
		return c.interrupted()
	}
	return &CredentialsError{Source: source, cause: safeError(err)}
}
