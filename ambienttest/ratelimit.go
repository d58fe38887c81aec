package ambienttest

import (
	"math"
	"slices"
	"time"
)

// RateLimit limits the requests of the account to every route but the token route. It is checked after authorisation
// and before anything of the body is read; what it refuses does not count. The zero value is no limit.
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

// SetRateLimit puts another limit in place of the present one and begins counting anew.
func (s *Server) SetRateLimit(l RateLimit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limiter = limiter{RateLimit: l}
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

// takeToken keeps the one moment when the bucket will be full again, which is exact where a count of tokens in
// floating point is not.
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
