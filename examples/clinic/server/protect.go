package server

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// policy lets the page load its own files and talk to its own server. It has no inline code, no other origin, no frame
// and no form.
var policy = strings.Join([]string{
	"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
	"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	"trusted-types 'none'",
}, "; ")

// secure sets the headers that every answer has, and the time that a request may take.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "microphone=(self), screen-wake-lock=(self), camera=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000")
		}
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Now().Add(bodyTime)) // not every ResponseWriter has deadlines; this server's has
		_ = rc.SetWriteDeadline(time.Now().Add(bodyTime))
		next.ServeHTTP(w, r)
	})
}

// checkOrigin refuses what another site makes a browser send.
func checkOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusForbidden, &refusal{Word: "origin"})
	}))
	return protection.Handler(next)
}

// A privateHandler answers a user who is signed in. Its error becomes a refusal.
type privateHandler func(w http.ResponseWriter, r *http.Request, who session) error

// private lets only users through who are signed in. A request that changes something needs the session's CSRF token
// and a place within the user's rate.
func (s *Server) private(next privateHandler) http.Handler {
	return s.public(func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.sessions.of(s.cookie(r))
		if err != nil {
			return err
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if !who.hasCSRF(r.Header.Get("X-CSRF-Token")) {
				return errCSRF
			}
			if !s.limits.allow(who.User) {
				return errRate
			}
		}
		return next(w, r, who)
	})
}

// public makes an http.Handler of one whose error becomes a refusal.
func (s *Server) public(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := next(w, r); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// limits are the rates of each user. Nobody can make the maps grow, since all users are in the Config.
type limits struct {
	changes map[string]*rate.Limiter
	signIns map[string]*rate.Limiter // "" is for all names that nobody has
}

// A user may try five passwords at once, and then one every six seconds.
const (
	signInEvery = 6 * time.Second
	signInBurst = 5
)

func newLimits(users map[string]string, perSecond float64) *limits {
	l := &limits{map[string]*rate.Limiter{}, map[string]*rate.Limiter{}}
	l.signIns[""] = rate.NewLimiter(rate.Every(signInEvery), signInBurst)
	for user := range users {
		l.signIns[user] = rate.NewLimiter(rate.Every(signInEvery), signInBurst)
		l.changes[user] = rate.NewLimiter(rate.Limit(perSecond), int(5*perSecond)+1)
	}
	return l
}

func (l *limits) allow(user string) bool { return l.changes[user] != nil && l.changes[user].Allow() }

func (l *limits) allowSignIn(user string) bool {
	if l.signIns[user] == nil {
		user = ""
	}
	return l.signIns[user].Allow()
}
