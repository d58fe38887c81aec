package throttle

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// bench is a gate under test, in virtual time.
type bench struct {
	*testing.T
	*Gate
	start time.Time

	told    sync.Mutex
	changes []Change
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, start: time.Now()}
		b.Gate = New(func(c Change) {
			b.told.Lock()
			defer b.told.Unlock()
			b.changes = append(b.changes, c)
		})
		test(b)
	})
}

// enter takes a ticket that must be there at once.
func (b *bench) enter() Ticket {
	b.Helper()
	before := time.Now()
	ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
	require.NoError(b, err)
	require.Equal(b, before, time.Now(), "the gate is open")
	return ticket
}

// waits is how long the next call waits for its ticket, which it gives back
// with the outcome.
func (b *bench) waits(o Outcome) time.Duration {
	b.Helper()
	before := time.Now()
	ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
	require.NoError(b, err)
	waited := time.Since(before)
	b.Leave(ticket, o)
	return waited
}

// seen are the closings and openings so far.
func (b *bench) seen() []Change {
	synctest.Wait()
	b.told.Lock()
	defer b.told.Unlock()
	return slices.Clone(b.changes)
}

// idle checks that nothing is in flight and nobody waits.
func (b *bench) idle() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.Zero(b, b.inFlight)
	assert.Zero(b, b.queue.Len())
}

func (b *bench) since() time.Duration { return time.Since(b.start) }

// open is the gate after its first answer, which told nothing.
func (b *bench) open() { b.Leave(b.enter(), good) }

var (
	good    = Outcome{Answered: true, Info: unknown}
	refused = Outcome{Answered: true, Refused: true, Info: unknown}
	lost    = Outcome{Info: unknown}
)

// told is an outcome with headers: what remains, and the seconds to the reset.
func told(refusal bool, limit, remaining int64, reset time.Duration) Outcome {
	return Outcome{Answered: true, Refused: refusal, Info: ratelimitheader.Info{Limit: limit, Remaining: remaining, Reset: time.Now().Add(reset)}}
}

// retryAfter is a refusal with that header alone.
func retryAfter(d time.Duration) Outcome {
	info := unknown
	info.RetryAfter = time.Now().Add(d)
	return Outcome{Answered: true, Refused: true, Info: info}
}

// A client that knows nothing has eight requests in flight until its first
// answer, whatever that is; after a good one there is no limit.
func TestColdStart(t *testing.T) {
	onBench(t, func(b *bench) {
		var tickets []Ticket
		for range coldFlight {
			tickets = append(tickets, b.enter())
		}
		ninth := make(chan Ticket)
		for range 30 {
			go func() {
				ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
				require.NoError(b, err)
				ninth <- ticket
			}()
		}
		synctest.Wait()
		assert.Empty(b, ninth)
		b.Leave(tickets[0], lost)
		<-ninth
		synctest.Wait()
		assert.Empty(b, ninth, "one that was not answered tells nothing")
		b.Leave(tickets[1], good)
		for range 29 {
			<-ninth
		}
		assert.Zero(b, b.since())
	})
}

// A 429 closes the gate until its reset: for all, and to the moment.
func TestClosing(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome func() Outcome
		want    time.Duration
	}{
		{"Retry-After", func() Outcome { return retryAfter(7 * time.Second) }, 7 * time.Second},
		{"reset", func() Outcome { return told(true, 100, 0, 7*time.Second) }, 7 * time.Second},
		{"reset without a count", func() Outcome { return told(true, -1, -1, 7*time.Second) }, 7 * time.Second},
		{"the later of the two where they differ", func() Outcome {
			o := told(true, 100, 0, 60*time.Second)
			o.Info.RetryAfter = time.Now().Add(7 * time.Second)
			return o
		}, 60 * time.Second},
		{"the more exact of the two where they agree", func() Outcome {
			o := told(true, 100, 0, 6300*time.Millisecond)
			o.Info.RetryAfter = time.Now().Add(7 * time.Second)
			return o
		}, 6300 * time.Millisecond},
		{"reset of 0", func() Outcome { return retryAfter(0) }, minClosed},
		{"reset in the past", func() Outcome { return told(true, 100, 0, -time.Hour) }, minClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.open()
				ticket := b.enter()
				time.Sleep(50 * time.Millisecond)
				b.Leave(ticket, c.outcome())
				assert.Equal(b, c.want, b.waits(good))
				changes := b.seen()
				require.Len(b, changes, 2)
				assert.True(b, changes[0].Closed)
				assert.Equal(b, 1, changes[0].Waiting, "the refused call itself")
				assert.True(b, changes[0].Until.After(b.start.Add(50*time.Millisecond)))
				assert.False(b, changes[1].Closed)
			})
		})
	}
}

// A server that refuses again and again with a reset that has passed is asked
// less and less often: it cannot make the client spin.
func TestPastResetsDoNotSpin(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		past := retryAfter(-time.Minute)
		want := minClosed
		b.waits(past)
		for range 12 {
			assert.Equal(b, want, b.waits(past))
			want = min(2*want, maxPause)
		}
		assert.Equal(b, maxPause, b.waits(good))
		b.waits(past)
		assert.Equal(b, minClosed, b.waits(good), "one that succeeds begins it anew")
	})
}

// Without any header the pause is 250 ms, doubles while nothing succeeds, and
// shrinks again when enough does.
func TestPauseWithoutHeaders(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		want := minPause
		b.waits(refused)
		for range 9 {
			assert.Equal(b, want, b.waits(refused))
			want = min(2*want, maxPause)
		}
		assert.Equal(b, maxPause, want)
		for range perPause {
			b.waits(good)
		}
		b.waits(refused)
		assert.Equal(b, maxPause/2, b.waits(good))
		b.waits(good)
		b.waits(refused)
		assert.Equal(b, maxPause/2, b.waits(good), "two calls are no proof that less will do")
	})
}

// A refusal of a request that was on its way before the gate closed says
// nothing new, and one as old as the closing itself does not count again.
func TestLateRefusalsDoNotExtend(t *testing.T) {
	for _, apart := range []time.Duration{0, 10 * time.Millisecond} {
		onBench(t, func(b *bench) {
			b.open()
			var tickets []Ticket
			for range 20 {
				tickets = append(tickets, b.enter())
			}
			time.Sleep(apart)
			for i, ticket := range tickets {
				b.Leave(ticket, retryAfter(time.Second+time.Duration(i)*time.Minute))
			}
			assert.Equal(b, time.Second, b.waits(good), "%v apart", apart)
			assert.Len(b, b.seen(), 2)

			// Nor does it make the next pause longer.
			b.waits(refused)
			assert.Equal(b, minPause, b.waits(good))
		})
	}
}

// The context of one who has a ticket is none of the gate's business, and that
// of one who comes too late is seen at once.
func TestEnterWithAnEndedContext(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.Leave(b.enter(), retryAfter(time.Minute))
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		_, err := b.Enter(ctx, time.Hour, new(uint64))
		assert.ErrorIs(b, err, context.Canceled)
		assert.Zero(b, b.since())
	})
}
