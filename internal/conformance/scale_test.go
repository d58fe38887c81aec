package conformance_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A clockwork answers polls without a server. Each job is in progress until its end.
type clockwork struct {
	mu    sync.Mutex
	began time.Time
	ends  time.Duration
	polls map[string]int // by path
}

func (c *clockwork) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.polls[r.URL.Path]++
	c.mu.Unlock()
	status := "STT_PROCESSING"
	if time.Since(c.began) >= c.ends {
		status = "STT_COMPLETED"
	}
	body := fmt.Sprintf(`{"id": %s, "task_status": %q, "raw_text": null, "created_at": %q}`, path.Base(r.URL.Path), status, c.began.Format(time.RFC3339Nano))
	if r.Method == http.MethodPost {
		body = `{"transcription_id": 7}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func newClockwork(t testing.TB, ends time.Duration, opts ...ambient.Option) (*clockwork, *ambient.Client) {
	c := &clockwork{began: time.Now(), ends: ends, polls: map[string]int{}}
	client, err := ambient.NewClient(append(opts, ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: c}))...)
	require.NoError(t, err)
	return c, client
}

// The number of polls of a wait and its lag stay within the bounds that the package
// promises.
func TestPollsAndLag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		job   time.Duration
		polls int
		waits int // enough for a steady mean
	}{{30 * time.Second, 20, 1500}, {20 * time.Minute, 60, 100}} {
		if raceEnabled {
			c.waits /= 20
		}
		var lag time.Duration
		for range c.waits {
			synctest.Test(t, func(t *testing.T) {
				clock, client := newClockwork(t, c.job)
				_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
				require.NoError(t, err)
				lag += time.Since(clock.began) - c.job
				for route, polls := range clock.polls {
					assert.LessOrEqual(t, polls, c.polls, route)
				}
			})
		}
		mean := lag / time.Duration(c.waits)
		t.Logf("a job of %v: mean lag %v", c.job, mean.Round(10*time.Millisecond))
		if !raceEnabled {
			assert.LessOrEqual(t, mean, max(time.Second, c.job*7/100))
		}
	}
}

// A window is a server's limit without a server.
type window struct {
	*clockwork
	mu            sync.Mutex
	limit, used   int
	start         time.Time
	took, refused int
}

func (w *window) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(5 * time.Millisecond)
	w.mu.Lock()
	if start := time.Now().Truncate(time.Second); !start.Equal(w.start) {
		w.start, w.used = start, 0
	}
	ok := w.used < w.limit
	if ok {
		w.used++
		w.took++
	} else {
		w.refused++
	}
	left := w.limit - w.used
	w.mu.Unlock()
	resp, err := w.clockwork.RoundTrip(r)
	resp.Header.Set("Ratelimit-Limit", strconv.Itoa(w.limit))
	resp.Header.Set("Ratelimit-Remaining", strconv.Itoa(left))
	resp.Header.Set("Ratelimit-Reset", "1")
	if !ok {
		resp.StatusCode = 429
	}
	return resp, err
}

// Ten thousand calls at once are all served, in the limit's time, with hardly
// any refused, where one call before them has shown the limit.
func TestTenThousandCallsAtOnce(t *testing.T) {
	t.Parallel()
	calls := 10_000
	if raceEnabled {
		calls = 1_000
	}
	synctest.Test(t, func(t *testing.T) {
		clock, _ := newClockwork(t, 0)
		w := &window{clockwork: clock, limit: calls / 10}
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: w}))
		require.NoError(t, err)
		_, err = client.Transcriptions.Get(t.Context(), 7)
		require.NoError(t, err)
		start := time.Now()
		for _, err := range harness.Callers(calls, func() error { _, err := client.Transcriptions.Get(t.Context(), 7); return err }) {
			require.NoError(t, err)
		}
		assert.Equal(t, calls+1, w.took)
		assert.LessOrEqual(t, w.refused, calls/100)
		assert.LessOrEqual(t, time.Since(start), 13*time.Second)
	})
}

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

// However many jobs there are, at most eight requests are in flight, and every job is
// polled.
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

// tape is a recording of any length that takes no memory.
type tape struct{}

var tapeEnd = harness.Pattern(64 << 10)

func (tape) ReadAt(p []byte, off int64) (int, error) {
	if off < int64(len(harness.HeadMP3)) {
		return copy(p, harness.HeadMP3[off:]), nil
	}
	return copy(p, tapeEnd[off%int64(len(tapeEnd)):]), nil
}

// An upload takes the memory of its buffers, whatever its size, also when it is
// sent twice. What is allocated in all, on either side, bounds what is held.
func TestUploadsAreNotHeldInMemory(t *testing.T) {
	size := int64(32 << 20)
	if raceEnabled {
		size /= 4
	}
	srv := ambienttest.Start(t)
	client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	require.NoError(t, client.Authenticate(t.Context()))
	harness.Plan(srv, ambienttest.Answer(503), ambienttest.Fault{}, ambienttest.Fault{Status: 503, Early: true})
	for _, audio := range []ambient.Audio{
		ambient.AudioReaderAt("visit.mp3", tape{}, size), // sent twice
		ambient.AudioReader("visit.mp3", io.NewSectionReader(tape{}, 0, size)),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := harness.SubmitOf(t.Context(), client, audio)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20), "%v", audio)
	}
	for _, r := range srv.RequestsTo(harness.SubmitRoute) {
		if r.Status == 202 {
			assert.EqualValues(t, size, r.Files[0].Size)
		}
	}
}
