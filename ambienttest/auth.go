package ambienttest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// account is one service account.
type account struct {
	username, password string
	limiters           map[string]*limiter // by route; under anyRoute, the one of all other routes
}

// grant is what a token stands for.
type grant struct {
	account             *account
	notBefore, notAfter time.Time
}

// RevokeTokens makes every token issued so far answer 401 from now on.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// issueToken answers the token call.
func issueToken(e *exchange, _ time.Time) answer {
	s := e.server
	e.wait(s.config.tokenDelay)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accountOf(e.record.Value("username"), e.record.Value("password"))
	if a == nil {
		return unauthorized()
	}
	e.record.Account = a.username
	now := time.Now() // after the delay
	s.issued++
	g := grant{a, now.Add(s.config.tokenNotBefore), now.Add(s.config.tokenLifetime)}
	reply := map[string]any{"token_type": "bearer"}
	token := rand.Text()
	if s.config.opaqueTokens {
		reply["expires_in"] = int64(s.config.tokenLifetime / time.Second)
	} else {
		token = s.signToken(a.username, now, g.notAfter)
	}
	reply["access_token"] = token
	s.tokens[token] = g
	return jsonAnswer(http.StatusOK, reply)
}

func (s *Server) accountOf(username, password string) *account {
	for _, a := range s.accounts {
		if a.username == username && a.password == password {
			return a
		}
	}
	return nil
}

// signToken makes a JWT. Its claims are for the client. The server remembers its
// tokens.
func (s *Server) signToken(username string, issued, expiry time.Time) string {
	claims, err := json.Marshal(map[string]any{
		"sub": username,
		"jti": strconv.Itoa(s.issued), // keeps two tokens of the same second apart
		"iat": issued.Unix(),
		"exp": expiry.Unix(),
	})
	if err != nil {
		panic(fmt.Sprintf("ambienttest: claims: %v", err))
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, s.tokenKey)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// authorized is the account that a request is from, nil for none. It is called with the
// mutex held.
func (s *Server) authorized(h http.Header) *account {
	sent := h.Values("Authorization")
	if len(sent) != 1 {
		return nil
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	g := s.tokens[token] // without an account where the server did not issue it
	if now := time.Now(); !strings.EqualFold(scheme, "Bearer") || now.Before(g.notBefore) || !now.Before(g.notAfter) {
		return nil
	}
	return g.account
}
