package throttle

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// After a pause calls go one by one, each some time of its own after the last,
// and faster as it goes well: waiters do not come back in one burst.
func TestOpeningWithoutHeadersIsJittered(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.waits(refused)
		at := map[time.Duration]int{}
		for range perPause {
			b.waits(good)
			at[b.since()]++
		}
		assert.Greater(b, len(at), perPause/2, "%v", at)
		assert.Less(b, b.since(), 3*minPause)
		first := b.since()
		for range 20 * perPause {
			b.waits(good)
		}
		assert.Less(b, b.since()-first, 3*minPause, "with nothing refused the gaps vanish")
	})
}

// Remaining: 0 on a good answer closes the gate before anyone is refused.
func TestNothingLeftClosesBeforeARefusal(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.Leave(b.enter(), told(false, 100, 0, 3*time.Second))
		assert.Equal(b, 3*time.Second, b.waits(good))
	})
}

// What remains, less what is in flight, goes at once; the rest waits for the
// reset, and then goes as far as the limit.
func TestWindowWithHeaders(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.Leave(b.enter(), told(false, 5, 3, 2*time.Second))
		reset := told(false, 5, 4, 2*time.Second)
		for range 3 {
			b.enter()
		}
		went := make(chan Ticket, 20)
		for range 7 {
			go func() {
				ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
				require.NoError(b, err)
				went <- ticket
			}()
		}
		synctest.Wait()
		assert.Empty(b, went)
		reset.Info.Reset = b.start.Add(2 * time.Second)
		reset.Info.Remaining = 0
		for range 3 {
			b.Leave(Ticket{ctx: context.Background(), at: b.start}, reset)
		}
		time.Sleep(1999 * time.Millisecond)
		assert.Empty(b, went)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		assert.Len(b, went, 5, "the next window's limit")
		b.Leave(<-went, told(false, 5, 1, 2*time.Second))
		synctest.Wait()
		assert.Len(b, went, 4, "four are in flight and one remains")
		for range 4 {
			b.Leave(<-went, told(false, 5, 0, 2*time.Second))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Len(b, went, 2)
		assert.Equal(b, 4*time.Second, b.since())
	})
}

// A limit that is lowered in mid-run shows in the answers and is kept to.
func TestLimitLoweredInMidRun(t *testing.T) {
	onBench(t, func(b *bench) {
		window := &fixedWindow{limit: 50, window: time.Second, headers: true}
		refusals := 0
		for i := range 300 {
			if i == 100 {
				window.limit = 10
			}
			ticket, err := b.Enter(b.Context(), time.Hour, new(uint64))
			require.NoError(b, err)
			ok, info := window.take(time.Now())
			if !ok {
				refusals++
			}
			b.Leave(ticket, Outcome{Answered: true, Refused: !ok, Info: info})
		}
		assert.LessOrEqual(b, refusals, 1)
		assert.InDelta(b, 22*time.Second, b.since(), float64(2*time.Second))
	})
}
