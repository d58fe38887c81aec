// Package throttle holds back the requests of a whole client while a rate limit
// lasts, and lets them go, first come first served, as the limit allows.
//
// With headers that tell what remains it lets that many go. Without, it pauses
// after a refusal and then lets requests go one by one, at first slowly.
package throttle

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

const (
	coldFlight = 8                      // requests in flight until the first answer of all
	heldFor    = 10 * time.Second       // longest that a request in flight holds room: a limiter has counted it by then
	maxClosed  = 24 * time.Hour         // longest closing: a reset beyond it is tried before
	minClosed  = 100 * time.Millisecond // shortest closing, doubling with each refusal in a row
	minPause   = 250 * time.Millisecond // closing without a known reset, doubling likewise
	maxPause   = 30 * time.Second
	perPause   = 64               // requests let go in one pause's time after a closing, doubling each time it goes well
	minGap     = time.Millisecond // requests closer than this are not held apart
	sharedFor  = 8                // windows for which a refusal shows that others use the account
	sharedPart = 8                // share of what remains that is put in flight then
)

// A Gate is safe for concurrent use.
type Gate struct {
	notify func(Change)

	mu       sync.Mutex
	queue    list.List // of *waiter, in order of arrival
	arrivals uint64
	inFlight int       // requests that hold room: those of this epoch
	epoch    uint64    // ends with a window, and after heldFor
	epochEnd time.Time // the latter; of no meaning while nothing is in flight
	answered bool      // an answer was seen, so the server is known to cope

	// Closing.
	closedAt    time.Time
	closedUntil time.Time
	open        bool            // false from a closing until it is noticed that it ended
	refusals    int             // closings since the last success
	goodCalls   int             // successes since the last closing
	closedBy    context.Context // of the last closing

	// What the headers say; remaining is -1 when unknown.
	remaining, limit int64
	reset            time.Time
	shared           int // windows for which others are taken to use the account

	// Opening when nothing is known of what remains.
	pause    time.Duration
	gap      time.Duration // between two requests; 0 = none
	flight   int           // requests in flight while there is a gap
	released int           // requests since gap was last halved
	nextGo   time.Time

	timer   *time.Timer
	shownTo time.Time // the latest opening that the queue was checked against
	changes []Change  // not yet told
	woken   []*waiter // settled, and not yet awake
}

// A Change is a closing or opening of the gate.
type Change struct {
	Context context.Context // has the values of the call that brought the closing about, and no end
	Closed  bool
	Until   time.Time // of a closing
	Waiting int       // calls in the line
}

// New returns an open gate. notify, if any, is told of closings and openings;
// it must not call the gate.
func New(notify func(Change)) *Gate {
	return &Gate{notify: notify, open: true, remaining: -1, limit: -1}
}

// A Ticket is the right to one request. It must be given back with Leave.
type Ticket struct {
	ctx   context.Context
	at    time.Time
	epoch uint64
}

// Outcome is what became of a request.
type Outcome struct {
	Answered bool                 // an answer came, whatever it was
	Refused  bool                 // the answer was a refusal for the rate limit
	Info     ratelimitheader.Info // of the answer
}

// unlock ends a critical section, tells what changed in it, and only then wakes
// who may go on: what a caller is told of its own call comes before its end. They
// are woken even if notify panics.
func (g *Gate) unlock() {
	changes, woken := g.changes, g.woken
	g.changes, g.woken = nil, nil
	g.mu.Unlock()
	defer func() {
		for _, w := range woken {
			close(w.verdict)
		}
	}()
	if g.notify != nil {
		for _, c := range changes {
			g.notify(c)
		}
	}
}

// Leave gives a ticket back with what became of its request.
func (g *Gate) Leave(t Ticket, o Outcome) {
	g.mu.Lock()
	defer g.unlock()
	now := time.Now()
	heldRoom := g.giveBack(t)
	g.answered = g.answered || o.Answered
	if o.Refused && g.remaining > 0 {
		g.shared = sharedFor // somebody else took what was left for us
	}
	switch {
	case o.Answered && o.Info.Remaining >= 0:
		g.learn(o.Info, now)
	case g.remaining > 0 && heldRoom:
		g.remaining--
	}
	switch {
	case o.Refused:
		g.refuse(t, o.Info, now)
	case o.Answered:
		g.refusals = 0
		g.goodCalls++
	}
	if g.open && g.remaining == 0 && now.Before(g.reset) {
		g.shut(t, g.reset, g.queue.Len())
	}
	g.dispatch(now)
}

