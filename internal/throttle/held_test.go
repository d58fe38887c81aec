package throttle

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Uploads that are on their way for longer than any window keep nobody from
// going: what the limit allows next does not depend on when they end.
func TestLongRequestsHoldNobodyUp(t *testing.T) {
	for name, c := range map[string]struct {
		before func(b *bench)
		long   int
		after  func(b *bench)
		want   time.Duration
	}{
		"all that remained, until the reset": {
			before: func(b *bench) { b.Leave(b.enter(), told(false, 10, 1, time.Second)) },
			long:   1, want: time.Second,
		},
		"a whole window": {
			before: func(b *bench) { b.Leave(b.enter(), told(false, 5, 5, time.Second)) },
			long:   5, want: time.Second,
		},
		"a whole window behind one of which nothing was told": {
			before: func(b *bench) {
				b.Leave(b.enter(), told(false, 5, 5, time.Second))
				time.Sleep(2 * time.Second)
			},
			long: 5, want: heldFor,
		},
		"a part of a window that others use too": {
			before: func(b *bench) {
				b.Leave(b.enter(), told(false, 100, 50, time.Second))
				b.Leave(b.enter(), told(true, 100, 0, time.Second))
				time.Sleep(time.Second)
				b.Leave(b.enter(), told(false, 100, 7, time.Minute))
			},
			long: 1, want: heldFor,
		},
		"a refusal that told nothing": {
			long: 20,
			after: func(b *bench) {
				time.Sleep(time.Millisecond)
				b.Leave(b.enter(), refused)
			},
			want: heldFor,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.open()
				if c.before != nil {
					c.before(b)
				}
				var long []Ticket
				for range c.long {
					ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
					assert.NoError(b, err)
					long = append(long, ticket)
				}
				if c.after != nil {
					c.after(b)
				}
				assert.LessOrEqual(b, b.waits(lost), c.want)
				for _, ticket := range long {
					b.Leave(ticket, good)
				}
				b.idle()
			})
		})
	}
}

// A client that knows nothing yet sends on, some at a time, while its first
// requests take their time.
func TestSlowColdStart(t *testing.T) {
	onBench(t, func(b *bench) {
		var tickets []Ticket
		for n := range 3 * coldFlight {
			ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
			assert.NoError(b, err)
			tickets = append(tickets, ticket)
			assert.Equal(b, time.Duration(n/coldFlight)*heldFor, b.since())
		}
		for _, ticket := range tickets {
			b.Leave(ticket, good)
		}
		b.idle()
	})
}

// Requests that hold no room any more have spent what they spent.
func TestWhatIsOnItsWayCounts(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.Leave(b.enter(), told(false, 10, 6, time.Minute))
		for range 4 {
			b.enter()
		}
		time.Sleep(heldFor)
		b.enter()
		b.enter()
		assert.Equal(b, time.Minute-heldFor, b.waits(lost), "4 and 2 are the 6 that remained")
	})
}

// A reset that is a year away, as one in milliseconds that is read as seconds,
// does not stop a client for a year.
func TestNoClosingLastsForEver(t *testing.T) {
	for name, outcome := range map[string]func() Outcome{
		"Retry-After": func() Outcome { return retryAfter(1000 * 24 * time.Hour) },
		"reset":       func() Outcome { return told(false, 100, 0, 1000*24*time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.open()
				b.Leave(b.enter(), outcome())
				ticket, err := b.Enter(b.Context(), 48*time.Hour, new(uint64))
				assert.NoError(b, err)
				assert.Equal(b, maxClosed, b.since())
				b.Leave(ticket, good)
			})
		})
	}
}

// Whoever has been given a ticket, or was sent away, wakes even if what is told
// of it panics.
func TestAPanicOfNotifyWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var due atomic.Bool
		g := New(func(Change) {
			if due.Load() {
				panic("mistake")
			}
		})
		b := &bench{T: t, Gate: g, start: time.Now()}
		b.open()
		b.Leave(b.enter(), retryAfter(time.Second))
		left := make(chan error)
		ticket, err := g.Enter(t.Context(), time.Hour, new(uint64))
		assert.NoError(t, err)
		go func() { // behind it by the gap between the first after a pause
			_, err := g.Enter(t.Context(), time.Minute, new(uint64))
			left <- err
		}()
		synctest.Wait()
		due.Store(true)
		assert.Panics(t, func() { g.Leave(ticket, retryAfter(time.Hour)) })
		assert.Error(t, <-left)
		assert.Equal(t, time.Second, b.since())
	})
}
