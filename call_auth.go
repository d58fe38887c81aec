package ambient

import (
	"cmp"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// callAuth is what a call remembers of its authorization.
type callAuth struct {
	refused Token // the token that the API refused; zero before that
}

// authorize gets a token and then a permit to send. If the token has expired while the
// call waited, the call gives the permit back, fetches a token, and takes a permit again
// in its place.
func (c *call) authorize() (Token, error) {
	for {
		token, err := c.token()
		if err != nil {
			return Token{}, err
		}
		wasValid := token.valid()
		if err := c.acquire(); err != nil {
			return Token{}, err
		}
		if !wasValid || token.valid() {
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
	case err == nil && c.auth.refused.Value() != "" && token.Value() == c.auth.refused.Value():
		return Token{}, c.failure(ending{})
	case err == nil && token.Value() != "":
		return token, nil
	}
	return Token{}, c.tokenError(err)
}

// sourceToken asks the token source. A source that the caller gave may ignore its
// context, so it is left behind when that ends.
func (c *call) sourceToken() (Token, error) {
	switch s := c.client.tokens.(type) {
	case *passwordSource:
		return s.Token(c.ctx)
	case staticToken:
		return s.token, nil
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

// replaceToken invalidates a token that the API refused, once in a call.
func (c *call) replaceToken(refused Token) bool {
	if c.auth.refused.Value() != "" {
		return false
	}
	c.client.tokens.Invalidate(refused)
	c.auth.refused = refused
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

// tokenError is the error of a call that got no token.
func (c *call) tokenError(err error) error {
	switch {
	case isSDKError(err):
		return err
	case c.ctx.Err() != nil:
		return c.interrupted()
	case err == nil:
		return invalid("WithTokenSource", "the token source gave an empty token")
	}
	return &RequestError{Field: "WithTokenSource", Problem: "the token source failed: " + safeText(err), cause: safeError(err)}
}
