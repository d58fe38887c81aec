package ambient_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// Each job is yielded as it ends, whatever the order of the ids; one that is
// named twice is yielded once.
func TestWaitAllYieldsEachAsItEnds(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		const jobs = 8
		life := func(i int) time.Duration { return 10 * time.Second << (jobs - i) } // the polls of old jobs are far apart
		ids := harness.SubmitMany(t, srv, client, jobs, life)
		var got []int64
		start := time.Now()
		for tr, err := range client.Transcriptions.WaitAll(t.Context(), append(slices.Clone(ids), ids...)) {
			require.NoError(t, err)
			got = append(got, tr.ID)
			assert.Equal(t, strconv.FormatInt(tr.ID-ids[0], 10), tr.RawText)
			lives := life(int(tr.ID - ids[0]))
			assert.Less(t, time.Since(start)-lives, lives/5)
		}
		slices.Reverse(got)
		assert.Equal(t, ids, got)
	})
}

// Whatever becomes of a job, it is yielded with its id and one of the errors of
// a wait; the others go on.
func TestWaitAllErrors(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		completes := harness.SubmitLife(t, srv, client, ambienttest.TranscriptionCompletes(time.Minute, "hello")...)
		fails := harness.SubmitLife(t, srv, client, ambienttest.TranscriptionFails(time.Minute, harness.Secret)...)
		incomplete := harness.SubmitLife(t, srv, client, ambienttest.TranscriptionIncomplete(time.Minute, "hel")...)
		const missing = 1 // the least id that there can be
		got := map[int64]error{}
		for tr, err := range client.Transcriptions.WaitAll(t.Context(), []int64{completes, fails, 0, completes, 0, incomplete, missing, -5}) {
			require.NotNil(t, tr)
			assert.NotContains(t, got, tr.ID)
			got[tr.ID] = err
			harness.TellsNothing(t, err)
			if tr.ID == incomplete {
				assert.Equal(t, "hel", tr.RawText)
			}
		}
		assert.Len(t, got, 6)
		assert.NoError(t, got[completes])
		assert.IsType(t, &ambient.TranscriptionFailedError{}, got[fails])
		assert.IsType(t, &ambient.TranscriptionIncompleteError{}, got[incomplete])
		var ended *ambient.WaitError
		require.ErrorAs(t, got[missing], &ended)
		assert.Equal(t, int64(missing), ended.ID)
		var notFound *ambient.NotFoundError
		assert.ErrorAs(t, got[missing], &notFound)
		assert.IsType(t, &ambient.RequestError{}, got[0])
		assert.IsType(t, &ambient.RequestError{}, got[-5])
	})
}

// No job has an id below 1, so a wait for one never begins. A WaitError would ask for
// another wait.
func TestWaitsOfWrongIDsAreRefused(t *testing.T) {
	srv := ambienttest.StartInMemory(t)
	polled := func(ambient.PollEvent) { t.Error("polled") }
	var events harness.Events
	client := harness.NewClient(t, srv, ambient.WithObserver(events.Observe))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		for _, id := range []int64{0, -1, math.MinInt64} {
			tr, err := client.Transcriptions.Wait(ctx, id, ambient.WithOnPoll(polled))
			assert.Nil(t, tr)
			assert.Equal(t, "ambient: transcription_id: must be 1 or more", fmt.Sprint(err))
			assert.IsType(t, &ambient.RequestError{}, err)

			scribe, err := client.Scribes.Wait(ctx, id, ambient.WithOnPoll(polled))
			assert.Nil(t, scribe)
			assert.Equal(t, "ambient: scribe_id: must be 1 or more", fmt.Sprint(err))
			assert.IsType(t, &ambient.RequestError{}, err)

			yielded := 0
			for tr, err := range client.Transcriptions.WaitAll(ctx, []int64{id, id}, ambient.WithOnPoll(polled)) {
				yielded++
				assert.Equal(t, id, tr.ID)
				assert.IsType(t, &ambient.RequestError{}, err)
			}
			for scribe, err := range client.Scribes.WaitAll(ctx, []int64{id, 0}, ambient.WithOnPoll(polled)) {
				yielded++
				assert.Equal(t, id, scribe.ID)
				assert.IsType(t, &ambient.RequestError{}, err)
				break
			}
			assert.Equal(t, 2, yielded)
		}
	}
	srv.AssertCount(t, "*", 0)
	assert.Empty(t, events.All())
}

func TestWaitAllOfScribes(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		var ids []int64
		for range 3 {
			sub, err := client.Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
			require.NoError(t, err)
			ids = append(ids, sub.ID)
		}
		srv.ScriptScribe(ambienttest.ScribeFails(time.Second)...)
		_, err := client.Scribes.RegenerateFromAudio(t.Context(), ids[1], []ambient.Audio{harness.Visit()})
		require.NoError(t, err)
		var info ambient.CallInfo
		polled := map[int64]int{}
		ended := 0
		const missing = 1 // the least id that there can be
		for scribe, err := range client.Scribes.WaitAll(t.Context(), append(ids, missing), ambient.WithCallInfo(&info), ambient.WithOnPoll(func(e ambient.PollEvent) { polled[e.ID]++ })) {
			ended++
			assert.NotEmpty(t, info.Attempts)
			switch scribe.ID {
			case ids[1]:
				assert.IsType(t, &ambient.ScribeFailedError{}, err)
			case missing:
				assert.IsType(t, &ambient.WaitError{}, err)
			default:
				assert.NoError(t, err)
			}
		}
		assert.Equal(t, 4, ended)
		assert.Len(t, polled, 4)
	})
}

