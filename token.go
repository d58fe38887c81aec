package ambient

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	defaultTokenLife = 48 * time.Hour       // documented by the API
	maxTokenLife     = 365 * 24 * time.Hour // an exp beyond it is not believed
)

// Token is a bearer token. It prints and marshals as nothing but its expiry.
type Token struct{ secret secret[tokenSecret] }

type tokenSecret struct {
	value  string
	header []string // the Authorization header's value
	expiry time.Time
}

// NewToken returns a token. A zero expiry means that it is not known. If it
// expires while its call waits for the rate limit, its source is asked again.
func NewToken(value string, expiry time.Time) Token {
	return Token{newSecret(tokenSecret{value: value, header: []string{"Bearer " + value}, expiry: expiry})}
}

// Value returns the secret itself, empty for a zero Token.
func (t Token) Value() string {
	if s := t.secret.get(); s != nil {
		return s.value
	}
	return ""
}

// Expiry returns when the token expires, zero when unknown.
func (t Token) Expiry() time.Time {
	if s := t.secret.get(); s != nil {
		return s.expiry
	}
	return time.Time{}
}

// lives reports whether the token is known not to have expired.
func (t Token) lives() bool { return time.Now().Before(t.Expiry()) }

func (t Token) String() string {
	if t.Expiry().IsZero() {
		return "Token(hidden)"
	}
	return "Token(hidden, expires " + t.Expiry().UTC().Format(time.RFC3339) + ")"
}

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

// isCredential reports whether a user name, password or token can be sent as it is. A
// line break is the end of the file that it was read from, and a character that nobody
// sees got into it by accident.
func isCredential(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isBearerToken reports whether a token can stand in a header.
func isBearerToken(s string) bool { return isCredential(s) && !strings.Contains(s, " ") }

// readToken reads the answer of the token call, or returns what is wrong with it.
func readToken(r response, now time.Time) (Token, string) {
	var reply struct {
		AccessToken string          `json:"access_token"`
		TokenType   string          `json:"token_type"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
	}
	switch {
	case json.Unmarshal(r.body, &reply) != nil:
		return Token{}, "not the documented JSON"
	case !isBearerToken(reply.AccessToken):
		return Token{}, "no usable access_token"
	case reply.TokenType != "" && !strings.EqualFold(reply.TokenType, "bearer"):
		return Token{}, "token_type is not bearer"
	}
	life := jwtLife(reply.AccessToken, r.header, now)
	if life == 0 {
		life = lifeOf(reply.ExpiresIn)
	}
	return NewToken(reply.AccessToken, now.Add(cmp.Or(life, defaultTokenLife))), ""
}

// jwtLife is how long a new token lives by its exp claim (RFC 7519, section 4.1.4) and
// the clock of the server, which its Date header shows. It is 0 for a claim that is
// absent, past, or absurdly far.
func jwtLife(jwt string, header http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	exp := expClaim(jwt)
	if exp <= float64(now.Unix()) || exp > float64(now.Add(maxTokenLife).Unix()) {
		return 0
	}
	return time.Unix(int64(exp), 0).Sub(now)
}

// lifeOf reads expires_in (RFC 6749, section 5.1), in seconds. It is 0 for one that is
// absent, not positive, or absurd.
func lifeOf(expiresIn json.RawMessage) time.Duration {
	seconds, err := strconv.ParseFloat(strings.Trim(string(expiresIn), `"`), 64)
	if err != nil || !(seconds > 0) || seconds > maxTokenLife.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// expClaim reads the exp claim without verifying the token, which is the API's to do. It
// is 0 where there is none.
func expClaim(jwt string) float64 {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return 0
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return 0
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return 0
	}
	return claims.Exp
}
