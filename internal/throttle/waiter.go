package throttle

import (
	"container/list"
	"context"
	"time"
)

// A TooLongError says that a wait would have lasted, or has lasted, longer
// than it may.
type TooLongError struct {
	Until    time.Time // when the gate opens; zero when that is not known
	Deadline bool      // the bound was the context's deadline
}

func (e *TooLongError) Error() string { return "the rate limit lasts longer than the call may wait" }

// Is makes a wait that the context's deadline bounds a context.DeadlineExceeded.
func (e *TooLongError) Is(target error) bool {
	return e.Deadline && target == context.DeadlineExceeded
}

// A waiter is one call in the line.
type waiter struct {
	ctx      context.Context
	order    uint64
	place    *list.Element
	latest   time.Time // when it must be gone; zero = never
	deadline bool      // latest is the context's
	patient  bool      // it waits for time to pass

	settled bool          // ticket or err is set
	verdict chan struct{} // closed some time after that
	ticket  Ticket
	err     error
}

func newWaiter(ctx context.Context, patience time.Duration, order uint64, now time.Time) *waiter {
	w := &waiter{ctx: ctx, order: order, patient: patience >= 0, verdict: make(chan struct{})}
	if w.patient {
		w.latest = now.Add(patience)
	}
	if d, ok := ctx.Deadline(); ok && (!w.patient || d.Before(w.latest)) {
		w.latest, w.deadline = d, true
	}
	return w
}

// outlast is nil if the waiter can stay until the gate opens, as far as that
// is known.
func (w *waiter) outlast(opens time.Time) error {
	switch {
	case opens.IsZero():
		return nil
	case !w.patient:
		return &TooLongError{Until: opens}
	case !w.latest.IsZero() && opens.After(w.latest):
		return &TooLongError{Until: opens, Deadline: w.deadline}
	}
	return nil
}

// settle ends a wait. The waiter is woken by unlock, after what changed has been
// told.
func (g *Gate) settle(w *waiter, t Ticket, err error) {
	w.ticket, w.err, w.settled = t, err, true
	g.woken = append(g.woken, w)
}

// line puts a waiter in its place by order of arrival: a call that was refused
// goes back to the front.
func (g *Gate) line(w *waiter) *list.Element {
	for e := g.queue.Back(); e != nil; e = e.Prev() {
		if e.Value.(*waiter).order < w.order {
			return g.queue.InsertAfter(w, e)
		}
	}
	return g.queue.PushFront(w)
}

// sendAway ends the waits that cannot last until the gate opens.
func (g *Gate) sendAway(opens time.Time) {
	var next *list.Element
	for e := g.queue.Front(); e != nil; e = next {
		next = e.Next()
		w := e.Value.(*waiter)
		if err := w.outlast(opens); err != nil {
			g.queue.Remove(e)
			g.settle(w, Ticket{}, err)
		}
	}
}

// wait waits for the verdict, or leaves the line.
func (g *Gate) wait(ctx context.Context, w *waiter) (Ticket, error) {
	var patience <-chan time.Time
	if w.patient && !w.deadline {
		timer := time.NewTimer(time.Until(w.latest))
		defer timer.Stop()
		patience = timer.C
	}
	var left error
	select {
	case <-w.verdict:
		return w.ticket, w.err
	case <-ctx.Done():
		left = ctx.Err()
	case <-patience:
		left = &TooLongError{}
	}
	g.mu.Lock()
	defer g.unlock()
	switch {
	case !w.settled:
		g.queue.Remove(w.place)
	case w.err == nil: // a ticket came while leaving: the next in line has it
		g.giveBack(w.ticket)
		g.dispatch(time.Now())
	}
	return Ticket{}, left
}
