package ambient_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// polls are the times of the polls so far, since start.
func polls(srv *ambienttest.Server, start time.Time) (at []time.Duration) {
	for _, r := range srv.RequestsTo(getRoute) {
		at = append(at, r.Time.Sub(start))
	}
	return at
}

// The interval is an eighth of the job's age, 10 % more or less, within the
// bounds. The age is that of the server, whose clock may be another one.
func TestPollInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		min, max time.Duration // 0 = the default
		skew     time.Duration
		before   time.Duration // age of the job when the wait begins
		tells    bool          // created_at
	}{
		{"the defaults", 0, 0, 0, 0, true},
		{"a job of another process", 0, 0, 0, 4 * time.Minute, true},
		{"a server that is an hour ahead", 0, 0, time.Hour, 4 * time.Minute, true},
		{"a server that is an hour behind", 0, 0, -time.Hour, 4 * time.Minute, true},
		{"a server that tells no time: from the wait on", 0, 0, 0, 4 * time.Minute, false},
		{"bounds of the caller", 3 * time.Second, 7 * time.Second, 0, 0, true},
		{"a minimum above the maximum", 90 * time.Second, 0, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv)
				submitted := time.Now()
				fields := map[string]any{"created_at": submitted.Add(c.skew)}
				if !c.tells {
					fields["created_at"] = nil
				}
				id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 20 * time.Minute, Fields: fields}, ambienttest.Step{Status: "STT_COMPLETED"})
				srv.SetRateLimit(ambienttest.RateLimit{ClockSkew: c.skew})
				time.Sleep(c.before)
				var opts []ambient.WaitOption
				low, high := time.Second, time.Minute
				if c.min+c.max > 0 {
					opts = append(opts, ambient.WithPollInterval(c.min, c.max))
					low = c.min
					high = max(c.max, c.min)
				}
				_, err := client.Transcriptions.Wait(t.Context(), id, opts...)
				require.NoError(t, err)
				began := submitted
				if !c.tells {
					began = submitted.Add(c.before)
				}
				at := polls(srv, began)
				for i := 1; i < len(at)-1; i++ {
					// Date has whole seconds, so the age is up to one less.
					least := min(max((at[i-1]-time.Second)/8, low), high) * 9 / 10
					most := min(max(at[i-1]/8, low), high) * 11 / 10
					gap := at[i] - at[i-1]
					assert.GreaterOrEqual(t, gap, max(least, low), "after %v", at[i-1])
					assert.LessOrEqual(t, gap, min(most, high), "after %v", at[i-1])
				}
			})
		})
	}
}

// Waiters that started together do not poll together for ever. Below the
// minimum a jitter is cut off, one in two at first, so it takes some polls.
func TestPollsAreJittered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		seen := map[time.Duration]bool{}
		for range 20 {
			id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 10 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
			n, start := len(srv.RequestsTo(getRoute)), time.Now()
			_, err := client.Transcriptions.Wait(t.Context(), id)
			require.NoError(t, err)
			seen[polls(srv, start)[n+9]] = true
		}
		assert.Greater(t, len(seen), 18)
	})
}

// What a wait costs, and how late it is: the bounds that the package promises.
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
				_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()})
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
