// Package throttle holds back the requests of a client while a rate limit lasts, and
// lets them go, first come first served, as the limit allows. An endpoint has a closing,
// which a refusal brings, a queue, and a ramp, which is the pace after a closing. A
// window is what headers report of a limit, and endpoints with the same limit share it.
package throttle

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A Throttle is safe for concurrent use. Inside, a time is the duration since an epoch.
type Throttle struct {
	onChange  func(Change)
	epoch     time.Time // before anything
	mu        sync.Mutex
	endpoints map[string]*endpoint
	arrivals  uint64
	timer     *time.Timer
	changes   []Change  // not yet reported
	settled   []*waiter // with a permit or an error, and not yet awake
}

// A Change is the closing or the opening of an endpoint.
type Change struct {
	Context  context.Context // of the call that closed it, without its end
	Endpoint string
	Closed   bool
	Until    time.Time // of a closing
	Waiting  int       // calls that wait
}

// New returns a Throttle that lets everything go, since it knows nothing. It reports
// closings and openings to onChange, which must not panic, or call the Throttle.
func New(onChange func(Change)) *Throttle {
	return &Throttle{onChange: onChange, epoch: time.Now().Add(-time.Hour), endpoints: map[string]*endpoint{}}
}

// Acquire waits for a permit to send a request to an endpoint. The error is ctx's, or a
// *TooLongError as soon as the endpoint is known to stay closed for longer than ctx or
// maxWait allow. Where it is open, maxWait ends with a permit. A call keeps its place in
// the queue from one request to the next by its position, which is 0 at first.
func (t *Throttle) Acquire(ctx context.Context, name string, maxWait time.Duration, position *uint64) (*Permit, error) {
	now := t.lock()
	e := t.endpointOf(name)
	t.arrivals++
	*position = cmp.Or(*position, t.arrivals)
	if _, next := e.opens(now); next <= now && len(e.queue) == 0 {
		defer t.unlock(now)
		return e.grant(now), nil
	}
	w := &waiter{position: *position, latest: now + min(maxWait, never-now), done: make(chan struct{})}
	if d, ok := ctx.Deadline(); ok {
		w.latest = min(w.latest, now+time.Until(d))
	}
	e.queue.enqueue(w)
	e.checked = min(e.checked, w.latest)
	t.unlock(now)
	if maxWait > 0 { // an expired timer in a testing/synctest bubble may crash the race detector (go.dev/issue/78156)
		select {
		case <-w.done:
			return w.permit, w.err
		case <-time.After(maxWait):
		case <-ctx.Done():
			defer t.unlock(t.lock())
			if !e.queue.remove(w) && w.permit != nil {
				w.permit.reclaim() // for the next in the queue
			}
			return nil, ctx.Err()
		}
	}
	now = t.lock()
	defer t.unlock(now)
	if e.queue.remove(w) {
		return e.grant(now), nil
	}
	return w.permit, w.err
}

// Confirm reports just before its request whether a permit still holds. A permit is
// released, and does not hold, if its endpoint has closed since.
func (t *Throttle) Confirm(p *Permit) bool {
	now := t.lock()
	defer t.unlock(now)
	if opens, _ := p.endpoint.opens(now); opens > now && opens != p.opens {
		p.reclaim()
		return false
	}
	p.sent, p.known = now, p.window.remaining
	return true
}

// Release gives a permit back with the status of the answer, 0 without one, and what
// the answer reports of the limit.
func (t *Throttle) Release(ctx context.Context, p *Permit, status int, info ratelimitheader.Info) {
	now := t.lock()
	defer t.unlock(now)
	if p.sent == 0 {
		p.reclaim()
		return
	}
	e, refused := p.endpoint, status == http.StatusTooManyRequests
	if !e.last.Closed {
		e.last.Context = ctx
	}
	t.updateWindow(p, info, refused, now)
	switch {
	case p.sent <= e.closing.since:
		// It says nothing of the closing, which came later.
	case refused:
		e.closing.pause(info.Wait(e.ramp.growPause()), now)
	case status >= 200 && status < 500:
		e.onPassed(p, now)
	}
}

