package throttle

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A limiter is a server's rate limit; take says whether a request passes and
// what is told about the limit.
type limiter interface {
	take(now time.Time) (ok bool, info ratelimitheader.Info)
}

var unknown = ratelimitheader.Info{Limit: -1, Remaining: -1}

type fixedWindow struct {
	limit   int64
	window  time.Duration
	headers bool
	start   time.Time
	used    int64
}

func (l *fixedWindow) take(now time.Time) (bool, ratelimitheader.Info) {
	if start := now.Truncate(l.window); !start.Equal(l.start) {
		l.start, l.used = start, 0
	}
	ok := l.used < l.limit
	if ok {
		l.used++
	}
	if !l.headers {
		return ok, unknown
	}
	return ok, ratelimitheader.Info{Limit: l.limit, Remaining: l.limit - l.used, Reset: l.start.Add(l.window)}
}

type bucket struct {
	rate, burst, tokens float64
	last                time.Time
}

func (l *bucket) take(now time.Time) (bool, ratelimitheader.Info) {
	if !l.last.IsZero() {
		l.tokens = min(l.burst, l.tokens+now.Sub(l.last).Seconds()*l.rate)
	} else {
		l.tokens = l.burst
	}
	l.last = now
	if l.tokens < 1 {
		return false, unknown
	}
	l.tokens--
	return true, unknown
}

// run makes calls through clients gates from 64 goroutines and reports how
// long that took and how many requests were refused.
func run(t *testing.T, clients, calls int, latency time.Duration, l limiter) (took time.Duration, refused int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		var mu sync.Mutex
		var wg sync.WaitGroup
		start := time.Now()
		left := calls
		next := func() bool {
			mu.Lock()
			defer mu.Unlock()
			left--
			return left >= 0
		}
		for range clients {
			g := New(nil)
			for range 64 / clients {
				wg.Go(func() {
					for next() {
						var order uint64
						for {
							ticket, err := g.Enter(context.Background(), time.Hour, &order)
							if err != nil {
								t.Error(err)
								return
							}
							time.Sleep(latency / 2)
							mu.Lock()
							ok, info := l.take(time.Now())
							if !ok {
								refused++
							}
							mu.Unlock()
							time.Sleep(latency / 2)
							g.Leave(ticket, Outcome{Answered: true, Refused: !ok, Info: info})
							if ok {
								break
							}
						}
					}
				})
			}
		}
		wg.Wait()
		took = time.Since(start)
	})
	return took, refused
}

// The floors here are below the figures that benchmarks/ measures on sockets;
// they keep the gate from getting worse unnoticed.
func TestThroughput(t *testing.T) {
	for _, latency := range []time.Duration{400 * time.Microsecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		for _, c := range []struct {
			name    string
			clients int
			calls   int
			limiter limiter
			ideal   time.Duration
			atLeast float64
			refused int
		}{
			{"window with headers", 1, 950, &fixedWindow{limit: 100, window: time.Second, headers: true}, 9 * time.Second, 0.95, 10},
			{"window with headers, four clients", 4, 950, &fixedWindow{limit: 100, window: time.Second, headers: true}, 9 * time.Second, 0.95, 100},
			{"window without headers", 1, 950, &fixedWindow{limit: 100, window: time.Second}, 9 * time.Second, 0.65, 400},
			{"bucket of 50", 1, 500, &bucket{rate: 50, burst: 50}, 9 * time.Second, 0.85, 200},
			{"bucket of 10", 1, 500, &bucket{rate: 50, burst: 10}, 9800 * time.Millisecond, 0.6, 350},
		} {
			took, refused := run(t, c.clients, c.calls, latency, c.limiter)
			share := math.Round(100*c.ideal.Seconds()/took.Seconds()) / 100
			t.Logf("%v, latency %v: %v of the ideal, %d refused", c.name, latency, share, refused)
			if share < c.atLeast || refused > c.refused {
				t.Errorf("%v, latency %v: %v of the ideal time and %d refused, want at least %v and at most %d", c.name, latency, share, refused, c.atLeast, c.refused)
			}
		}
	}
}
