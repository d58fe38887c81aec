package throttle

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An endpoint of which nothing is known lets everything go, however slow the answers
// are, and however short a call can wait.
func TestNothingKnown(t *testing.T) {
	onBench(t, func(b *bench) {
		for range 64 {
			b.send(post)
		}
		time.Sleep(time.Minute)
		for range 64 {
			_, err := b.Acquire(b.Context(), post, -1, new(uint64))
			assert.NoError(b, err)
		}
		b.send(get)
	})
}

// A 429 closes its endpoint until the reset, to the moment.
func TestClosing(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func() answer
		want   time.Duration
	}{
		{"Retry-After", func() answer { return retryAfter(7 * time.Second) }, 7 * time.Second},
		{"reset", func() answer { return told(429, 100, 0, 7*time.Second) }, 7 * time.Second},
		{"reset without a count", func() answer { return told(429, -1, -1, 7*time.Second) }, 7 * time.Second},
		{"reset of a limit of 0", func() answer { return told(429, 0, 0, 7*time.Second) }, 7 * time.Second},
		{"the later of the two where they differ", func() answer {
			a := told(429, 100, 0, 50*time.Second)
			a.info.RetryAfter = time.Now().Add(7 * time.Second)
			return a
		}, 50 * time.Second},
		{"the more exact of the two where they agree", func() answer {
			a := told(429, 100, 0, 6300*time.Millisecond)
			a.info.RetryAfter = time.Now().Add(7 * time.Second)
			return a
		}, 6300 * time.Millisecond},
		{"reset of 0", func() answer { return retryAfter(0) }, minClosed},
		{"reset in the past", func() answer { return told(429, 100, 0, -time.Hour) }, minClosed},
		{"nothing", func() answer { return refused }, minPause},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				p := b.send(get)
				time.Sleep(50 * time.Millisecond)
				b.end(p, c.answer())
				assert.Equal(b, c.want, b.waits(get, good))
				changes := b.seen()
				require.Len(b, changes, 2)
				assert.True(b, changes[0].Closed)
				assert.Equal(b, get, changes[0].Endpoint)
				assert.Equal(b, 1, changes[0].Waiting, "the refused call")
				assert.Equal(b, b.start.Add(50*time.Millisecond+c.want), changes[0].Until)
				assert.False(b, changes[1].Closed)
				assert.Equal(b, get, changes[1].Endpoint)
			})
		})
	}
}

// No refusal of an endpoint holds up another one.
func TestEndpointsDoNotHoldEachOtherUp(t *testing.T) {
	for _, a := range []answer{refused, retryAfter(time.Hour), told(429, 5, 0, time.Hour), told(429, -1, 0, time.Hour), told(200, 5, 0, time.Hour)} {
		onBench(t, func(b *bench) {
			b.end(b.send(get), told(200, 1000, 999, time.Minute))
			a.info.Reset = b.start.Add(time.Hour)
			b.end(b.send(post), a)
			for range 100 {
				b.end(b.send(get), told(200, 1000, 900, time.Minute))
			}
			for n := range 100 {
				b.end(b.send(fmt.Sprint("GET /", n)), good)
			}
		})
	}
}

// A server that refuses again and again with a reset that has passed is asked less and
// less often. Successes of other endpoints change nothing of that, and one of its own
// ends it.
func TestPastResetsDoNotSpin(t *testing.T) {
	onBench(t, func(b *bench) {
		past := retryAfter(-time.Minute)
		want := minClosed
		b.waits(post, past)
		for range 12 {
			b.end(b.send(get), good)
			assert.Equal(b, want, b.waits(post, past))
			want = min(2*want, maxPause)
		}
		assert.Equal(b, maxPause, b.waits(post, good))
		b.waits(post, past)
		assert.Equal(b, minClosed, b.waits(post, good))
	})
}

// A refusal of a request that was on its way before the endpoint closed says nothing
// new, and neither does a success.
func TestLateAnswers(t *testing.T) {
	for _, apart := range []time.Duration{0, 10 * time.Millisecond} {
		onBench(t, func(b *bench) {
			var permits []*Permit
			for range 20 {
				permits = append(permits, b.send(get))
			}
			time.Sleep(apart)
			for i, p := range permits {
				if b.end(p, retryAfter(time.Second+time.Duration(i)*time.Minute)); i == 10 {
					b.end(p, good)
				}
			}
			assert.Equal(b, time.Second, b.waits(get, good), "%v apart", apart)
			assert.Len(b, b.seen(), 2)

			// Nor does it make the next pause longer.
			b.waits(get, refused)
			assert.Equal(b, 2*minPause, b.waits(get, good), "the second refusal")
		})
	}
}

// An answer of 500 or more comes from who knows whom, and opens nothing.
func TestServerErrorsOpenNothing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(10*time.Hour))
		time.Sleep(closingProbe)
		for range 3 {
			b.end(b.send(get), answer{503, unknown})
			assert.Equal(b, closingProbe, b.waits(get, lost))
			time.Sleep(closingProbe)
		}
		b.end(b.send(get), answer{404, unknown})
		b.end(b.send(get), good)
	})
}

// A closing by a 429 is tried after 15 minutes and every 15 minutes, not before. What
// the answer says is believed.
func TestProbeOfAClosing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(24*time.Hour))
		assert.Equal(b, closingProbe, b.waits(get, refused), "a refusal that says nothing")
		assert.Equal(b, 2*minPause, b.waits(get, retryAfter(24*time.Hour)))
		assert.Equal(b, closingProbe, b.waits(get, retryAfter(24*time.Hour)))
		assert.Equal(b, closingProbe, b.waits(get, lost), "no answer is no news")
		assert.Equal(b, closingProbe, b.waits(get, good))
		b.send(get)
	})
}

