package throttle

import (
	"math/rand/v2"
	"time"
)

const (
	minPause = 250 * time.Millisecond
	maxPause = 30 * time.Second
	gaps     = 32 // requests that go after a pause in the time that it took
	perGap   = 48 // requests that pass until twice as many go
)

// A ramp is the pace of an endpoint after a closing, where no header tells one.
type ramp struct {
	pause time.Duration // of the last closing
	gap   time.Duration // between two requests; less than 1 ms is none
	next  time.Duration // when the next request may go
	good  int           // requests that passed since the last closing; -1 before one is sent
}

// growPause returns the pause of a closing: twice the last one, or half of it if more
// than one request passed since. It makes the requests that follow go slowly.
func (r *ramp) growPause() time.Duration {
	r.pause *= 2
	if r.good > 1 {
		r.pause /= 4
	}
	r.pause = min(max(r.pause, minPause), maxPause)
	r.gap, r.next, r.good = r.pause/gaps, 0, -1
	return r.pause
}

// onGranted holds the next request back: behind the first after a closing until that
// has passed, behind others for the gap on average. Clients do not go in step then.
func (r *ramp) onGranted(now time.Duration) {
	switch {
	case r.gap < time.Millisecond:
	case r.good < 0:
		r.good, r.next = 0, now+counted
	default:
		r.next = now + rand.N(2*r.gap)
	}
}

// onPassed makes requests go faster.
func (r *ramp) onPassed(now time.Duration) {
	if r.good++; r.good == 1 {
		r.next = now
	} else if r.good%perGap == 0 {
		r.gap /= 2
	}
}
