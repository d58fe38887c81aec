package ratelimitheader

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// now is the local time at which all answers of these tests arrive.
var now = time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC)

// in is a local time some seconds after now.
func in(seconds float64) time.Time {
	return now.Add(time.Duration(seconds * float64(time.Second)))
}

// header makes a header of "Name: value" lines.
func header(lines ...[2]string) http.Header {
	h := http.Header{}
	for _, l := range lines {
		h.Add(l[0], l[1])
	}
	return h
}

func epoch(t time.Time, unit time.Duration) string {
	return strconv.FormatInt(t.UnixNano()/int64(unit), 10)
}

const noLimit = int64(-1)

// Every dialect that is in use on the web.
func TestRead(t *testing.T) {
	type h = [2]string
	for _, c := range []struct {
		name             string
		header           []h
		limit, remaining int64
		reset            time.Time
		window           time.Duration
		retryAfter       time.Time
	}{
		{"nothing", nil, -1, -1, time.Time{}, 0, time.Time{}},
		{"nothing of the kind", []h{{"Content-Type", "application/json"}}, -1, -1, time.Time{}, 0, time.Time{}},

		{"Retry-After in seconds", []h{{"Retry-After", "7"}}, -1, -1, time.Time{}, 0, in(7)},
		{"Retry-After with spaces", []h{{"Retry-After", " 7 "}}, -1, -1, time.Time{}, 0, in(7)},
		{"Retry-After of 0", []h{{"Retry-After", "0"}}, -1, -1, time.Time{}, 0, now},
		{"Retry-After with a fraction", []h{{"Retry-After", "0.25"}}, -1, -1, time.Time{}, 0, in(0.25)},
		{"Retry-After in epoch seconds", []h{{"Retry-After", epoch(in(30), time.Second)}}, -1, -1, time.Time{}, 0, in(30)},
		{"Retry-After in epoch ms", []h{{"Retry-After", epoch(in(30.5), time.Millisecond)}}, -1, -1, time.Time{}, 0, in(30.5)},
		{"Retry-After as a date, RFC 9110", []h{{"Retry-After", "Thu, 06 Nov 2025 14:06:00 GMT"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After as a date, RFC 850", []h{{"Retry-After", "Thursday, 06-Nov-25 14:06:00 GMT"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After as a date, asctime", []h{{"Retry-After", "Thu Nov  6 14:06:00 2025"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After twice, the later", []h{{"Retry-After", "3"}, {"Retry-After", "9"}}, -1, -1, time.Time{}, 0, in(9)},

		{"X-RateLimit, epoch seconds", []h{{"X-RateLimit-Limit", "100"}, {"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", epoch(in(12), time.Second)}}, 100, 3, in(12), 0, time.Time{}},
		{"X-RateLimit, epoch ms", []h{{"X-RateLimit-Limit", "100"}, {"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", epoch(in(12.345), time.Millisecond)}}, 100, 3, in(12.345), 0, time.Time{}},
		{"X-RateLimit, delta", []h{{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "12"}}, -1, 0, in(12), 0, time.Time{}},
		{"X-RateLimit, epoch with a fraction", []h{{"X-RateLimit-Reset", epoch(in(12), time.Second) + ".25"}}, -1, -1, in(12.25), 0, time.Time{}},
		{"the largest span: a year is kept of it", []h{{"X-RateLimit-Reset", "899999999"}}, -1, -1, in(365 * 86400), 0, time.Time{}},
		{"the smallest epoch: long past", []h{{"X-RateLimit-Reset", "900000000"}}, -1, -1, time.Unix(900000000, 0), 0, time.Time{}},
		{"X-RateLimit, a date", []h{{"X-RateLimit-Reset", "Thu, 06 Nov 2025 14:06:00 GMT"}}, -1, -1, in(60), 0, time.Time{}},
		{"X-Rate-Limit", []h{{"X-Rate-Limit-Limit", "5"}, {"X-Rate-Limit-Remaining", "1"}, {"X-Rate-Limit-Reset", "2"}}, 5, 1, in(2), 0, time.Time{}},
		{"RateLimit", []h{{"RateLimit-Limit", "5"}, {"RateLimit-Remaining", "1"}, {"RateLimit-Reset", "2"}}, 5, 1, in(2), 0, time.Time{}},
		{"reset in ms by its name", []h{{"X-RateLimit-Reset-Ms", "1500"}}, -1, -1, in(1.5), 0, time.Time{}},
		{"epoch in ms by its name and size", []h{{"X-RateLimit-Reset-Ms", epoch(in(1.5), time.Millisecond)}}, -1, -1, in(1.5), 0, time.Time{}},
		{"Retry-After-Ms", []h{{"Retry-After-Ms", "250"}}, -1, -1, in(0.25), 0, time.Time{}},
		{"in any spelling of the name", []h{{"x-RATELIMIT-reset", "2"}}, -1, -1, in(2), 0, time.Time{}},

		{"duplicates: the latest reset, the least of the rest", []h{
			{"X-RateLimit-Limit", "9"}, {"RateLimit-Limit", "7"}, {"X-RateLimit-Remaining", "4"}, {"X-RateLimit-Remaining", "2"},
			{"X-RateLimit-Reset", "3"}, {"X-RateLimit-Reset", "8"}, {"RateLimit-Reset", "5"},
		}, 7, 2, in(8), 0, time.Time{}},
		{"limit with its policy behind", []h{{"RateLimit-Limit", "100, 100;w=60, 1000;w=3600"}, {"RateLimit-Remaining", "4"}, {"RateLimit-Reset", "5"}}, 100, 4, in(5), 0, time.Time{}},

		{"IETF", []h{{"RateLimit", `"default";r=5;t=10`}, {"RateLimit-Policy", `"default";q=100;w=60`}}, 100, 5, in(10), time.Minute, time.Time{}},
		{"IETF with a token for a name", []h{{"RateLimit", `default;r=5;t=10`}, {"RateLimit-Policy", `default;q=100;w=60`}}, 100, 5, in(10), time.Minute, time.Time{}},
		{"IETF with spaces and unknown parameters", []h{{"RateLimit", ` "a b" ; r=5 ; pk=:cGs=: ; t=10 `}, {"RateLimit-Policy", `"a b";q=100;qu="requests";w=60`}}, 100, 5, in(10), time.Minute, time.Time{}},
		{"IETF, a name with separators", []h{{"RateLimit", `"a;b,\"c";r=5;t=10`}, {"RateLimit-Policy", `"a;b,\"c";q=100;w=60`}}, 100, 5, in(10), time.Minute, time.Time{}},
		{"IETF without policy", []h{{"RateLimit", `"default";r=5;t=10`}}, -1, 5, in(10), 0, time.Time{}},
		{"IETF without t", []h{{"RateLimit", `"default";r=5`}}, -1, 5, time.Time{}, 0, time.Time{}},
		{"IETF, t in epoch seconds", []h{{"RateLimit", `"default";r=0;t=` + epoch(in(20), time.Second)}}, -1, 0, in(20), 0, time.Time{}},
		{"IETF: the policy with nothing left", []h{{"RateLimit", `"burst";r=0;t=2, "daily";r=1;t=80000`}, {"RateLimit-Policy", `"burst";q=10;w=5, "daily";q=1000;w=86400`}}, 10, 0, in(2), 5 * time.Second, time.Time{}},
		{"IETF: of two with nothing left, the longer", []h{{"RateLimit", `"burst";r=0;t=2, "daily";r=0;t=80000`}}, -1, 0, in(80000), 0, time.Time{}},
		{"IETF: else the least left for its time", []h{{"RateLimit", `"burst";r=9;t=1, "daily";r=100;t=80000`}, {"RateLimit-Policy", `"burst";q=10;w=1, "daily";q=1000;w=86400`}}, 1000, 100, in(80000), 24 * time.Hour, time.Time{}},
		{"IETF in several lines", []h{{"RateLimit", `"a";r=5;t=10`}, {"RateLimit", `"b";r=0;t=3`}}, -1, 0, in(3), 0, time.Time{}},
		{"IETF, policy alone", []h{{"RateLimit-Policy", `"default";q=100;w=60`}}, 100, -1, time.Time{}, time.Minute, time.Time{}},
		{"IETF, policies alone that differ", []h{{"RateLimit-Policy", `"a";q=100;w=60, "b";q=10;w=1`}}, -1, -1, time.Time{}, 0, time.Time{}},
		{"older draft, policy", []h{{"RateLimit-Policy", `100;w=60`}, {"RateLimit-Remaining", "4"}, {"RateLimit-Reset", "5"}}, 100, 4, in(5), time.Minute, time.Time{}},
		{"older draft, one field", []h{{"RateLimit", "limit=10, remaining=2, reset=5"}}, 10, 2, in(5), 0, time.Time{}},
		{"older draft, in capitals", []h{{"RateLimit", "Limit=10, Remaining=0, Reset=5"}}, 10, 0, in(5), 0, time.Time{}},
		{"structured before classic", []h{{"RateLimit", `"default";r=5;t=10`}, {"X-RateLimit-Limit", "99"}, {"X-RateLimit-Remaining", "88"}, {"X-RateLimit-Reset", "77"}}, 99, 5, in(10), 0, time.Time{}},

		{"Retry-After twice in one line", []h{{"Retry-After", "60, 60"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After with a unit", []h{{"Retry-After", "60s"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After in quotes", []h{{"Retry-After", `"60"`}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After, RFC 3339", []h{{"Retry-After", "2025-11-06T14:06:00Z"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After as a date in UTC", []h{{"Retry-After", "Thu, 06 Nov 2025 14:06:00 UTC"}}, -1, -1, time.Time{}, 0, in(60)},
		{"Retry-After as a date with an offset of 0", []h{{"Retry-After", "Thu, 06 Nov 2025 14:06:00 +0000"}}, -1, -1, time.Time{}, 0, in(60)},
		{"reset, RFC 3339", []h{{"X-RateLimit-Reset", "2025-11-06T14:06:00Z"}}, -1, -1, in(60), 0, time.Time{}},
		{"reset, RFC 3339 with zone and fraction", []h{{"X-RateLimit-Reset", "2025-11-06T15:06:00.5+01:00"}}, -1, -1, in(60.5), 0, time.Time{}},
		{"reset as a duration", []h{{"X-RateLimit-Reset", "1m30s"}}, -1, -1, in(90), 0, time.Time{}},
		{"reset as a short duration", []h{{"X-RateLimit-Reset", "12ms"}}, -1, -1, in(0.012), 0, time.Time{}},
		{"reset as a long duration: a year is kept of it", []h{{"X-RateLimit-Reset", "99999h"}}, -1, -1, in(365 * 86400), 0, time.Time{}},
		{"Reset-After", []h{{"X-RateLimit-Reset-After", "7"}}, -1, -1, in(7), 0, time.Time{}},
		{"Reset-After with a fraction", []h{{"RateLimit-Reset-After", "1.5"}}, -1, -1, in(1.5), 0, time.Time{}},
		{"reset in epoch microseconds", []h{{"X-RateLimit-Reset", epoch(in(12), time.Microsecond)}}, -1, -1, in(12), 0, time.Time{}},
		{"reset in epoch nanoseconds", []h{{"X-RateLimit-Reset", epoch(in(12), time.Nanosecond)}}, -1, -1, in(12), 0, time.Time{}},

		{"all at once", []h{{"Retry-After", "4"}, {"RateLimit", `"default";r=0;t=4`}, {"X-RateLimit-Limit", "10"}, {"X-RateLimit-Reset", epoch(in(3.5), time.Millisecond)}}, 10, 0, in(4), 0, in(4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Read(header(c.header...), now)
			assert.Equal(t, Info{Limit: c.limit, Remaining: c.remaining, Reset: got.Reset, RetryAfter: got.RetryAfter}, got)
			sameTime(t, "Reset", c.reset, got.Reset)
			sameTime(t, "Retry-After", c.retryAfter, got.RetryAfter)
		})
	}
}

// sameTime allows for the rounding of fractions.
func sameTime(t *testing.T, what string, want, got time.Time) {
	t.Helper()
	assert.Equal(t, want.IsZero(), got.IsZero(), what)
	assert.WithinDuration(t, want, got, time.Millisecond, what)
}

// The server's clock may be wrong, or ours: an hour either way changes nothing.
// What counts from the answer's arrival is not corrected, nor are clocks less
// than two seconds apart, since Date has whole seconds.
func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{0, time.Second, -time.Second, time.Hour, -time.Hour, 100 * 24 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			server := now.Add(skew)
			corrected := skew.Abs() >= 2*time.Second
			want := in(30)
			if !corrected {
				want = server.Add(30 * time.Second)
			}
			date := [2]string{"Date", server.Format(http.TimeFormat)}
			for name, h := range map[string]http.Header{
				"epoch":       header(date, [2]string{"X-RateLimit-Reset", epoch(server.Add(30*time.Second), time.Second)}),
				"epoch in ms": header(date, [2]string{"X-RateLimit-Reset", epoch(server.Add(30*time.Second), time.Millisecond)}),
				"HTTP date":   header(date, [2]string{"X-RateLimit-Reset", server.Add(30 * time.Second).Format(http.TimeFormat)}),
			} {
				sameTime(t, name, want, Read(h, now).Reset)
			}
			sameTime(t, "Retry-After as a date", want, Read(header(date, [2]string{"Retry-After", server.Add(30 * time.Second).Format(http.TimeFormat)}), now).RetryAfter)
			sameTime(t, "delta", in(30), Read(header(date, [2]string{"X-RateLimit-Reset", "30"}), now).Reset)
			sameTime(t, "t", in(30), Read(header(date, [2]string{"RateLimit", `"a";r=0;t=30`}), now).Reset)
		})
	}
	late := header([2]string{"Date", "yesterday"}, [2]string{"X-RateLimit-Reset", epoch(in(30), time.Second)})
	sameTime(t, "a Date that is none", in(30), Read(late, now).Reset)
}

// An answer that a cache has kept has the Date of long ago.
func TestAgeMeansNoClockSkew(t *testing.T) {
	kept := header([2]string{"Date", now.Add(-10 * time.Minute).Format(http.TimeFormat)}, [2]string{"Age", "600"}, [2]string{"Retry-After", in(60).Format(http.TimeFormat)})
	assert.Equal(t, in(60), Read(kept, now).RetryAfter)
	kept.Set("Age", "0")
	assert.Equal(t, in(660), Read(kept, now).RetryAfter)
}

// What makes no sense is left alone, and says nothing of what does.
func TestMalformedValuesAreIgnored(t *testing.T) {
	for _, v := range []string{
		"", " ", ",", ";", "=", `"`, `"\`, "soon", "NaN", "nan", "Inf", "+Inf", "-Inf", "infinity", "1e400", "-1e400", "-1", "-0.5", "-5s", "9.3e18", "99999999999999999999",
		"0x", "1,,x", "7 seconds", "\x00", "\x7f5", "７", "Thu, 06 Nov 2025", "2025-11-06", "--5", "5-",
	} {
		want := Info{Limit: noLimit, Remaining: noLimit}
		for _, name := range []string{"Retry-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset", "X-RateLimit-Reset-Ms"} {
			assert.Equal(t, want, Read(header([2]string{name, v}), now), "%s: %q", name, v)
		}
		got := Read(header([2]string{"RateLimit", `"a";r=` + v + `;t=` + v}), now)
		assert.LessOrEqual(t, got.Remaining, int64(7), "%q", v)
		good := header([2]string{"Retry-After", v}, [2]string{"Retry-After", "9"}, [2]string{"X-RateLimit-Remaining", v}, [2]string{"X-RateLimit-Remaining", "4"})
		assert.Equal(t, in(9), Read(good, now).RetryAfter, "%q", v)
		assert.LessOrEqual(t, Read(good, now).Remaining, int64(4), "%q", v)
	}
}

// A span is a year at most, whatever a server says.
func TestSpansAreBounded(t *testing.T) {
	year := 365 * 24 * time.Hour
	for _, h := range []http.Header{
		header([2]string{"Retry-After", "899999999"}),
		header([2]string{"X-RateLimit-Reset", "899999999"}),
		header([2]string{"X-RateLimit-Reset-Ms", "99999999999"}),
		header([2]string{"RateLimit", `"a";r=0;t=899999999`}, [2]string{"RateLimit-Policy", `"a";q=1;w=99999999999999`}),
	} {
		got := Read(h, now)
		assert.False(t, later(got.Reset, got.RetryAfter).After(now.Add(year)), "%v", h)
	}
}

// TestUntil: the order is Retry-After, then Reset; where both agree within a
// second the smaller one is the more exact.
func TestUntil(t *testing.T) {
	for _, c := range []struct {
		name                    string
		retryAfter, reset, want time.Time
	}{
		{"neither", time.Time{}, time.Time{}, time.Time{}},
		{"Reset only", time.Time{}, in(5), in(5)},
		{"Retry-After only", in(5), time.Time{}, in(5)},
		{"Retry-After is shorter", in(5), in(60), in(5)},
		{"Retry-After is longer", in(60), in(5), in(60)},
		{"rounded up to the second", in(5), in(4.3), in(4.3)},
		{"just a second apart", in(5), in(4), in(4)},
		{"more than a second apart", in(5), in(3.9), in(5)},
		{"Reset a little later", in(5), in(5.4), in(5)},
	} {
		assert.Equal(t, c.want, Info{RetryAfter: c.retryAfter, Reset: c.reset}.Until(), c.name)
	}
}

func TestListsCanBeLeft(t *testing.T) {
	n := 0
	for range members("a;r=1, b;r=2") {
		n++
		break
	}
	assert.Equal(t, 1, n)
}
