package throttle

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A walk is callers of some endpoints of a server that limits them in any way and says
// of it whatever it likes.
type walk struct {
	*testing.T
	*Throttle
	seed  uint64
	ctx   context.Context
	limit map[string]server // of an endpoint; nil for none

	mu     sync.Mutex
	rand   *rand.Rand
	lies   map[string]func() http.Header // what the answers of an endpoint say instead of the truth
	down   map[string]bool               // the endpoint answers 503, or nothing
	last   map[string]time.Time          // the last request of an endpoint, or of one that shared its window
	hinted map[string]bool               // an answer has refused, or had a header
	passed map[string]int
}

var (
	walks     = flag.Uint64("walks", 25, "random walks")
	firstWalk = flag.Uint64("walk", 1, "seed of the first random walk")
)

// limiterTime is what a call waits for a limiter at most, after it has its permit.
const limiterTime = 5 * time.Second

var walkEndpoints = []string{get, post, "GET /scribe/{id}", "POST /scribe"}

func (w *walk) n(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n)
}

// span is a time from ms to days, on a scale of powers.
func (w *walk) span() time.Duration { return time.Duration(1+w.n(9)) * time.Millisecond << w.n(25) }

func (w *walk) pick(values ...string) string { return values[w.n(len(values))] }

// anyLimiter is a limiter of any kind.
func (w *walk) anyLimiter() server {
	window := w.span()
	limit := 1 + w.n(1+w.n(200))
	switch w.n(5) {
	case 0:
		return &fixedWindow{limit: int64(limit), window: window, headers: true, seconds: w.n(2) == 0}
	case 1:
		return &fixedWindow{limit: int64(limit), window: window, only: true}
	case 2:
		return &bucket{rate: float64(1+w.n(50)) / 10, burst: float64(limit), limit: int64(limit), reset: time.Duration(w.n(3)) * 30 * time.Second}
	case 3:
		return &slidingLog{limit: limit, window: window}
	}
	return nil
}

// anyLie is what a server says in every answer, or another thing each time.
func (w *walk) anyLie() func() http.Header {
	number := func() string {
		early, late := w.span(), w.span()
		return w.pick("0", "0", "1", "5", "100", "-1", "99999999999", "NaN", "soon", "", strconv.Itoa(w.n(2000)), strconv.FormatInt(time.Now().Add(late-early).Unix(), 10),
			strconv.Itoa(int(w.span().Seconds())), w.span().String(), time.Now().Add(w.span()).UTC().Format(http.TimeFormat))
	}
	make := func() http.Header {
		h := http.Header{}
		for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Ratelimit", "Retry-After"} {
			if w.n(5) > 1 {
				h.Set(name, number())
			}
		}
		if h.Get("Ratelimit") != "" {
			h.Set("Ratelimit", fmt.Sprintf(`"a";r=%s;t=%s`, number(), number()))
		}
		return h
	}
	switch w.n(6) {
	case 0:
		return make
	case 1:
		always := make()
		return func() http.Header { return always }
	case 2: // a hint that would be a lock
		limit := w.pick("0", "10", "100")
		return func() http.Header {
			return http.Header{"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {w.pick("3600", "86400")}}
		}
	case 3: // a firewall
		return func() http.Header { return http.Header{"Retry-After": {"86400"}} }
	}
	return nil
}

// change makes another server of it.
func (w *walk) change() {
	account := w.anyLimiter()
	for _, e := range walkEndpoints {
		limit, lie, down := account, w.anyLie(), w.n(8) == 0
		if w.n(2) == 0 {
			limit = w.anyLimiter()
		}
		w.mu.Lock()
		w.limit[e], w.lies[e], w.down[e] = limit, lie, down
		w.mu.Unlock()
	}
}

