package throttle

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// noop is the callback of a test that does not look at changes.
func noop(Change) {}

// run makes calls through some clients from 64 goroutines, and reports how long that
// took and how many requests were refused.
func run(t *testing.T, clients, calls int, latency func() time.Duration, s server) (took time.Duration, refused int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		l := newLoad(t, s, 0)
		l.latency = latency
		var mu sync.Mutex
		left := calls
		next := func() bool {
			mu.Lock()
			defer mu.Unlock()
			left--
			return left >= 0
		}
		start := time.Now()
		var wg sync.WaitGroup
		for range clients {
			th := New(noop)
			for range 64 / clients {
				wg.Go(func() {
					for next() {
						assert.NoError(t, l.call(t.Context(), th, get, time.Hour))
					}
				})
			}
		}
		wg.Wait()
		took, refused = time.Since(start), l.refused[get]
	})
	return took, refused
}

// The floors here are below the figures that benchmarks/ measures on sockets. They keep
// the throttle from getting worse unnoticed.
func TestThroughput(t *testing.T) {
	window := func(w fixedWindow) func() server {
		w.limit, w.window = 100, time.Second
		return func() server { return &w }
	}
	for _, c := range []struct {
		name    string
		clients int
		calls   int
		server  func() server
		ideal   time.Duration
		atLeast float64
		refused int
	}{
		{"window with headers", 1, 950, window(fixedWindow{headers: true}), 9 * time.Second, 0.95, 10},
		{"window with headers, four clients", 4, 950, window(fixedWindow{headers: true}), 9 * time.Second, 0.95, 100},
		{"window with its reset in seconds", 1, 950, window(fixedWindow{headers: true, seconds: true}), 9 * time.Second, 0.9, 10},
		{"window with Retry-After only", 1, 950, window(fixedWindow{only: true}), 9 * time.Second, 0.5, 400},
		{"window without headers", 1, 950, window(fixedWindow{}), 9 * time.Second, 0.5, 400},
		{"bucket of 50", 1, 500, func() server { return &bucket{rate: 50, burst: 50} }, 9 * time.Second, 0.85, 200},
		{"bucket of 10", 1, 500, func() server { return &bucket{rate: 50, burst: 10} }, 9800 * time.Millisecond, 0.6, 350},
		{"sliding log of 100 per minute", 1, 500, func() server { return &slidingLog{limit: 100, window: time.Minute} }, 4 * time.Minute, 0.95, 100},
	} {
		for _, latency := range []time.Duration{400 * time.Microsecond, 20 * time.Millisecond, 100 * time.Millisecond} {
			name := fmt.Sprintf("%s, latency %v", c.name, latency)
			took, refused := run(t, c.clients, c.calls, jitter(latency), c.server())
			share := math.Round(100*c.ideal.Seconds()/took.Seconds()) / 100
			t.Logf("%s: %v of the ideal, %d refused", name, share, refused)
			if share < c.atLeast || refused > c.refused {
				t.Errorf("%s: %v of the ideal time and %d refused, want at least %v and at most %d", name, share, refused, c.atLeast, c.refused)
			}
		}
	}
}

// A bucket whose answers all say that the reset is 1 s, or 60 s, ahead is used as fast as
// it is refilled. The first burst costs one reset.
func TestSlidingReset(t *testing.T) {
	for _, reset := range []time.Duration{time.Second, time.Minute} {
		for _, limit := range []int64{50, 3000, -1} {
			for kind, latencies := range map[string]func() time.Duration{"": func() time.Duration { return 400 * time.Millisecond }, " or so": jitter(400 * time.Millisecond)} {
				synctest.Test(t, func(t *testing.T) {
					l := newLoad(t, &bucket{rate: 50, burst: 50, limit: limit, reset: reset}, 0)
					l.latency = latencies
					th := New(noop)
					const begin, measured = time.Minute, 4 * time.Minute
					wait := l.start(th, 64, get, time.Now().Add(begin+measured+time.Second))
					time.Sleep(begin)
					before, _ := l.sofar(get)
					time.Sleep(measured)
					after, refused := l.sofar(get)
					rate := float64(after-before) / measured.Seconds()
					t.Logf("reset %v, limit %d, latency 400ms%s: %.1f calls/s, %d refused", reset, limit, kind, rate, refused)
					assert.GreaterOrEqual(t, rate, 45.0, "reset %v, limit %d, latency 400ms%s", reset, limit, kind)
					wait()
				})
			}
		}
	}
}

// What a POST may send leaves its GETs alone, whatever the two report.
func TestPollerBesideALimitedSubmit(t *testing.T) {
	gets := func(t *testing.T, s perRoute, posts int) (n int) {
		synctest.Test(t, func(t *testing.T) {
			l := newLoad(t, s, 40*time.Millisecond)
			th := New(noop)
			end := time.Now().Add(5 * time.Minute)
			waitPosts, waitGets := l.start(th, posts, post, end), l.start(th, 1, get, end)
			waitPosts()
			waitGets()
			n = l.passed[get]
		})
		return n
	}
	minute := func(limit int64) server { return &fixedWindow{limit: limit, window: time.Minute, headers: true} }
	for name, s := range map[string]func() perRoute{
		"POST 10 a minute, GET 1,500":         func() perRoute { return perRoute{post: minute(10), get: minute(1500)} },
		"POST 10 a minute, GET without limit": func() perRoute { return perRoute{post: minute(10)} },
		"POST 5 an hour, GET 1,000 a minute": func() perRoute {
			return perRoute{post: &fixedWindow{limit: 5, window: time.Hour, headers: true}, get: minute(1000)}
		},
		"each 100 a minute, and GET in a hurry": func() perRoute { return perRoute{post: minute(100), get: minute(100)} },
	} {
		t.Run(name, func(t *testing.T) {
			alone, beside := gets(t, s(), 0), gets(t, s(), 3)
			t.Logf("%d GETs alone, %d beside the submits", alone, beside)
			assert.GreaterOrEqual(t, float64(beside), 0.95*float64(alone))
		})
	}
}

// A window of the whole account, over three endpoints.
func TestAccountWideWindow(t *testing.T) {
	for _, headers := range []fixedWindow{{headers: true}, {headers: true, seconds: true}} {
		for _, latency := range []time.Duration{20 * time.Millisecond, 400 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				w := headers
				w.limit, w.window = 75, time.Minute
				l := newLoad(t, &w, 0)
				l.latency = jitter(latency)
				th := New(noop)
				end := time.Now().Add(10 * time.Minute)
				var waits []func()
				for _, endpoint := range []string{get, post, "GET /scribe/{id}"} {
					waits = append(waits, l.start(th, 12, endpoint, end))
				}
				for _, wait := range waits {
					wait()
				}
				passed, refused := 0, 0
				for endpoint := range l.passed {
					passed, refused = passed+l.passed[endpoint], refused+l.refused[endpoint]
				}
				t.Logf("seconds %v, latency %v: %d passed, %d refused", w.seconds, latency, passed, refused)
				assert.GreaterOrEqual(t, passed, 10*75*95/100)
				assert.LessOrEqual(t, refused, 10*4)
			})
		}
	}
}
