package watchdog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

var (
	errLate    = errors.New("late")
	errTooLong = errors.New("too long")
	errOther   = errors.New("another")
)

// TestWatchdog checks when the context is cut, and with what cause.
func TestWatchdog(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		watch func(w *Watchdog)
		cause error
		after time.Duration
	}{
		{"nothing moves", func(w *Watchdog) { w.Expect(10*s, errLate) }, errLate, 10 * s},
		{"it stops moving", func(w *Watchdog) {
			w.Expect(10*s, errLate)
			for range 100 {
				time.Sleep(9 * s)
				w.Moved()
			}
		}, errLate, 910 * s},
		{"a shorter phase", func(w *Watchdog) { w.Expect(100*s, errLate); w.Expect(s, errOther) }, errOther, s},
		{"a longer phase", func(w *Watchdog) { w.Expect(s, errLate); w.Expect(100*s, errOther) }, errOther, 100 * s},
		{"a phase without a bound between", func(w *Watchdog) {
			w.Expect(s, errLate)
			w.Expect(0, nil)
			time.Sleep(time.Hour)
			w.Expect(2*s, errOther)
		}, errOther, time.Hour + 2*s},
		{"an end, however it moves", func(w *Watchdog) {
			w.ExpectEnd(10*s, errLate, 25*s, errTooLong)
			for range 4 {
				time.Sleep(5 * s)
				w.Moved()
			}
			w.ExpectEnd(10*s, errLate, 25*s, errTooLong) // the same end
		}, errTooLong, 25 * s},
		{"an end alone", func(w *Watchdog) { w.ExpectEnd(0, nil, 25*s, errTooLong) }, errTooLong, 25 * s},
		{"an end that is given up", func(w *Watchdog) {
			w.ExpectEnd(0, nil, s, errTooLong)
			w.Expect(9*s, errLate)
		}, errLate, 9 * s},
		{"no movement before the end", func(w *Watchdog) { w.ExpectEnd(s, errLate, 25*s, errTooLong) }, errLate, s},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				w := &Watchdog{Cancel: cancel}
				start := time.Now()
				c.watch(w)
				<-ctx.Done()
				assert.Equal(t, c.cause, context.Cause(ctx))
				assert.Equal(t, c.after, time.Since(start))
				w.Stop()
			})
		})
	}
}

// TestStopped checks that nothing is cut behind Stop, and no timer begins.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		w := &Watchdog{Cancel: cancel}
		w.Stop()
		w.Expect(time.Second, errLate)
		time.Sleep(time.Hour)
		assert.NoError(t, ctx.Err())

		w = &Watchdog{Cancel: cancel}
		w.Expect(time.Second, errLate)
		w.Stop()
		w.Expect(time.Second, errLate)
		time.Sleep(time.Hour)
		assert.NoError(t, ctx.Err())
	})
}
