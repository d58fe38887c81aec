package ambienttest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Dialect is the set of headers in which a server tells of its rate limit: all but NoHeaders and RetryAfterOnly on
// every answer that counts, and all but NoHeaders with a Retry-After on the 429, in whole seconds. Seconds are rounded
// up. A reset is the moment when more requests become available.
type Dialect int

const (
	NoHeaders        Dialect = iota
	RetryAfterOnly           // Retry-After, and nothing else
	XRateLimit               // X-RateLimit-Limit, -Remaining, -Reset in epoch seconds
	XRateLimitMillis         // the same with -Reset in epoch milliseconds
	RateLimitDelta           // RateLimit-Limit, -Remaining, -Reset in seconds from now
	IETF                     // RateLimit and RateLimit-Policy, structured fields of draft-ietf-httpapi-ratelimit-headers
)

// headers tells a verdict in the limiter's dialect.
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
