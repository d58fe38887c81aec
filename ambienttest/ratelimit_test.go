package ambienttest

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAlgorithms(t *testing.T) {
	for _, a := range []struct {
		name  string
		limit RateLimit
		moves string // a digit sleeps so many seconds, '.' is let through, 'x' is refused
	}{
		{"fixed window", RateLimit{Limit: 2, Window: 10 * time.Second}, "9..x1..x9x1."},
		{"fixed window of the default second", RateLimit{Limit: 1}, ".x1.x"},
		{"token bucket", RateLimit{Algorithm: TokenBucket, Limit: 2, Window: 10 * time.Second}, "..x4x1.x5.x99..x"},
		{"token bucket with a burst", RateLimit{Algorithm: TokenBucket, Limit: 10, Window: 10 * time.Second, Burst: 1}, ".x1.x9.x"},
		{"token bucket of more than one a nanosecond", RateLimit{Algorithm: TokenBucket, Limit: 2_000_000_000}, "..."},
		{"token bucket with room for years", RateLimit{Algorithm: TokenBucket, Limit: 1, Window: 24 * time.Hour, Burst: 200_000}, "..."},
		{"sliding log", RateLimit{Algorithm: SlidingLog, Limit: 2, Window: 10 * time.Second}, ".5.x4x1.x4x1.x"},
	} {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCaller(t, StartInMemory(t, WithRateLimit(a.limit)))
				for i, m := range a.moves {
					if m >= '0' && m <= '9' {
						time.Sleep(time.Duration(m-'0') * time.Second)
						continue
					}
					refused := c.get("/transcribe/1").status == http.StatusTooManyRequests
					want(t, "refused at "+a.moves[:i+1], refused, m == 'x')
				}
				want(t, "the token call is free", c.login().status, http.StatusOK)
			})
		})
	}
}

func TestDialects(t *testing.T) {
	for _, d := range []struct {
		dialect  Dialect
		accepted string
		refused  string
	}{
		{NoHeaders, "", ""},
		{RetryAfterOnly, "", "Retry-After: 9"},
		{XRateLimit, "X-Ratelimit-Limit: 1, X-Ratelimit-Remaining: 0, X-Ratelimit-Reset: 946684870",
			"Retry-After: 9, X-Ratelimit-Limit: 1, X-Ratelimit-Remaining: 0, X-Ratelimit-Reset: 946684870"},
		{XRateLimitMillis, "X-Ratelimit-Limit: 1, X-Ratelimit-Remaining: 0, X-Ratelimit-Reset: 946684870000",
			"Retry-After: 9, X-Ratelimit-Limit: 1, X-Ratelimit-Remaining: 0, X-Ratelimit-Reset: 946684870000"},
		{RateLimitDelta, "Ratelimit-Limit: 1, Ratelimit-Remaining: 0, Ratelimit-Reset: 9",
			"Ratelimit-Limit: 1, Ratelimit-Remaining: 0, Ratelimit-Reset: 9, Retry-After: 9"},
		{IETF, `Ratelimit: "default";r=0;t=9, Ratelimit-Policy: "default";q=1;w=10`,
			`Ratelimit: "default";r=0;t=9, Ratelimit-Policy: "default";q=1;w=10, Retry-After: 9`},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCaller(t, StartInMemory(t, WithRateLimit(RateLimit{
				Limit: 1, Window: 10 * time.Second, Dialect: d.dialect, ClockSkew: time.Minute,
			})))
			time.Sleep(1500 * time.Millisecond) // 8.5 s remain
			want(t, "accepted", limitHeaders(c.get("/transcribe/1")), d.accepted)
			refused := c.get("/transcribe/1")
			want(t, "refused", limitHeaders(refused), d.refused)
			want(t, "Date", refused.header.Get("Date"), "Sat, 01 Jan 2000 00:01:01 GMT")
		})
	}
}

func limitHeaders(r reply) string {
	var b strings.Builder
	_ = r.header.WriteSubset(&b, map[string]bool{"Date": true, "Content-Type": true, "Content-Length": true})
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\r\n", ", ")
}

// Outside of a bubble the clock has a monotonic reading too, which must not make
// a new window of every moment.
func TestFixedWindowByTheRealClock(t *testing.T) {
	s := Start(t, WithRateLimit(RateLimit{Limit: 3, Window: time.Hour}))
	c := newCaller(t, s)
	refused := 0
	for range 20 {
		if c.get("/transcribe/999").status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 14 { // an hour may turn in the middle
		t.Errorf("%d of 20 requests refused by a limit of 3 an hour", refused)
	}
}
