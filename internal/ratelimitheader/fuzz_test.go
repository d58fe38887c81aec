package ratelimitheader

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzRead: whatever a server sends, nothing panics, counts are counts, and
// times and spans are such that the arithmetic on them holds.
func FuzzRead(f *testing.F) {
	names := []string{
		"Retry-After", "Retry-After-Ms", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-Ms",
		"RateLimit-Limit", "RateLimit-Reset", "RateLimit", "RateLimit-Policy", "Date",
	}
	for i := range names {
		for _, v := range []string{"7", "1e400", "NaN", "-1", "99999999999999", "1762437900123", `"a";r=0;t=5, "b";q=5;w=1e9`, "limit=1, reset=1e13", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", `"\`, "\x00"} {
			f.Add(uint8(i), v, uint8(len(names)-1), "Thu, 06 Nov 2025 14:06:00 GMT", v)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, v string, j uint8, w, both string) {
		h := header([2]string{names[int(i)%len(names)], v}, [2]string{names[int(j)%len(names)], w},
			[2]string{names[int(i)%len(names)], both}, [2]string{names[int(j)%len(names)], both})
		got := Read(h, now)
		require.GreaterOrEqual(t, got.Limit, int64(-1))
		require.GreaterOrEqual(t, got.Remaining, int64(-1))
		for _, when := range []time.Time{got.Reset, got.RetryAfter, got.Until()} {
			if when.IsZero() {
				continue
			}
			require.False(t, when.After(now.Add(maxSpan)), "%v is more than a year ahead", when)
		}
		require.Equal(t, got, Read(h, now), "the same header, read twice")
	})
}
