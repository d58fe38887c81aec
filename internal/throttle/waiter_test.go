package throttle

import (
	"context"
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

// Whoever cannot wait for the reset is told at once, and by what bound.
func TestTooLongIsToldAtOnce(t *testing.T) {
	for _, c := range []struct {
		name     string
		timeout  time.Duration // of the context; 0 = none
		max      time.Duration
		deadline bool
	}{
		{"the context's deadline", 5 * time.Second, time.Hour, true},
		{"the call's patience", 0, 5 * time.Second, false},
		{"patience before a later deadline", time.Hour, 5 * time.Second, false},
		{"no patience", 0, 0, false},
		{"never wait", 0, -1, false},
		{"never wait, with a deadline", time.Hour, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.open()
				b.Leave(b.enter(), retryAfter(10*time.Second))
				ctx := b.Context()
				if c.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
					defer cancel()
				}
				_, err := b.Enter(ctx, c.max, new(uint64))
				var tooLong *TooLongError
				require.ErrorAs(b, err, &tooLong)
				assert.Equal(b, b.start.Add(10*time.Second), tooLong.Until)
				assert.Equal(b, c.deadline, tooLong.Deadline)
				assert.Equal(b, c.deadline, assertIs(err, context.DeadlineExceeded))
				assert.Zero(b, b.since())
				assert.Equal(b, 10*time.Second, b.waits(good), "the gate is as it was")
			})
		})
	}
}

func assertIs(err, target error) bool {
	e, ok := err.(*TooLongError)
	return ok && e.Is(target)
}

// Those who wait already are told when the gate closes for longer than they
// can wait; the others stay.
func TestClosingSendsAwayWhoCannotWait(t *testing.T) {
	onBench(t, func(b *bench) {
		var tickets []Ticket
		for range coldFlight {
			tickets = append(tickets, b.enter())
		}
		short, cancel := context.WithTimeout(b.Context(), 3*time.Second)
		defer cancel()
		errs := make(chan error, 3)
		for _, who := range []struct {
			ctx context.Context
			max time.Duration
		}{{short, time.Hour}, {b.Context(), 3 * time.Second}, {b.Context(), -1}} {
			go func() {
				_, err := b.Enter(who.ctx, who.max, new(uint64))
				errs <- err
			}()
		}
		patient := make(chan time.Duration, 1)
		go func() { patient <- b.waits(good) }()
		synctest.Wait()
		assert.Empty(b, errs)
		b.Leave(tickets[0], retryAfter(10*time.Second))
		for range 3 {
			err := <-errs
			assert.IsType(b, &TooLongError{}, err)
		}
		assert.Zero(b, b.since())
		assert.Equal(b, 10*time.Second, <-patient)
		for _, t := range tickets[1:] {
			b.Leave(t, good)
		}
	})
}

// Where only answers can make room, patience and the deadline still end a wait.
func TestPatienceEndsAWaitForAnswers(t *testing.T) {
	onBench(t, func(b *bench) {
		for range coldFlight {
			b.enter()
		}
		_, err := b.Enter(b.Context(), 3*time.Second, new(uint64))
		var tooLong *TooLongError
		require.ErrorAs(b, err, &tooLong)
		assert.Zero(b, tooLong.Until)
		assert.EqualError(b, err, "the rate limit lasts longer than the call may wait")
		assert.Equal(b, 3*time.Second, b.since())

		ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
		defer cancel()
		_, err = b.Enter(ctx, time.Hour, new(uint64))
		assert.ErrorIs(b, err, context.DeadlineExceeded)
		assert.Equal(b, 5*time.Second, b.since())
	})
}

// First come first served, also for one who was refused and comes back: it
// stands where it stood.
func TestOrder(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		var first uint64
		ticket, err := b.Enter(b.Context(), time.Hour, &first)
		require.NoError(b, err)
		b.Leave(ticket, retryAfter(time.Second))
		var mu sync.Mutex
		var went []int
		join := func(n int, place *uint64) {
			go func() {
				ticket, err := b.Enter(b.Context(), time.Hour, place)
				require.NoError(b, err)
				mu.Lock()
				went = append(went, n)
				mu.Unlock()
				b.Leave(ticket, good)
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

// A waiter that is cancelled leaves at once, and nobody behind it waits longer
// or loses a turn, whenever the cancel comes: also when its ticket is on the
// way.
func TestCancelledWaitersHarmNobody(t *testing.T) {
	onBench(t, func(b *bench) {
		b.open()
		b.Leave(b.enter(), retryAfter(10*time.Second))
		ctx, cancel := context.WithCancel(b.Context())
		cancelled := make(chan error)
		done := make(chan time.Duration)
		for i := range 100 {
			if i%2 == 0 {
				go func() {
					_, err := b.Enter(ctx, time.Hour, new(uint64))
					cancelled <- err
				}()
			} else {
				go func() { done <- b.waits(good) }()
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

// A ticket that comes while its waiter is leaving goes to the next in line.
func TestCancelMeetsTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		b := &bench{T: t, start: time.Now()}
		b.Gate = New(func(c Change) {
			if !c.Closed { // between the ticket and its waiter
				cancel()
				assert.ErrorIs(t, <-left, context.Canceled)
			}
		})
		b.open()
		b.Leave(b.enter(), retryAfter(time.Second))
		go func() {
			_, err := b.Enter(ctx, time.Hour, new(uint64))
			left <- err
		}()
		synctest.Wait()
		assert.Less(t, b.waits(good), 2*time.Second)
		b.idle()
	})
}

// 10,000 calls at once, some of which give up, are served in the time that the
// limit gives, and leave neither goroutine nor waiter behind.
func TestTenThousandWaiters(t *testing.T) {
	before := runtime.NumGoroutine()
	onBench(t, func(b *bench) {
		window := &fixedWindow{limit: 1000, window: time.Second, headers: true}
		var mu sync.Mutex
		var wg sync.WaitGroup
		refusals, served, gaveUp := 0, 0, 0
		for i := range 10_000 {
			ctx, cancel := context.WithCancel(b.Context())
			if i%10 == 0 {
				time.AfterFunc(rand.N(5*time.Second), cancel)
			}
			wg.Go(func() {
				defer cancel()
				var place uint64
				for {
					ticket, err := b.Enter(ctx, time.Hour, &place)
					if err != nil {
						mu.Lock()
						gaveUp++
						mu.Unlock()
						return
					}
					time.Sleep(10 * time.Millisecond)
					mu.Lock()
					ok, info := window.take(time.Now())
					if ok {
						served++
					} else {
						refusals++
					}
					mu.Unlock()
					b.Leave(ticket, Outcome{Answered: true, Refused: !ok, Info: info})
					if ok {
						return
					}
				}
			})
		}
		wg.Wait()
		assert.Equal(b, 10_000, served+gaveUp)
		assert.GreaterOrEqual(b, served, 9000)
		assert.LessOrEqual(b, refusals, 10)
		assert.Less(b, b.since(), 12*time.Second)
		b.idle()
	})
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+1)
}
