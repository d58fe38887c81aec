package ambienttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
	if e.record.Value("username") != s.config.username || e.record.Value("password") != s.config.password {
		return unauthorized()
	}
	now := time.Now() // after the delay
	expiry := now.Add(s.config.tokenLifetime)
	s.issued++
	token := s.signToken(now, expiry)
	s.tokens[token] = expiry
	return jsonAnswer(http.StatusOK, map[string]string{"access_token": token, "token_type": "bearer"})
}

// signToken makes a JWT. What it claims is for the client: the server knows its tokens by heart.
func (s *Server) signToken(issued, expiry time.Time) string {
	claims, err := json.Marshal(map[string]any{
		"sub": s.config.username,
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

// authorized is called with the mutex held.
func (s *Server) authorized(h http.Header) bool {
	sent := h.Values("Authorization")
	if len(sent) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(sent[0], " ")
	expiry, issued := s.tokens[token]
	return strings.EqualFold(scheme, "Bearer") && issued && time.Now().Before(expiry)
}
