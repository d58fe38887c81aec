package gate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/limits"
)

// A server that stops sending headers must not leave the gate counting down to
// a closing that no reset would ever end.
func TestHeadersThatStopComing(t *testing.T) {
	for _, limit := range []int64{-1, 0, 3} {
		synctest.Test(t, func(t *testing.T) {
			g := New(nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			told := limits.Info{Limit: limit, Remaining: 2, Reset: time.Now().Add(time.Second)}
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
