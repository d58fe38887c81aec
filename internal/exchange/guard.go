package exchange

import (
	"context"
	"sync"
	"time"
)

// A guard cuts an exchange in which nothing moves. It has one timer, which
// looks at the time of the last movement when it fires and goes on sleeping if
// that was recent: a body of a million reads costs no million timers.
type guard struct {
	cancel          context.CancelCauseFunc
	stall, response time.Duration

	mu    sync.Mutex
	timer *time.Timer
	last  time.Time
	limit time.Duration // 0 = never
	err   error
	over  bool // a transport may tell of a first byte after it has given up
}

// awaitConn starts the phase in which the transport gets a connection: one that
// is in use may have to become free, so the more patient of the two bounds holds.
func (g *guard) awaitConn() { g.watch(g.patience(), ErrNoConnection) }

// moveBody starts a phase in which body bytes are due.
func (g *guard) moveBody() { g.watch(g.stall, ErrStalled) }

// awaitResponse starts the phase from the last byte sent to the first received.
func (g *guard) awaitResponse() { g.watch(g.response, ErrNoResponse) }

// firstByte ends the wait for a response. The rest of its header is not seen
// arriving, so the more patient of the two bounds holds until the body begins.
func (g *guard) firstByte() { g.watch(g.patience(), ErrStalled) }

func (g *guard) patience() time.Duration {
	if g.stall <= 0 || g.response <= 0 {
		return 0
	}
	return max(g.stall, g.response)
}

func (g *guard) watch(limit time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.limit, g.err = time.Now(), limit, err
	switch {
	case limit <= 0 || g.over:
	case g.timer == nil:
		g.timer = time.AfterFunc(limit, g.fire)
	default:
		g.timer.Reset(limit)
	}
}

func (g *guard) touch() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = time.Now()
}

func (g *guard) fire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit <= 0 || g.over {
		return
	}
	if rest := g.limit - time.Since(g.last); rest > 0 {
		g.timer.Reset(rest)
		return
	}
	g.cancel(g.err)
}

func (g *guard) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.timer != nil {
		g.timer.Stop()
	}
}
