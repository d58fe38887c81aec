package throttle

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// The pause doubles while one request at most passes between two refusals, and is
// halved where more do.
func TestGrowPause(t *testing.T) {
	var r ramp
	passed := func(n int) {
		for range n {
			r.onGranted(0)
			r.onPassed(0)
		}
	}
	want := minPause
	for n := range 9 {
		assert.Equal(t, want, r.growPause())
		want = min(2*want, maxPause)
		passed(n % 2)
	}
	assert.Equal(t, maxPause, r.growPause())
	for want := maxPause / 2; want > minPause; want /= 2 {
		passed(2)
		assert.Equal(t, want, r.growPause())
	}
	passed(1000)
	assert.Equal(t, minPause, r.growPause())
}

// After a pause one request goes first. When it has passed the others follow one by
// one, each some time of its own after the last, and faster as it goes well: waiters do
// not come back in one burst.
func TestOpeningWithoutHeaders(t *testing.T) {
	onBench(t, func(b *bench) {
		b.waits(get, refused)
		at := map[time.Duration]int{}
		for range perGap {
			b.waits(get, good)
			at[b.since()]++
		}
		assert.Greater(b, len(at), perGap/2, "%v", at)
		assert.Greater(b, b.since(), minPause*3/2)
		assert.Less(b, b.since(), 4*minPause)
		first := b.since()
		for range 20 * perGap {
			b.waits(get, good)
		}
		assert.Less(b, b.since()-first, 3*minPause, "with nothing refused the gaps vanish")
	})
}

// So it is after a Retry-After, which does not tell how many may go.
func TestOpeningAfterRetryAfter(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), retryAfter(time.Minute))
		went := make(chan time.Duration, 1000)
		for range 1000 {
			go func() {
				p, err := b.Acquire(b.Context(), get, time.Hour, new(uint64))
				assert.NoError(b, err)
				assert.True(b, b.Confirm(p))
				went <- b.since()
				time.Sleep(100 * time.Millisecond)
				b.end(p, good)
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(b, went, 1)
		time.Sleep(99 * time.Millisecond)
		assert.Len(b, went, 1, "until the first has passed")
		time.Sleep(250 * time.Millisecond)
		assert.Less(b, len(went), 100)
		time.Sleep(10 * time.Second)
		assert.Len(b, went, 1000)
	})
}

// A slow upload that goes first holds the others up for a second, and not until its
// answer.
func TestSlowFirstRequest(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(post), refused)
		time.Sleep(minPause)
		b.send(post)
		assert.Equal(b, counted, b.waits(post, lost))
		assert.Less(b, b.waits(post, lost), 100*time.Millisecond)
	})
}

// A refusal of the first request begins another pause, which that request's wait does
// not add to.
func TestFirstRequestRefused(t *testing.T) {
	onBench(t, func(b *bench) {
		b.end(b.send(get), refused)
		for want := minPause; want < maxPause; want *= 2 {
			assert.Equal(b, want, b.waits(get, refused))
		}
	})
}