func TestWaitAllOfNothing(t *testing.T) {
	srv := ambienttest.StartInMemory(t)
	for range harness.NewClient(t, srv).Transcriptions.WaitAll(t.Context(), nil) {
		t.Error("there is nothing to yield")
	}
	srv.AssertCount(t, "*", 0)
}

// Eight polls are in flight at once, and no more.
func TestWaitAllPollsEightAtOnce(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		ids := harness.SubmitMany(t, srv, client, 36, func(int) time.Duration { return 0 })
		srv.FaultRange(harness.GetRoute, 1, len(ids), ambienttest.Fault{Delay: time.Second})
		start := time.Now()
		for _, err := range client.Transcriptions.WaitAll(t.Context(), ids) {
			require.NoError(t, err)
		}
		assert.Equal(t, 5*time.Second, time.Since(start))
	})
}

// The loop may be left at any time, by break or by return of the loop's
// function: what is in flight is cancelled and over when the loop is, and
// nothing goes on. The bubble would find a goroutine left behind.
func TestWaitAllLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	const jobs = 9 // one more than are in flight at once
	for _, delay := range []time.Duration{0, 3 * time.Second} {
		for leaveAt := 1; leaveAt <= jobs; leaveAt++ {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				ids := harness.SubmitMany(t, srv, client, jobs, func(i int) time.Duration { return time.Duration(i/2) * 2 * time.Second })
				srv.FaultRange(harness.GetRoute, 1, 10_000, ambienttest.Fault{Delay: delay})
				all := client.Transcriptions.WaitAll(t.Context(), ids)
				n := 0
				for range all {
					if n++; n == leaveAt {
						break
					}
				}
				assert.Equal(t, leaveAt, n)
				synctest.Wait()
				sent := len(srv.Requests())
				time.Sleep(time.Hour)
				assert.Len(t, srv.Requests(), sent)

				if leaveAt != 5 {
					return
				}
				n = 0 // the iterator can be used again, and begins anew
				for tr, err := range all {
					assert.NoError(t, err)
					assert.True(t, tr.Done())
					n++
				}
				assert.Equal(t, jobs, n)
			})
		}
	}
}

// When the context ends, each job that has not ended is yielded once, with the
// context's error and cause, wherever its poll is; also there one can leave. An
// observer sees the end of each wait, yielded or not.
func TestContextEndsWaitAll(t *testing.T) {
	t.Parallel()
	const jobs = 12
	for _, delay := range []time.Duration{0, 10 * time.Second} {
		for _, leaveAt := range []int{jobs + 1, 3, 7} {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var told harness.Events
				client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
				ids := harness.SubmitMany(t, srv, client, jobs, func(i int) time.Duration { return time.Duration(i/2) * time.Hour })
				srv.FaultRange(harness.GetRoute, jobs+1, 10_000, ambienttest.Fault{Delay: delay})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(20*time.Second, func() { cancel(errClosing) })
				start := time.Now()
				yielded := map[int64]error{}
				for tr, err := range client.Transcriptions.WaitAll(ctx, ids) {
					assert.NotContains(t, yielded, tr.ID)
					yielded[tr.ID] = err
					if tr.ID < ids[2] {
						assert.NoError(t, err)
					} else {
						var ended *ambient.WaitError
						require.ErrorAs(t, err, &ended)
						assert.Equal(t, tr.ID, ended.ID)
						assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
						assert.Positive(t, ended.Polls)
						assert.ErrorIs(t, err, context.Canceled)
						assert.ErrorIs(t, err, errClosing)
						assert.Equal(t, 20*time.Second, time.Since(start))
					}
					if len(yielded) == leaveAt {
						break
					}
				}
				assert.Len(t, yielded, min(leaveAt, jobs))
				over := told.Of(ambient.EventJob)
				assert.Len(t, over, jobs)
				for _, e := range over {
					if err, ok := yielded[e.ID]; ok {
						assert.Equal(t, err, e.Err)
					} else {
						assert.ErrorIs(t, e.Err, context.Canceled)
					}
				}
			})
		}
	}
}

// A deadline is that of each job: all get their last poll before it.
func TestDeadlineEndsWaitAll(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		ids := harness.SubmitMany(t, srv, client, 10, func(i int) time.Duration { return time.Duration(i%2) * time.Hour })
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var last = map[int64]time.Duration{}
		var ended, yielded int
		for tr, err := range client.Transcriptions.WaitAll(ctx, ids, ambient.WithOnPoll(func(e ambient.PollEvent) { last[e.ID] = time.Since(start) })) {
			yielded++
			if err != nil {
				ended++
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.GreaterOrEqual(t, last[tr.ID], 299*time.Second)
			}
		}
		assert.Equal(t, 10, yielded)
		assert.Equal(t, 5, ended)
	})
}
