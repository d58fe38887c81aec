package throttle

import (
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

const (
	counted     = time.Second     // after which the server has counted a request
	imprecision = 2 * time.Second // of a reset, which most servers round to seconds
	part        = 8               // share of what may remain that goes at once
	sharedFor   = 8               // resets for which a refusal shows that others use the limit
)

// A window is what headers report of a limit.
type window struct {
	limit     int64         // -1 when unknown
	remaining int64         // -1 when unknown
	reset     time.Duration // never when unknown
	asOf      time.Duration // when the newest request was sent whose answer was taken, or the last reset
	emptied   time.Duration // since when nothing remains; 0 while something does
	shared    int           // resets for which other clients are taken to use the limit
	joined    bool          // by another endpoint
	flight    []*Permit     // by age: those granted, and those sent less than counted ago
	inFlight  int           // those of them that are not answered
	spent     int64         // requests sent since the last report and not in flight
}

func newWindow() *window { return &window{limit: -1, remaining: -1, reset: never} }

// isEmpty reports whether nothing remains until the reset, which allows the limit again.
func (w *window) isEmpty(now time.Duration) bool {
	for len(w.flight) > 0 && (!w.flight[0].flying || w.flight[0].sent > 0 && w.flight[0].sent+counted <= now) {
		w.flight[0].land(1)
		w.flight = slices.Delete(w.flight, 0, 1)
	}
	if w.reset <= now {
		w.remaining, w.spent, w.reset, w.asOf = w.limit, 0, never, now-1
		w.shared = max(w.shared-1, 0)
	}
	switch {
	case w.remaining < 0 || w.remaining > w.spent:
		w.emptied = 0
	case w.reset == never:
		w.remaining = -1 // no reset would ever end it
	case w.emptied == 0:
		w.emptied = now
	}
	return w.emptied > 0
}

// isFull reports whether all that may go at once is on its way. That is a part of what
// remains after a reset until an answer comes, and where other clients use the limit.
func (w *window) isFull() bool {
	allowed := w.remaining - w.spent
	if w.shared > 0 || w.reset == never {
		allowed = max(allowed/part, 1)
	}
	return w.remaining >= 0 && int64(w.inFlight) >= allowed
}

// updateWindow takes over what an answer reports. It reports another window if its reset
// is another, or if no less remains than was known when its request was sent. The answers
// to requests sent at the same time come in any order, and the least of them holds.
func (t *Throttle) updateWindow(p *Permit, info ratelimitheader.Info, refused bool, now time.Duration) {
	remaining, reset, early := info.Remaining, now+time.Until(info.Reset), p.flying
	p.land(1)
	if info.Limit == 0 || remaining < 0 || reset <= now {
		return
	}
	w := t.windowOf(p.endpoint, info.Limit)
	w.isEmpty(now)
	newer := p.window != w || p.sent > w.asOf
	known := newer && p.window == w && p.known >= 0
	more := known && remaining >= max(p.known, 1)
	if more {
		w.shared = 0
	} else if refused && known && p.known > 0 {
		w.shared = sharedFor
	}
	switch {
	case (reset-w.reset).Abs() < imprecision && !more:
		remaining, reset = min(w.remaining, remaining), w.reset
	case !newer && (w.reset < never || !early):
		return // the answer to a newer request has shown another one
	case w.joined && w.reset < never && w.reset > now+imprecision:
		w = &window{limit: info.Limit}
		p.endpoint.window = w
	}
	w.remaining, w.reset, w.spent = remaining, reset, 0
	w.asOf = max(w.asOf, p.sent)
}

// windowOf gives an endpoint the window of those that report the same limit.
func (t *Throttle) windowOf(e *endpoint, limit int64) *window {
	if limit < 0 || limit == e.window.limit {
		return e.window
	}
	if e.window.limit > 0 {
		e.window = newWindow()
	}
	for _, other := range t.endpoints {
		if other.window.limit == limit {
			e.window, other.window.joined = other.window, true
		}
	}
	e.window.limit = limit
	return e.window
}
