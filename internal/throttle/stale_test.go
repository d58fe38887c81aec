package throttle

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// A server that stops sending headers must not leave the gate counting down to
// a closing that no reset would ever end.
func TestHeadersThatStopComing(t *testing.T) {
	for _, limit := range []int64{-1, 0, 3} {
		synctest.Test(t, func(t *testing.T) {
			g := New(nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			told := ratelimitheader.Info{Limit: limit, Remaining: 2, Reset: time.Now().Add(time.Second)}
			for range 20 {
				var place uint64
				ticket, err := g.Enter(ctx, time.Minute, &place)
				require.NoError(t, err)
				g.Leave(ticket, Outcome{Answered: true, Info: told})
				told = unknown
			}
		})
	}
}

// A closing that headers announce before anyone is refused is told like one
// that a refusal brings, and so is its end.
func TestAnnouncedClosingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Change
		ctx := context.WithoutCancel(t.Context())
		g := New(func(c Change) {
			require.Equal(t, ctx, c.Context)
			c.Context = nil
			told = append(told, c)
		})
		reset := time.Now().Add(time.Minute)
		for range 2 {
			var place uint64
			ticket, err := g.Enter(t.Context(), time.Hour, &place)
			require.NoError(t, err)
			g.Leave(ticket, Outcome{Answered: true, Info: ratelimitheader.Info{Limit: 9, Remaining: 0, Reset: reset}})
			reset = reset.Add(time.Minute)
		}
		require.Equal(t, []Change{
			{Closed: true, Until: reset.Add(-2 * time.Minute)},
			{Waiting: 1},
			{Closed: true, Until: reset.Add(-time.Minute)},
		}, told)
	})
}