// serve answers a request.
func (w *walk) serve(endpoint string) (int, ratelimitheader.Info) {
	lostAnswer := w.n(50) == 0
	now := time.Now()
	w.Throttle.mu.Lock()
	refusedUntil := w.epoch.Add(w.endpoints[endpoint].closing.until)
	var line []string // the endpoints that wait in one line, since they share a window
	for name, e := range w.endpoints {
		if e.window == w.endpoints[endpoint].window {
			line = append(line, name)
		}
	}
	w.Throttle.mu.Unlock()
	w.mu.Lock()
	lie, gap, most := w.lies[endpoint], now.Sub(w.last[endpoint]), 2*time.Minute+limiterTime
	if refusedUntil.After(w.last[endpoint]) {
		most = 16*time.Minute + limiterTime
	}
	assert.LessOrEqual(w, gap, most, "seed %d: %s went without a request", w.seed, endpoint)
	for _, name := range line {
		w.last[name] = now
	}
	ok, info := true, unknown
	if w.limit[endpoint] != nil {
		ok, info = w.limit[endpoint].take(endpoint, now)
	}
	down := w.down[endpoint]
	w.mu.Unlock()
	if lie != nil {
		info = ratelimitheader.Read(lie(), now)
	}
	status := http.StatusOK
	switch {
	case down && lostAnswer:
		return 0, unknown
	case down:
		status = http.StatusServiceUnavailable
	case !ok:
		status = http.StatusTooManyRequests
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok && !down {
		w.passed[endpoint]++
	}
	w.hinted[endpoint] = w.hinted[endpoint] || status == 429 || info.Remaining >= 0
	return status, info
}

// attempt makes one request, and reports whether the call is over.
func (w *walk) attempt(ctx context.Context, endpoint string, first bool, maxWait time.Duration, position *uint64) bool {
	start := time.Now()
	p, err := w.Acquire(ctx, endpoint, maxWait, position)
	waited := time.Since(start)
	assert.LessOrEqual(w, waited, max(maxWait, 0), "seed %d: %s: no wait is longer than it may be", w.seed, endpoint)
	if tooLong, ok := errors.AsType[*TooLongError](err); ok {
		w.mu.Lock()
		assert.True(w, w.hinted[endpoint], "seed %d: %s: nothing has closed it", w.seed, endpoint)
		w.mu.Unlock()
		bound := start.Add(maxWait)
		if d, ok := ctx.Deadline(); ok && d.Before(bound) {
			bound = d
		}
		assert.True(w, tooLong.Until.After(bound), "seed %d: %s: %v is not past %v", w.seed, endpoint, tooLong.Until, bound)
	}
	switch {
	case err != nil:
		return true
	case w.n(20) == 0: // the call gives up
		w.Release(ctx, p, 0, unknown)
		return true
	case w.n(5) == 0: // it waits for a limiter
		time.Sleep(time.Duration(w.n(int(limiterTime.Milliseconds()))) * time.Millisecond)
	}
	if !w.Confirm(p) {
		return false
	}
	latency := time.Duration(w.n(400)) * time.Millisecond
	if w.n(100) == 0 && !first {
		latency = time.Minute // an upload
	}
	time.Sleep(latency / 2)
	status, info := w.serve(endpoint)
	time.Sleep(latency / 2)
	w.Release(ctx, p, status, info)
	return status != http.StatusTooManyRequests
}

// caller makes calls until the walk ends. The first of an endpoint comes every few
// seconds, and waits for as long as calls do by default.
func (w *walk) caller(endpoint string, first bool) {
	for w.ctx.Err() == nil {
		maxWait, ctx, cancel := 15*time.Minute, w.ctx, context.CancelFunc(func() {})
		if !first {
			maxWait = []time.Duration{-1, 0, time.Second, time.Minute, 15 * time.Minute, 1000 * time.Hour}[w.n(6)]
			switch w.n(4) {
			case 0:
				ctx, cancel = context.WithTimeout(w.ctx, w.span())
			case 1:
				ctx, cancel = context.WithCancel(w.ctx)
				time.AfterFunc(w.span(), cancel)
			}
		}
		var position uint64
		for !w.attempt(ctx, endpoint, first, maxWait, &position) && ctx.Err() == nil {
		}
		cancel()
		time.Sleep(time.Duration(1+w.n(5)) * time.Second)
	}
}

// No endpoint, nor any that shares its window, goes without a request for more than two
// minutes because of a header, or sixteen because of a 429, while calls come. No call waits for longer than it may, or
// fails where nothing has closed its endpoint. When all is well again, all are served.
func TestRandomWalk(t *testing.T) {
	for seed := *firstWalk; seed < *firstWalk+*walks; seed++ {
		synctest.Test(t, func(t *testing.T) { walkOnce(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func walkOnce(t *testing.T, seed uint64) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &walk{T: t, Throttle: New(noop), seed: seed, ctx: ctx, rand: rand.New(rand.NewPCG(seed, seed)), limit: map[string]server{}, lies: map[string]func() http.Header{},
		down: map[string]bool{}, last: map[string]time.Time{}, hinted: map[string]bool{}, passed: map[string]int{}}
	w.change()
	var wg sync.WaitGroup
	for _, e := range walkEndpoints {
		w.last[e] = time.Now() // before any caller begins
	}
	for _, e := range walkEndpoints {
		for n := range 2 + w.n(8) {
			wg.Go(func() { w.caller(e, n == 0) })
		}
	}
	for range 3 + w.n(3) {
		time.Sleep(time.Minute + w.span()/4)
		w.change()
	}
	w.mu.Lock()
	clear(w.limit)
	clear(w.lies)
	clear(w.down)
	w.mu.Unlock()
	time.Sleep(19 * time.Minute) // an upload of a minute that is refused, 15 minutes, and a probe of a minute
	w.mu.Lock()
	clear(w.passed)
	w.mu.Unlock()
	time.Sleep(time.Minute)
	w.mu.Lock()
	for _, e := range walkEndpoints {
		assert.GreaterOrEqual(t, w.passed[e], 5, "seed %d: %s is open again", seed, e)
	}
	w.mu.Unlock()
	cancel()
	wg.Wait()
}
