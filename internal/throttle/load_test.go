package throttle

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A server limits requests. It says whether one passes and what its answer reports.
type server interface {
	take(endpoint string, now time.Time) (ok bool, info ratelimitheader.Info)
}

// fixedWindow allows limit requests in each window.
type fixedWindow struct {
	limit   int64
	window  time.Duration
	headers bool
	seconds bool // the reset is in whole seconds from now, rounded up
	only    bool // Retry-After in whole seconds, and nothing else
	start   time.Time
	used    int64
}

func (l *fixedWindow) take(_ string, now time.Time) (bool, ratelimitheader.Info) {
	if start := now.Truncate(l.window); !start.Equal(l.start) {
		l.start, l.used = start, 0
	}
	ok := l.used < l.limit
	if ok {
		l.used++
	}
	reset := l.start.Add(l.window)
	if l.seconds || l.only {
		reset = roundUp(reset, now)
	}
	switch {
	case l.only && !ok:
		return ok, ratelimitheader.Info{Limit: -1, Remaining: -1, RetryAfter: reset}
	case !l.headers:
		return ok, unknown
	}
	return ok, ratelimitheader.Info{Limit: l.limit, Remaining: l.limit - l.used, Reset: reset}
}

func roundUp(t, now time.Time) time.Time {
	return now.Add(time.Duration(math.Ceil(t.Sub(now).Seconds())) * time.Second)
}

// bucket is refilled evenly. With a reset it says in every answer that the reset is so
// far ahead.
type bucket struct {
	rate, burst, tokens float64
	limit               int64
	reset               time.Duration
	last                time.Time
}

func (l *bucket) take(_ string, now time.Time) (bool, ratelimitheader.Info) {
	if l.last.IsZero() {
		l.tokens = l.burst
	}
	l.tokens = min(l.burst, l.tokens+now.Sub(l.last).Seconds()*l.rate)
	l.last = now
	ok := l.tokens >= 1
	if ok {
		l.tokens--
	}
	if l.reset == 0 {
		return ok, unknown
	}
	return ok, ratelimitheader.Info{Limit: l.limit, Remaining: int64(l.tokens), Reset: now.Add(l.reset)}
}

// slidingLog allows limit requests in any stretch of window.
type slidingLog struct {
	limit  int
	window time.Duration
	log    []time.Time
}

func (l *slidingLog) take(_ string, now time.Time) (bool, ratelimitheader.Info) {
	for len(l.log) > 0 && now.Sub(l.log[0]) >= l.window {
		l.log = l.log[1:]
	}
	ok := len(l.log) < l.limit
	if ok {
		l.log = append(l.log, now)
	}
	reset := roundUp(l.log[0].Add(l.window), now)
	return ok, ratelimitheader.Info{Limit: int64(l.limit), Remaining: int64(l.limit - len(l.log)), Reset: reset}
}

// perRoute has a server for some endpoints, and lets the others go.
type perRoute map[string]server

func (l perRoute) take(endpoint string, now time.Time) (bool, ratelimitheader.Info) {
	if s := l[endpoint]; s != nil {
		return s.take(endpoint, now)
	}
	return true, unknown
}

// A load is calls to a server.
type load struct {
	t       *testing.T
	server  server
	latency func() time.Duration

	mu                      sync.Mutex
	passed, refused, failed map[string]int // by endpoint
}

func newLoad(t *testing.T, s server, latency time.Duration) *load {
	return &load{t: t, server: s, latency: func() time.Duration { return latency }, passed: map[string]int{}, refused: map[string]int{}, failed: map[string]int{}}
}

// jitter is a latency of d on average.
func jitter(d time.Duration) func() time.Duration {
	return func() time.Duration { return d/2 + rand.N(d) }
}

func (l *load) count(m map[string]int, endpoint string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m[endpoint]++
}

// sofar is what an endpoint has seen.
func (l *load) sofar(endpoint string) (passed, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passed[endpoint], l.refused[endpoint]
}

// call makes one call, with as many requests as it takes.
func (l *load) call(ctx context.Context, th *Throttle, endpoint string, maxWait time.Duration) error {
	var position uint64
	for {
		p, err := th.Acquire(ctx, endpoint, maxWait, &position)
		if err != nil {
			l.count(l.failed, endpoint)
			return err
		}
		if !th.Confirm(p) {
			continue
		}
		d := l.latency()
		time.Sleep(d / 2)
		l.mu.Lock()
		ok, info := l.server.take(endpoint, time.Now())
		l.mu.Unlock()
		time.Sleep(d / 2)
		if ok {
			l.count(l.passed, endpoint)
			th.Release(ctx, p, 200, info)
			return nil
		}
		l.count(l.refused, endpoint)
		th.Release(ctx, p, 429, info)
	}
}

// start lets n callers make calls of an endpoint, one after another, until a time.
func (l *load) start(th *Throttle, n int, endpoint string, end time.Time) (wait func()) {
	ctx, cancel := context.WithDeadline(l.t.Context(), end)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if l.call(ctx, th, endpoint, 15*time.Minute) != nil {
					time.Sleep(time.Second)
				}
			}
		})
	}
	return func() { wg.Wait(); cancel() }
}
