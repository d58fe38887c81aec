package ambient_test

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
)

// A crowd watches how many requests are on their way at once. Those for long ids
// take longer.
type crowd struct {
	*clockwork
	mu        sync.Mutex
	now, most int
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	c.count(1)
	defer c.count(-1)
	time.Sleep(200 * time.Millisecond * time.Duration(len(path.Base(r.URL.Path))))
	return c.clockwork.RoundTrip(r)
}

func (c *crowd) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
}

// However many the jobs, eight requests are in flight at most, and nobody
// starves.
func TestWaitAllHasEightInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clock, _ := newClockwork(t, time.Minute)
		c := &crowd{clockwork: clock}
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: c}))
		require.NoError(t, err)
		var ids []int64
		for id := range int64(100) {
			ids = append(ids, id+1)
		}
		n := 0
		for _, err := range client.Transcriptions.WaitAll(t.Context(), ids) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, 100, n)
		assert.Equal(t, 8, c.most)
		counts := slices.Sorted(maps.Values(clock.polls))
		assert.LessOrEqual(t, counts[len(counts)-1]-counts[0], 3, "%v", counts)
	})
}

// When the loop is left its polls are over, not only cancelled.
func TestLeavingWaitAllWaitsForItsPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, _ := newClockwork(t, 0)
		c := &crowd{clockwork: clock}
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: c}))
		require.NoError(t, err)
		for range client.Transcriptions.WaitAll(t.Context(), []int64{1, 22, 333}) {
			break
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		assert.Zero(t, c.now)
	})
}

// A job that waits costs less than two kilobytes, and no goroutine.
func TestWaitAllOfTenThousand(t *testing.T) {
	jobs := 10_000
	if raceEnabled {
		jobs = 1_000
	}
	synctest.Test(t, func(t *testing.T) {
		clock, client := newClockwork(t, 5*time.Minute)
		ids := make([]int64, jobs)
		for i := range ids {
			ids[i] = int64(i + 1)
			clock.polls[fmt.Sprintf("/v1/ambient/api/transcribe/%d", i+1)] = 0 // its own memory is not what counts
		}
		before := heap()
		goroutines := runtime.NumGoroutine()
		polls, yielded := 0, 0
		var held uint64
		for tr, err := range client.Transcriptions.WaitAll(t.Context(), ids, ambient.WithPollInterval(5*time.Minute, 0), ambient.WithOnPoll(func(ambient.PollEvent) {
			if polls++; polls == jobs { // each has been asked for once, and waits
				held = heap()
				assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+10)
			}
		})) {
			require.NoError(t, err)
			require.True(t, tr.Done())
			yielded++
		}
		assert.Equal(t, jobs, yielded)
		assert.Equal(t, 2*jobs, polls)
		perJob := (int64(held) - int64(before)) / int64(jobs)
		t.Logf("%d bytes a job", perJob)
		assert.Less(t, perJob, int64(2<<10))
	})
}

// heap is what is in use once the garbage is gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what had finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
