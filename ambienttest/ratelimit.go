package ambienttest

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// RateLimit limits the requests of each account to every route but the token route. It
// is checked after authorisation and before anything of the body is read. What it
// refuses does not count. The zero value is no limit.
type RateLimit struct {
	Algorithm Algorithm
	Limit     int           // requests per Window; 0 or less is no limit
	Window    time.Duration // 0 or less is one second
	Burst     int           // of TokenBucket: how many may come at once; default Limit
	Dialect   Dialect
	ClockSkew time.Duration // how far the server's clock, in Date and in epoch headers, is ahead of the true time
}

// Algorithm is how a server counts requests.
type Algorithm int

const (
	FixedWindow Algorithm = iota // windows begin at whole multiples of Window since the Unix epoch
	TokenBucket                  // refilled evenly, Limit per Window
	SlidingLog                   // Limit in any stretch of Window
)

// SetRateLimit puts another limit in place of the present one and begins counting again.
func (s *Server) SetRateLimit(l RateLimit) { s.setLimit(anyRoute, l) }

// SetRateLimitOf gives a route its own limit and count, as services do that limit each
// route. Its requests do not count for the limit of all others.
func (s *Server) SetRateLimitOf(route string, l RateLimit) {
	mustKnow(route)
	s.setLimit(route, l)
}

func (s *Server) setLimit(route string, l RateLimit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[route] = l
	for _, a := range s.accounts {
		delete(a.limiters, route)
	}
}

// limiterOf is what counts a request, nil where there is no limit. It is called with
// the mutex held.
func (s *Server) limiterOf(a *account, route string) *limiter {
	if _, own := s.limits[route]; !own {
		route = anyRoute
	}
	if s.limits[route].Limit <= 0 {
		return nil
	}
	if a.limiters[route] == nil {
		if a.limiters == nil {
			a.limiters = map[string]*limiter{}
		}
		a.limiters[route] = &limiter{RateLimit: s.limits[route]}
	}
	return a.limiters[route]
}

// limiter is a rate limit at work.
type limiter struct {
	RateLimit
	window time.Time   // FixedWindow: the start of the present window
	count  int         // FixedWindow: requests in it
	full   time.Time   // TokenBucket: when the bucket is full again
	log    []time.Time // SlidingLog: requests within the last Window
}

// verdict is what a limiter says to one request.
type verdict struct {
	ok        bool
	remaining int
	reset     time.Time // when remaining next grows
}

func (l *limiter) take(now time.Time) verdict {
	if l.Window <= 0 {
		l.Window = time.Second
	}
	switch l.Algorithm {
	case TokenBucket:
		return l.takeToken(now)
	case SlidingLog:
		return l.takeLogged(now)
	}
	return l.takeFixed(now)
}

func (l *limiter) takeFixed(now time.Time) verdict {
	now = now.Round(0) // without the monotonic reading, by which no two times are equal
	start := now.Add(-time.Duration(now.UnixNano() % int64(l.Window)))
	if !start.Equal(l.window) {
		l.window, l.count = start, 0
	}
	ok := l.count < l.Limit
	if ok {
		l.count++
	}
	return verdict{ok, l.Limit - l.count, start.Add(l.Window)}
}

// takeToken keeps the one moment when the bucket will be full again, which is exact
// where a count of tokens in floating point is not.
func (l *limiter) takeToken(now time.Time) verdict {
	if l.Burst <= 0 {
		l.Burst = l.Limit
	}
	interval := max(l.Window/time.Duration(l.Limit), 1)
	capacity := interval * min(time.Duration(l.Burst), math.MaxInt64/4/interval)
	if l.full.Before(now) {
		l.full = now
	}
	ok := l.full.Add(interval).Sub(now) <= capacity
	if ok {
		l.full = l.full.Add(interval)
	}
	tokens := int((capacity - l.full.Sub(now)) / interval)
	return verdict{ok, tokens, l.full.Add(-capacity).Add(interval * time.Duration(tokens+1))}
}

func (l *limiter) takeLogged(now time.Time) verdict {
	l.log = slices.DeleteFunc(l.log, func(t time.Time) bool { return now.Sub(t) >= l.Window })
	ok := len(l.log) < l.Limit
	if ok {
		l.log = append(l.log, now)
	}
	return verdict{ok, l.Limit - len(l.log), l.log[0].Add(l.Window)}
}

// Dialect is the set of headers in which a server reports its rate limit. All but
// NoHeaders and RetryAfterOnly stand on every answer that counts. All but NoHeaders add
// a Retry-After in whole seconds to a 429. Seconds are rounded up. A reset is the
// moment when more requests become available.
type Dialect int

const (
	NoHeaders        Dialect = iota
	RetryAfterOnly           // Retry-After, and nothing else
	XRateLimit               // X-RateLimit-Limit, -Remaining, -Reset in epoch seconds
	XRateLimitMillis         // the same with -Reset in epoch milliseconds
	RateLimitDelta           // RateLimit-Limit, -Remaining, -Reset in seconds from now
	IETF                     // RateLimit and RateLimit-Policy, structured fields of draft-ietf-httpapi-ratelimit-headers
)

// headers writes a verdict in the dialect of the limiter.
func (l *limiter) headers(v verdict, now time.Time) http.Header {
	h := http.Header{}
	delta := ceil(v.reset.Sub(now).Nanoseconds(), time.Second)
	if !v.ok && l.Dialect != NoHeaders {
		h.Set("Retry-After", strconv.FormatInt(delta, 10))
	}
	epoch := v.reset.Add(l.ClockSkew).UnixNano()
	switch l.Dialect {
	case XRateLimit:
		setThree(h, "X-RateLimit-", l.Limit, v.remaining, ceil(epoch, time.Second))
	case XRateLimitMillis:
		setThree(h, "X-RateLimit-", l.Limit, v.remaining, ceil(epoch, time.Millisecond))
	case RateLimitDelta:
		setThree(h, "RateLimit-", l.Limit, v.remaining, delta)
	case IETF:
		h.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, v.remaining, delta))
		h.Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, l.Limit, ceil(int64(l.Window), time.Second)))
	}
	return h
}

func setThree(h http.Header, prefix string, limit, remaining int, reset int64) {
	h.Set(prefix+"Limit", strconv.Itoa(limit))
	h.Set(prefix+"Remaining", strconv.Itoa(remaining))
	h.Set(prefix+"Reset", strconv.FormatInt(reset, 10))
}

// ceil counts the units in a number of nanoseconds, rounded up.
func ceil(nanos int64, unit time.Duration) int64 {
	return (nanos + int64(unit) - 1) / int64(unit)
}