// learn takes over what an answer says. Answers come in any order and their
// resets are whole seconds, so one within a second of the known reset speaks
// of the same window and can only lower what remains of it.
func (g *Gate) learn(info ratelimitheader.Info, now time.Time) {
	reset := atMost(info.Reset, now.Add(maxClosed))
	ahead := reset.Sub(g.reset)
	switch {
	case !reset.After(now):
		// No window, or one that is over: what remained of it says nothing.
	case g.reset.IsZero() || ahead >= time.Second:
		g.remaining, g.limit, g.reset = info.Remaining, info.Limit, reset
		if g.limit == 0 {
			g.limit = -1 // a window that allows nothing would never end
		}
	case ahead > -time.Second:
		g.remaining = min(g.remaining, info.Remaining)
		g.reset = g.reset.Add(max(ahead, 0))
	}
}

func atMost(t, latest time.Time) time.Time {
	if t.After(latest) {
		return latest
	}
	return t
}

// refuse closes the gate, unless the refused request was on its way before the
// last closing and so says nothing new.
func (g *Gate) refuse(t Ticket, info ratelimitheader.Info, now time.Time) {
	if !t.at.After(g.closedAt) {
		return
	}
	g.refusals++
	until := now.Add(min(minClosed<<min(g.refusals-1, 16), maxPause))
	if reset := info.Until(); !reset.IsZero() {
		if reset.After(until) {
			until = atMost(reset, now.Add(maxClosed))
		}
	} else {
		until = now.Add(g.lengthen())
	}
	g.gap, g.flight, g.released = max(g.pause, minPause)/perPause, coldFlight, 0
	g.goodCalls = 0
	g.closedAt, g.closedUntil = now, until
	g.shut(t, until, g.queue.Len()+1) // the refused call waits too
}

// shut tells of a closing.
func (g *Gate) shut(t Ticket, until time.Time, waiting int) {
	g.open, g.closedBy = false, context.WithoutCancel(t.ctx)
	g.changes = append(g.changes, Change{Context: g.closedBy, Closed: true, Until: until, Waiting: waiting})
}

// lengthen adapts the pause: longer when the last one brought nothing, shorter
// when it brought plenty.
func (g *Gate) lengthen() time.Duration {
	switch {
	case g.pause == 0:
		g.pause = minPause
	case g.goodCalls == 0:
		g.pause = min(2*g.pause, maxPause)
	case g.goodCalls >= perPause:
		g.pause = max(g.pause/2, minPause)
	}
	return g.pause
}

// dispatch lets the first in line go while there is room, and sets the timer
// for the time when there may be more.
func (g *Gate) dispatch(now time.Time) {
	for g.queue.Len() > 0 {
		opens, ok := g.room(now)
		if !ok {
			g.sleep(opens, now)
			return
		}
		w := g.queue.Remove(g.queue.Front()).(*waiter)
		g.settle(w, g.issue(w.ctx, now), nil)
	}
}

// sleep sets the timer and sends away who cannot wait that long. Where an answer
// may make room at any time, nobody is: the timer is for the case that none comes.
func (g *Gate) sleep(opens, now time.Time) {
	if opens.IsZero() {
		opens = g.epochEnd
		if g.remaining >= 0 && !g.reset.IsZero() {
			opens = atMost(opens, g.reset)
		}
	} else if opens.After(g.shownTo) && opens.Sub(now) >= minClosed {
		g.shownTo = opens
		g.sendAway(opens)
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(opens.Sub(now), g.wake)
	} else {
		g.timer.Reset(opens.Sub(now))
	}
}

func (g *Gate) wake() {
	g.mu.Lock()
	defer g.unlock()
	g.dispatch(time.Now())
}

// Enter waits for a ticket: until ctx ends, or for patience at most if that is not
// negative, or not at all for time to pass if it is. order keeps a call's place in
// the line from one request to the next: it is 0 at first and then what Enter
// made it.
//
// The error is ctx's or a *TooLongError, and that at once when it is known
// that the gate stays closed for longer.
func (g *Gate) Enter(ctx context.Context, patience time.Duration, order *uint64) (Ticket, error) {
	g.mu.Lock()
	if *order == 0 {
		g.arrivals++
		*order = g.arrivals
	}
	now := time.Now()
	opens, ok := g.room(now)
	if ok && g.queue.Len() == 0 {
		t := g.issue(ctx, now)
		g.unlock()
		return t, nil
	}
	w := newWaiter(ctx, patience, *order, now)
	if err := w.outlast(opens); err != nil {
		g.unlock()
		return Ticket{}, err
	}
	w.place = g.line(w)
	g.dispatch(now)
	g.unlock()
	return g.wait(ctx, w)
}
