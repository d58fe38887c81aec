package throttle

import (
	"context"
	"math/rand/v2"
	"time"
)

// room reports whether one more request may go. If not, opens is the time before
// which it may not; zero if an answer can change that at any time.
func (g *Gate) room(now time.Time) (opens time.Time, ok bool) {
	if now.Before(g.closedUntil) {
		return g.closedUntil, false
	}
	g.rollOver(now)
	if g.inFlight > 0 && !now.Before(g.epochEnd) {
		g.remaining = max(g.remaining-int64(g.inFlight), min(g.remaining, 0))
		g.newEpoch()
	}
	switch {
	case !g.answered:
		ok = g.inFlight < coldFlight
	case g.remaining >= 0:
		opens, ok = g.roomInWindow()
	case now.Before(g.nextGo):
		opens = g.nextGo
	default:
		ok = g.gap == 0 || g.inFlight < g.flight
	}
	if ok && !g.open {
		g.open = true
		g.changes = append(g.changes, Change{Context: g.closedBy, Waiting: g.queue.Len()})
		g.closedBy = nil
	}
	return opens, ok
}

// rollOver starts a new window when the known one has ended. It allows the
// limit, where that is known, until an answer tells more; where none does any
// more, nothing is known again.
func (g *Gate) rollOver(now time.Time) {
	switch {
	case g.remaining < 0 || now.Before(g.reset):
	case !g.reset.IsZero():
		g.remaining, g.reset = g.limit, time.Time{}
		g.newEpoch()
		g.shared = max(g.shared-1, 0)
	case g.remaining == 0:
		g.remaining = -1
	}
}

// roomInWindow compares what remains with what is in flight. Where others use
// the account too, only a part of it is put in flight at a time, so that their
// requests show in the answers before all is spent.
func (g *Gate) roomInWindow() (opens time.Time, ok bool) {
	if g.remaining == 0 {
		return g.reset, false
	}
	flight := g.remaining
	if g.shared > 0 {
		flight = max(flight/sharedPart, 1)
	}
	return time.Time{}, int64(g.inFlight) < flight
}

// newEpoch takes their room from all requests in flight. An upload may be on its
// way for longer than any window; that the next may go does not depend on it.
func (g *Gate) newEpoch() {
	g.epoch++
	g.inFlight = 0
}

// giveBack gives back a request's room and reports whether it still held any.
func (g *Gate) giveBack(t Ticket) bool {
	if t.epoch != g.epoch {
		return false
	}
	g.inFlight--
	return true
}

// issue counts one request out.
func (g *Gate) issue(ctx context.Context, now time.Time) Ticket {
	if g.inFlight == 0 {
		g.epochEnd = now.Add(heldFor)
	}
	g.inFlight++
	if g.gap > 0 && g.remaining < 0 {
		g.nextGo = now.Add(time.Duration(2 * rand.Float64() * float64(g.gap)))
		if g.released++; g.released >= perPause {
			g.released = 0
			g.flight *= 2
			if g.gap /= 2; g.gap < minGap {
				g.gap = 0
			}
		}
	}
	return Ticket{ctx: ctx, at: now, epoch: g.epoch}
}
