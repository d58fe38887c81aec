package throttle

import "time"

const (
	minClosed    = 100 * time.Millisecond // shortest closing, doubling to maxPause with each refusal in a row
	closingProbe = 15 * time.Minute       // after which a closed endpoint is tried
	windowProbe  = time.Minute            // the same where a header closed it before anyone was refused
	never        = time.Duration(1<<63 - 1)
)

// An endpoint is a method and a route.
type endpoint struct {
	closing closing
	queue   queue
	ramp    ramp
	window  *window
	granted time.Duration // when the last permit was
	last    Change        // as was reported; while it is open, with the context of the last call
	checked time.Duration // the opening that the whole queue can wait for
}

// A closing is what a refusal brings.
type closing struct {
	since, until time.Duration
	refusals     int // in a row
}

// pause closes for a time that may be negative.
func (c *closing) pause(d, now time.Duration) {
	c.since, c.until = now, now+max(d, min(minClosed<<min(c.refusals, 16), maxPause))
	c.refusals++
}

// opens returns when the endpoint opens, which is after now if it is closed, and when
// the next request may go. If it is closed for long, that is a probe.
func (e *endpoint) opens(now time.Duration) (opens, next time.Duration) {
	if opens = e.closing.until; opens > now {
		next = max(e.closing.since, e.granted) + closingProbe
	}
	w := e.window
	if w.isEmpty(now) {
		opens, next = max(opens, w.reset), max(next, max(w.emptied, e.granted)+windowProbe)
	}
	switch {
	case opens > now:
		next = min(opens, next)
	case w.reset == never && e.ramp.next > now:
		next = e.ramp.next
	case w.isFull():
		next = min(w.reset, now+counted)
	}
	return opens, next
}

// onPassed opens the endpoint. Where a probe's answer reports no window there is none.
func (e *endpoint) onPassed(p *Permit, now time.Duration) {
	e.closing.until, e.closing.refusals = 0, 0
	e.ramp.onPassed(now)
	if w := e.window; w.emptied > 0 && p.sent > max(w.emptied, w.asOf) {
		e.window = newWindow()
	}
}

// A Permit is the right to one request. Whoever has it must release it.
type Permit struct {
	endpoint *endpoint
	opens    time.Duration // when the endpoint opened, or opens
	sent     time.Duration // 0 before
	window   *window       // of the endpoint
	known    int64         // what remained then; -1 if that was unknown
	flying   bool          // the server may not have counted the request yet
}

func (e *endpoint) grant(now time.Duration) *Permit {
	p := &Permit{endpoint: e, window: e.window, flying: true}
	p.opens, _ = e.opens(now)
	e.granted = now
	e.ramp.onGranted(now)
	e.window.flight = append(e.window.flight, p)
	e.window.inFlight++
	return p
}

// reclaim takes back a permit that was not used. The next may be the probe in its place.
func (p *Permit) reclaim() {
	p.land(0)
	if p.opens > p.endpoint.granted {
		p.endpoint.granted = 0
	}
}

// land ends the flight of a permit that has spent so many requests.
func (p *Permit) land(spent int64) {
	if p.flying {
		p.flying = false
		p.window.inFlight--
		p.window.spent += spent
	}
}
