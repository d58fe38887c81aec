package throttle

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whoever cannot wait for the reset is rejected at once.
func TestTooLong(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration // of the context; 0 = none
		max     time.Duration
	}{
		{"the context's deadline", 5 * time.Second, time.Hour},
		{"maxWait", 0, 5 * time.Second},
		{"maxWait before a later deadline", time.Hour, 5 * time.Second},
		{"nothing left of maxWait", 0, 0},
		{"never wait", 0, -1},
		{"never wait, with a deadline", time.Hour, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.end(b.send(get), retryAfter(10*time.Second))
				ctx := b.Context()
				if c.timeout > 0 {
					ctx = b.within(c.timeout)
				}
				_, err := b.Acquire(ctx, get, c.max, new(uint64))
				var tooLong *TooLongError
				require.ErrorAs(b, err, &tooLong)
				assert.Equal(b, b.start.Add(10*time.Second), tooLong.Until)
				assert.EqualError(b, err, "the rate limit lasts longer than the call may wait")
				assert.Zero(b, b.since())
				assert.Equal(b, 10*time.Second, b.waits(get, good), "nothing has changed")
			})
		})
	}
}

// Those who wait already are rejected when the endpoint closes for longer than they can
// wait. The others stay. So it is each time, whatever the closings before were.
func TestClosingRejectsWhoCannotWait(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(time.Hour))
		time.Sleep(time.Hour)
		for range 2 {
			b.waits(get, retryAfter(2*time.Second))
			errs := make(chan error, 2)
			for _, who := range []struct {
				ctx context.Context
				max time.Duration
			}{{b.within(5 * time.Second), time.Hour}, {b.Context(), 5 * time.Second}} {
				go func() {
					_, err := b.Acquire(who.ctx, get, who.max, new(uint64))
					errs <- err
				}()
			}
			patient := make(chan time.Duration, 1)
			synctest.Wait()
			time.Sleep(time.Second)
			var first uint64 = 1 // a place before all of them
			p, err := b.Acquire(b.Context(), get, time.Hour, &first)
			require.NoError(b, err)
			require.True(b, b.Confirm(p))
			go func() { patient <- b.waits(get, good) }()
			synctest.Wait()
			assert.Empty(b, errs)
			start := time.Now()
			b.end(p, retryAfter(10*time.Second))
			for range 2 {
				assert.IsType(b, &TooLongError{}, <-errs)
			}
			assert.Zero(b, time.Since(start))
			assert.Equal(b, 10*time.Second, <-patient)
		}
		b.idle()
	})
}

// An open endpoint fails nobody. A call whose maxWait ends in its queue goes, and a call
// whose context ends has that error.
func TestOpenEndpointFailsNobody(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), told(200, 10, 2, time.Hour))
		b.send(get)
		b.send(get) // all that remains is on its way

		_, err := b.Acquire(b.Context(), get, -1, new(uint64))
		assert.NoError(b, err)
		_, err = b.Acquire(b.Context(), get, 300*time.Millisecond, new(uint64))
		assert.NoError(b, err)
		assert.Equal(b, 300*time.Millisecond, b.since())
		_, err = b.Acquire(b.within(200*time.Millisecond), get, time.Hour, new(uint64))
		assert.ErrorIs(b, err, context.DeadlineExceeded)
		assert.NotErrorIs(b, err, context.Canceled)
		assert.Equal(b, 500*time.Millisecond, b.since())
	})
}

// The longest maxWait there is does not overflow.
func TestLongestMaxWait(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(time.Minute))
		_, err := b.Acquire(b.Context(), get, math.MaxInt64, new(uint64))
		assert.NoError(b, err)
		assert.Equal(b, time.Minute, b.since())
	})
}

// An ended context is seen at once where the endpoint is closed.
func TestEndedContext(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(time.Minute))
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		_, err := b.Acquire(ctx, get, time.Hour, new(uint64))
		assert.ErrorIs(b, err, context.Canceled)
		assert.Zero(b, b.since())
	})
}

// First come first served, also for one who was refused and comes back: it stands where
// it stood.
func TestOrder(t *testing.T) {
	onBench(t, func(b *bench) {
		var first uint64
		p, err := b.Acquire(b.Context(), get, time.Hour, &first)
		require.NoError(b, err)
		require.True(b, b.Confirm(p))
		b.end(p, retryAfter(time.Second))
		var mu sync.Mutex
		var went []int
		join := func(n int, position *uint64) {
			go func() {
				p, err := b.Acquire(b.Context(), get, time.Hour, position)
				require.NoError(b, err)
				mu.Lock()
				went = append(went, n)
				mu.Unlock()
				require.True(b, b.Confirm(p))
				b.end(p, good)
			}()
			synctest.Wait()
		}
		for n := 1; n < 20; n++ {
			join(n, new(uint64))
		}
		join(0, &first)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(b, went, 20)
		assert.True(b, slices.IsSorted(went), "%v", went)
	})
}

// Endpoints that share a window share it first come first served too.
func TestOrderAcrossEndpoints(t *testing.T) {
	onBench(t, func(b *bench) {
		l := newLoad(b.T, &fixedWindow{limit: 8, window: time.Minute, headers: true}, 900*time.Millisecond) // an answer comes before the next call
		var wg sync.WaitGroup
		var windows [40]time.Duration
		for n := range windows {
			wg.Go(func() {
				assert.NoError(b, l.call(b.Context(), b.Throttle, []string{get, post}[n%2], time.Hour))
				windows[n] = b.since().Truncate(time.Minute)
			})
			time.Sleep(time.Second)
		}
		wg.Wait()
		assert.True(b, slices.IsSorted(windows[:]), "%v", windows)
		assert.Equal(b, 4*time.Minute, windows[39])
		assert.LessOrEqual(b, l.refused[get]+l.refused[post], 1)
	})
}