func (t *Throttle) lock() (now time.Duration) { t.mu.Lock(); return time.Since(t.epoch) }

// unlock grants all that may go, in the order of arrival, and sets the timer for when
// more may. It reports the changes of the section that it ends.
func (t *Throttle) unlock(now time.Duration) {
	e, wake := t.first(now)
	for ; e != nil; e, wake = t.first(now) {
		w := e.queue[0]
		e.queue = e.queue[1:]
		w.permit = e.grant(now)
		t.settled = append(t.settled, w)
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	if wake < never {
		t.timer = time.AfterFunc(wake-now, func() { t.unlock(t.lock()) })
	}
	changes, settled := t.changes, t.settled
	t.changes, t.settled = nil, nil
	t.mu.Unlock()
	for _, c := range changes {
		t.onChange(c)
	}
	for _, w := range settled {
		close(w.done) // once its observer has heard of the endpoint
	}
}

// first returns the endpoint whose first waiter may go now, or when to look again. It
// notes which endpoints have closed or opened, and ends the waits that are too long.
func (t *Throttle) first(now time.Duration) (first *endpoint, wake time.Duration) {
	wake = never
	for _, e := range t.endpoints {
		opens, next := e.opens(now)
		if closed := opens > now; closed != e.last.Closed {
			e.last = Change{context.WithoutCancel(e.last.Context), e.last.Endpoint, closed, t.epoch.Add(opens), len(e.queue)}
			if e.closing.since == now {
				e.last.Waiting++ // the refused call
			}
			t.changes = append(t.changes, e.last)
		}
		if opens > max(now, e.checked) {
			t.settled = append(t.settled, e.queue.rejectImpatient(opens, t.epoch)...)
		}
		e.checked = opens
		switch {
		case len(e.queue) == 0:
		case next > now:
			wake = min(wake, next)
		case first == nil || e.queue[0].position < first.queue[0].position:
			first = e
		}
	}
	return first, wake
}

// endpointOf finds or makes an endpoint. It forgets some where routes are made up.
func (t *Throttle) endpointOf(name string) *endpoint {
	if len(t.endpoints) >= 500 {
		maps.DeleteFunc(t.endpoints, func(_ string, e *endpoint) bool { return len(e.queue) == 0 })
	}
	if t.endpoints[name] == nil {
		t.endpoints[name] = &endpoint{last: Change{Endpoint: name}, window: newWindow()}
	}
	return t.endpoints[name]
}

// A TooLongError says that an endpoint stays closed for longer than a call can wait.
type TooLongError struct{ Until time.Time }

func (e *TooLongError) Error() string { return "the rate limit lasts longer than the call may wait" }

type waiter struct {
	position uint64
	latest   time.Duration // when its maxWait or its context's deadline ends
	done     chan struct{} // closed with the permit or the error
	permit   *Permit
	err      error
}

// A queue holds the waiters of an endpoint by position, since a call that was refused
// comes back to its place.
type queue []*waiter

func (q *queue) enqueue(w *waiter) {
	i, _ := slices.BinarySearchFunc(*q, w, func(a, b *waiter) int { return cmp.Compare(a.position, b.position) })
	*q = slices.Insert(*q, i, w)
}

// remove reports whether the waiter was in the queue.
func (q *queue) remove(w *waiter) bool {
	before := len(*q)
	*q = slices.DeleteFunc(*q, func(other *waiter) bool { return other == w })
	return len(*q) < before
}

// rejectImpatient removes the waiters that cannot last until the endpoint opens, and
// gives them their error.
func (q *queue) rejectImpatient(opens time.Duration, epoch time.Time) (rejected []*waiter) {
	*q = slices.DeleteFunc(*q, func(w *waiter) bool {
		if w.latest < opens {
			w.err = &TooLongError{epoch.Add(opens)}
			rejected = append(rejected, w)
		}
		return w.err != nil
	})
	return rejected
}
