// Package watchdog cuts work in which nothing moves.
package watchdog

import (
	"context"
	"sync"
	"time"
)

// A Watchdog cancels a context when a movement is late, or an end. It has one timer,
// which looks at the time of the last movement when it fires and goes on sleeping if
// that was recent. So a body of a million reads costs no million timers.
type Watchdog struct {
	Cancel context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	due     time.Time // when timer fires; zero if it does not
	moved   time.Time
	limit   time.Duration // from moved to the next movement; 0 = any time
	late    error         // of a movement
	end     time.Time     // whatever moves; zero = at any time
	tooLong error         // of the end
	stopped bool
}

// Expect begins a phase in which something must move within limit, again and again.
// Else late is the cause of the cut. A limit of zero is any time.
func (w *Watchdog) Expect(limit time.Duration, late error) {
	w.begin(limit, late, 0, nil)
}

// ExpectEnd is Expect for phases in a row that must be over within total, however
// they move. Else tooLong is the cause of the cut.
func (w *Watchdog) ExpectEnd(limit time.Duration, late error, total time.Duration, tooLong error) {
	w.begin(limit, late, total, tooLong)
}

func (w *Watchdog) begin(limit time.Duration, late error, total time.Duration, tooLong error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved, w.limit, w.late, w.tooLong = time.Now(), limit, late, tooLong
	switch {
	case total <= 0:
		w.end = time.Time{}
	case w.end.IsZero():
		w.end = w.moved.Add(total)
	}
	w.arm()
}

// Moved notes a movement.
func (w *Watchdog) Moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = time.Now()
}

// Stop ends the watch for good.
func (w *Watchdog) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// next is the next bound, and what is wrong when it has passed.
func (w *Watchdog) next() (time.Time, error) {
	if at := w.moved.Add(w.limit); w.limit > 0 && (w.end.IsZero() || at.Before(w.end)) {
		return at, w.late
	}
	return w.end, w.tooLong
}

// arm makes the timer fire at the next bound, or earlier.
func (w *Watchdog) arm() {
	next, _ := w.next()
	if w.stopped || next.IsZero() || !w.due.IsZero() && !next.Before(w.due) {
		return
	}
	w.due = next
	if w.timer == nil {
		w.timer = time.AfterFunc(time.Until(next), w.fire)
	} else {
		w.timer.Reset(time.Until(next))
	}
}

func (w *Watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = time.Time{}
	if next, err := w.next(); !w.stopped && !next.IsZero() && !time.Now().Before(next) {
		w.Cancel(err)
		return
	}
	w.arm()
}