// A waiter that is cancelled leaves at once, and nobody behind it waits longer.
func TestCancelledWaitersHarmNobody(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(10*time.Second))
		ctx, cancel := context.WithCancel(b.Context())
		cancelled := make(chan error)
		done := make(chan time.Duration)
		for i := range 100 {
			if i%2 == 0 {
				go func() {
					_, err := b.Acquire(ctx, get, time.Hour, new(uint64))
					cancelled <- err
				}()
			} else {
				go func() { done <- b.waits(get, good) }()
			}
		}
		time.Sleep(5 * time.Second)
		cancel()
		for range 50 {
			assert.ErrorIs(b, <-cancelled, context.Canceled)
		}
		assert.Equal(b, 5*time.Second, b.since())
		for range 50 {
			assert.Less(b, <-done, 11*time.Second)
		}
		b.idle()
	})
}

// A cancellation that comes with the permit, in the same moment, loses no permit.
func TestCancelMeetsPermit(t *testing.T) {
	for range 50 {
		onBench(t, func(b *bench) {
			b.end(b.send(get), told(200, 1, 0, time.Second))
			ctx, cancel := context.WithCancel(b.Context())
			time.AfterFunc(time.Second, cancel)
			left := make(chan struct{})
			go func() {
				defer close(left)
				if p, err := b.Acquire(ctx, get, time.Hour, new(uint64)); err == nil {
					b.Release(ctx, p, 0, unknown)
				}
			}()
			synctest.Wait()
			assert.Equal(b, time.Second, b.waits(get, good))
			<-left
			b.idle()
		})
	}
}

// The end of maxWait that comes with the permit, in the same moment, loses none either.
func TestMaxWaitMeetsPermit(t *testing.T) {
	for range 50 {
		onBench(t, func(b *bench) {
			b.end(b.send(get), told(200, 1, 0, time.Second))
			p, err := b.Acquire(b.Context(), get, time.Second, new(uint64))
			require.NoError(b, err)
			b.end(p, lost)
			b.idle()
		})
	}
}

// 10,000 calls at once, some of which give up, are served in the time that the limit
// gives, and leave neither goroutine nor waiter behind.
func TestTenThousandWaiters(t *testing.T) {
	before := runtime.NumGoroutine()
	onBench(t, func(b *bench) {
		l := newLoad(b.T, &fixedWindow{limit: 1000, window: time.Second, headers: true}, 10*time.Millisecond)
		require.NoError(b, l.call(b.Context(), b.Throttle, get, time.Hour))
		var wg sync.WaitGroup
		for i := range 10_000 {
			ctx, cancel := context.WithCancel(b.Context())
			if i%10 == 0 {
				time.AfterFunc(rand.N(5*time.Second), cancel)
			}
			wg.Go(func() {
				defer cancel()
				_ = l.call(ctx, b.Throttle, get, time.Hour)
			})
		}
		wg.Wait()
		assert.Equal(b, 10_001, l.passed[get]+l.failed[get])
		assert.GreaterOrEqual(b, l.passed[get], 9000)
		assert.LessOrEqual(b, l.refused[get], 10)
		assert.Less(b, b.since(), 12*time.Second)
		b.idle()
	})
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+1)
}

// While onChange hangs over a closing, others go on. An opening is reported before its callers wake.
func TestNothingWaitsForACallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		th := New(func(c Change) {
			if c.Closed {
				<-hang
			}
		})
		b := &bench{T: t, Throttle: th, start: time.Now()}
		p, q := b.send(get), b.send(get)
		go b.end(p, retryAfter(time.Second))
		synctest.Wait()
		b.end(q, good)
		assert.Equal(t, time.Second, b.waits(get, good))
		b.send(post)
		close(hang)
	})
}

// A call whose context ends as it gets its permit, or its error, takes nothing along.
func TestACallThatEndsAsItMayGo(t *testing.T) {
	for name, a := range map[string]func() answer{
		"permit": func() answer { return told(200, 10, 5, time.Minute) },
		"error":  func() answer { return retryAfter(time.Hour) },
	} {
		for range 50 { // which of the two it sees first is chance
			onBench(t, func(b *bench) {
				b.end(b.send(get), told(200, 10, 1, time.Minute))
				p := b.send(get)
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					if p, err := b.Acquire(ctx, get, time.Minute, new(uint64)); err == nil {
						b.end(p, lost)
					}
				}()
				synctest.Wait()
				cancel()
				b.end(p, a())
				<-done
				b.idle()
			})
			require.False(t, t.Failed(), name)
		}
	}
}

// A permit holds where its endpoint has closed since, and is open again.
func TestAPermitHoldsWhenItsEndpointIsOpenAgain(t *testing.T) {
	for _, later := range []time.Duration{0, time.Second} {
		onBench(t, func(b *bench) {
			other := b.send(get)
			time.Sleep(time.Second)
			p, err := b.Acquire(b.Context(), get, time.Hour, new(uint64))
			require.NoError(b, err)
			b.end(other, retryAfter(2*time.Second))
			time.Sleep(2*time.Second + later)
			assert.True(b, b.Confirm(p))
		})
	}
}

// A call that can wait to the very opening is not rejected.
func TestAWaitToTheOpening(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(3*time.Second))
		_, err := b.Acquire(b.Context(), get, 3*time.Second, new(uint64))
		assert.NoError(b, err)
		assert.Equal(b, 3*time.Second, b.since())
	})
}