// The reset alone decides whether a wait can end in time. Whoever comes when a probe is
// due is the probe, and only one is.
func TestTheResetAloneDecides(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(24*time.Hour))
		for range 14 {
			time.Sleep(time.Minute)
			assert.Equal(b, b.start.Add(24*time.Hour), b.rejected(get, 20*time.Minute).Until)
		}
		time.Sleep(time.Minute)
		probe, err := b.Acquire(b.Context(), get, -1, new(uint64))
		require.NoError(b, err)
		assert.True(b, b.Confirm(probe))
		b.rejected(get, 20*time.Minute)
		b.end(probe, good)
		b.send(get)
	})
}

// An unused permit to probe is the next call's.
func TestUnusedProbe(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(24*time.Hour))
		time.Sleep(closingProbe)
		p, err := b.Acquire(b.Context(), get, time.Hour, new(uint64))
		require.NoError(b, err)
		b.end(p, lost)
		b.send(get)
		b.rejected(get, time.Hour)
	})
}

// A reset that is a year away, as one in milliseconds that is read as seconds, does not
// stop a client for a year.
func TestNoClosingLastsForEver(t *testing.T) {
	for name, c := range map[string]struct {
		answer func() answer
		want   time.Duration
	}{
		"Retry-After":        {func() answer { return retryAfter(1000 * time.Hour) }, closingProbe},
		"reset on a refusal": {func() answer { return told(429, 100, 0, 1000*time.Hour) }, closingProbe},
		"reset on a success": {func() answer { return told(200, 100, 0, 1000*time.Hour) }, windowProbe},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.end(b.send(get), c.answer())
				assert.Equal(b, c.want, b.waits(get, good))
				b.send(get)
			})
		})
	}
}

// A permit is confirmed after a wait for something else. It does not hold if its
// endpoint has closed in that time. The call keeps its place.
func TestConfirm(t *testing.T) {
	for name, closing := range map[string]answer{"a refusal": refused, "a header": told(200, 9, 0, time.Second)} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				first := b.send(get)
				var position uint64
				p, err := b.Acquire(b.Context(), get, time.Hour, &position)
				require.NoError(b, err)
				time.Sleep(10 * time.Millisecond)
				closing.info.Reset = time.Now().Add(time.Second)
				b.end(first, closing)
				assert.False(b, b.Confirm(p))

				went := make(chan uint64, 10)
				for range 5 {
					go func() {
						var position uint64
						p, err := b.Acquire(b.Context(), get, time.Hour, &position)
						assert.NoError(b, err)
						went <- position
						assert.True(b, b.Confirm(p))
						b.end(p, good)
					}()
				}
				synctest.Wait()
				p, err = b.Acquire(b.Context(), get, time.Hour, &position)
				require.NoError(b, err)
				assert.Less(b, len(went), 5)
				assert.True(b, b.Confirm(p))
				b.end(p, good)
				time.Sleep(time.Minute)
				synctest.Wait()
				close(went)
				for other := range went {
					assert.Greater(b, other, position)
				}
				b.idle()
			})
		})
	}
}

// What a Change tells of who waits, and whose call it was.
func TestChanges(t *testing.T) {
	type key struct{}
	onBench(t, func(b *bench) {
		ctx := context.WithValue(b.Context(), key{}, "the first")
		ctx, cancel := context.WithCancel(ctx)
		p, q := b.send(get), b.send(get)
		b.Release(ctx, p, 200, told(200, 9, 0, time.Minute).info)
		b.Release(b.Context(), q, 200, told(200, 9, 0, time.Minute).info)
		cancel()
		for range 3 {
			go b.waits(get, good)
		}
		synctest.Wait()
		b.rejected(get, time.Second)
		time.Sleep(time.Minute)
		changes := b.seen()
		require.Len(b, changes, 2)
		for i, want := range []Change{{Endpoint: get, Closed: true, Until: b.start.Add(time.Minute)}, {Endpoint: get, Waiting: 3}} {
			assert.Equal(b, "the first", changes[i].Context.Value(key{}))
			assert.NoError(b, changes[i].Context.Err())
			assert.Equal(b, want.Waiting, changes[i].Waiting)
			assert.Equal(b, want.Closed, changes[i].Closed)
		}
		assert.Equal(b, b.start.Add(time.Minute), changes[0].Until)
	})
}

// Routes that a caller makes up do not fill the memory.
func TestManyEndpoints(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(time.Minute))
		waited := make(chan time.Duration)
		go func() { waited <- b.waits(get, good) }()
		synctest.Wait()
		for i := range 5000 {
			b.end(b.send(fmt.Sprint("GET /", i)), told(200, int64(i), 7, time.Hour))
		}
		assert.LessOrEqual(b, len(b.endpoints), 500)
		assert.Equal(b, time.Minute, <-waited, "an endpoint with waiters stays")
	})
}

// The opening is reported at its moment, and no timer runs where nobody waits.
func TestOpeningIsReportedAtOnce(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), good)
		assert.Nil(b, b.timer)
		b.end(b.send(get), retryAfter(3*time.Second))
		assert.Equal(b, 3*time.Second, b.waits(get, good))
		changes := b.seen()
		require.Len(b, changes, 2)
		assert.True(b, changes[0].Closed)
		assert.False(b, changes[1].Closed)
		assert.Equal(b, 3*time.Second, b.since())
	})
}
