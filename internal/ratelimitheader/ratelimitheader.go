// Package ratelimitheader reads the rate-limit headers in use on the web into one
// value. The Ambient API publishes none of them, so every dialect is read:
//
//   - Retry-After: seconds or a date (RFC 9110, section 10.2.3)
//   - X-RateLimit-Limit, -Remaining, -Reset, and the same with Rate-Limit or without X-
//   - RateLimit and RateLimit-Policy as structured fields
//     (draft-ietf-httpapi-ratelimit-headers), and the older form "limit=10, remaining=0, reset=5"
package ratelimitheader

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Info is what a response says about the rate limit.
type Info struct {
	Limit      int64     // -1 when unknown
	Remaining  int64     // -1 when unknown
	Reset      time.Time // when Remaining is full again; zero when unknown
	RetryAfter time.Time // zero without the header
}

// Until is when a refused request may be tried again: Retry-After, unless a
// Reset within a second before it is more exact; else Reset. Zero when unknown.
func (i Info) Until() time.Time {
	switch {
	case i.RetryAfter.IsZero():
		return i.Reset
	case i.Reset.IsZero() || i.Reset.After(i.RetryAfter) || i.RetryAfter.Sub(i.Reset) > time.Second:
		return i.RetryAfter
	default:
		return i.Reset
	}
}

// Read reads a response's header as it stands at the time now.
func Read(h http.Header, now time.Time) Info {
	info := Info{Limit: -1, Remaining: -1}
	if len(h) == 0 {
		return info
	}
	c := clock{now, h}
	info.RetryAfter = c.latest(h["Retry-After"], time.Second)
	readStructured(h, c, &info)
	readClassic(h, c, &info)
	return info
}

// The names in use, as http.Header spells them.
var (
	limitNames     = []string{"X-Ratelimit-Limit", "X-Rate-Limit-Limit", "Ratelimit-Limit"}
	remainingNames = []string{"X-Ratelimit-Remaining", "X-Rate-Limit-Remaining", "Ratelimit-Remaining"}
	resetNames     = []string{"X-Ratelimit-Reset", "X-Rate-Limit-Reset", "Ratelimit-Reset", "X-Ratelimit-Reset-After", "X-Rate-Limit-Reset-After", "Ratelimit-Reset-After"}
	resetMsNames   = []string{"X-Ratelimit-Reset-Ms", "X-Rate-Limit-Reset-Ms", "Ratelimit-Reset-Ms", "Retry-After-Ms"}
)

// readClassic reads one number per header, where the structured fields left a
// gap.
func readClassic(h http.Header, c clock, info *Info) {
	if info.Limit < 0 {
		info.Limit = count(h, limitNames)
	}
	if info.Remaining < 0 {
		info.Remaining = count(h, remainingNames)
	}
	if !info.Reset.IsZero() {
		return
	}
	for _, name := range resetNames {
		info.Reset = later(info.Reset, c.latest(h[name], time.Second))
	}
	for _, name := range resetMsNames {
		info.Reset = later(info.Reset, c.latest(h[name], time.Millisecond))
	}
}

// count is the smallest number of the named headers, -1 without one. What
// follows a number ("100, 100;w=60" in older drafts) is left alone.
func count(h http.Header, names []string) int64 {
	least := int64(-1)
	for _, name := range names {
		for _, v := range h[name] {
			v, _, _ = strings.Cut(v, ",")
			v, _, _ = strings.Cut(v, ";")
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && n >= 0 && (least < 0 || n < least) {
				least = n
			}
		}
	}
	return least
}

// A clock turns the numbers and dates of one response into local times.
type clock struct {
	now    time.Time
	header http.Header
}

// skew is how far the server's clock is ahead of ours. The Date header has whole seconds,
// and is as old as the way here. So less than 2 s apart counts as the same.
func (c clock) skew() time.Duration {
	text := c.header.Get("Date")
	if strings.Trim(c.header.Get("Age"), " 0") != "" || text == "" {
		return 0 // a cache kept the Date for so long (RFC 9111, section 5.1)
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if d := date.Sub(c.now); d.Abs() >= 2*time.Second {
		return d
	}
	return 0
}

// Bounds that tell a time of day from a span by size.
const (
	epochEnd     = 9e18 // as nanoseconds this is the year 2255
	epochNanos   = 1e17 // as microseconds this is the year 5138
	epochMicros  = 1e14 // as milliseconds this is the year 5138
	epochMillis  = 1e11 // as seconds this is the year 5138
	epochSeconds = 9e8  // as a span this is 28 years; the clock of testing/synctest starts at 9.47e8
	maxSpan      = 365 * 24 * time.Hour
)

func (c clock) latest(values []string, unit time.Duration) time.Time {
	var t time.Time
	for _, v := range values {
		t = later(t, c.when(strings.TrimSpace(v), unit))
	}
	return t
}

// when reads a number, a duration or a date, which may be in quotes. A list of numbers,
// as "60, 60", is what a proxy makes of two lines. Zero when it is none of these.
func (c clock) when(v string, unit time.Duration) time.Time {
	v = strings.Trim(v, `" `)
	if n, err := strconv.ParseFloat(v, 64); err == nil {
		return c.number(n, unit)
	}
	if d, err := time.ParseDuration(v); err == nil && d >= 0 {
		return c.now.Add(min(d, maxSpan))
	}
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		return c.local(t)
	}
	for _, zone := range []string{" UTC", " +0000"} {
		if date, found := strings.CutSuffix(v, zone); found {
			v = date + " GMT"
		}
	}
	if t, err := http.ParseTime(v); err == nil {
		return c.local(t)
	}
	var latest time.Time
	if strings.Contains(v, ",") {
		for part := range strings.SplitSeq(v, ",") {
			n, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil {
				return time.Time{}
			}
			latest = later(latest, c.number(n, unit))
		}
	}
	return latest
}

// number reads a number in one of its meanings: a span in unit, or a time since the Unix
// epoch in seconds, milliseconds, microseconds or nanoseconds. Zero when it makes no
// sense.
func (c clock) number(n float64, unit time.Duration) time.Time {
	switch {
	case !(n >= 0 && n < epochEnd): // or not a number
		return time.Time{}
	case n >= epochNanos:
		return c.local(time.UnixMicro(int64(n / 1e3)))
	case n >= epochMicros:
		return c.local(time.UnixMicro(int64(n)))
	case n >= epochMillis:
		return c.local(time.UnixMicro(int64(n * 1e3)))
	case n >= epochSeconds:
		return c.local(time.UnixMicro(int64(n * 1e6)))
	default:
		return c.now.Add(time.Duration(min(n*float64(unit), float64(maxSpan))))
	}
}

// local is a time by the server's clock in ours, a year from now at most.
func (c clock) local(t time.Time) time.Time {
	t = t.Add(-c.skew())
	if last := c.now.Add(maxSpan); t.After(last) {
		return last
	}
	return t
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Wait is how long to wait before a refused request is tried again, or unknown where
// the answer does not say. It may be negative.
func (i Info) Wait(unknown time.Duration) time.Duration {
	if until := i.Until(); !until.IsZero() {
		return time.Until(until)
	}
	return unknown
}
