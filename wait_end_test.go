package ambient_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// Both services, from submit to each of their ends: what comes back, and as
// which error.
func TestLives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		life []ambienttest.Step
		err  func(*testing.T, error) *ambient.Transcription // what the error hands over
		text string
	}{
		{"completed", ambienttest.TranscriptionCompletes(time.Minute, "hello"), func(t *testing.T, err error) *ambient.Transcription {
			require.NoError(t, err)
			return nil
		}, "hello"},
		{"failed", ambienttest.TranscriptionFails(time.Minute, secret), func(t *testing.T, err error) *ambient.Transcription {
			var failed *ambient.TranscriptionFailedError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, secret, failed.Transcription.ErrorMessage)
			return failed.Transcription
		}, ""},
		{"incomplete", ambienttest.TranscriptionIncomplete(time.Minute, "hel"), func(t *testing.T, err error) *ambient.Transcription {
			var incomplete *ambient.TranscriptionIncompleteError
			require.ErrorAs(t, err, &incomplete)
			return incomplete.Transcription
		}, "hel"},
	} {
		t.Run("transcription "+c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv)
				srv.ScriptTranscription(c.life...)
				var seen []string
				var info ambient.CallInfo
				var progress steps
				tr, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()}, ambient.WithCallInfo(&info), ambient.WithProgress(progress.add),
					ambient.WithOnPoll(func(e ambient.PollEvent) {
						assert.EqualValues(t, 101, e.ID)
						assert.NoError(t, e.Err)
						if len(seen) == 0 || seen[len(seen)-1] != e.Status {
							seen = append(seen, e.Status)
						}
						assert.Equal(t, e.Status == c.life[2].Status, e.Next == 0)
						assert.Equal(t, len(srv.RequestsTo(getRoute)), e.Polls)
					}))
				handed := c.err(t, err)
				tellsNothing(t, err)
				require.NotNil(t, tr, "whatever its end, the transcription is returned")
				if handed != nil {
					assert.Same(t, tr, handed)
				}
				assert.Equal(t, c.text, tr.RawText)
				assert.Equal(t, []string{"DETECTED_FILE", "STT_PROCESSING", c.life[2].Status}, seen)
				assert.True(t, tr.Done())
				assert.EqualValues(t, 101, tr.ID)
				assert.EqualValues(t, 101, tr.Submission.ID)
				assert.Len(t, tr.Submission.Call.Attempts, 1)
				assert.Equal(t, tr.Call.String(), info.String(), "of the last poll")
				assert.NotEmpty(t, progress.sent, "of the submit")

				later, err := client.Transcriptions.Wait(t.Context(), tr.ID)
				c.err(t, err)
				assert.Nil(t, later.Submission, "another call did that")
				once, err := client.Transcriptions.Get(t.Context(), tr.ID)
				require.NoError(t, err, "a bad end is no error of Get")
				c.err(t, once.Err())
			})
		})
	}
	t.Run("scribe completed, regenerated, failed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := newClient(t, srv)
			srv.ScriptScribe(ambienttest.ScribeCompletes(time.Minute, map[string]any{"plan": "rest"})...)
			var seen []string
			scribe, err := client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{visit()}},
				ambient.WithOnPoll(func(e ambient.PollEvent) { seen = append(seen, e.Status) }))
			require.NoError(t, err)
			assert.Equal(t, ambient.ScribeCompleted, scribe.Status)
			assert.JSONEq(t, `{"plan": "rest"}`, string(scribe.Extra["note"]))
			assert.Equal(t, ambient.ScribeInProgress, scribe.Submission.Status)
			assert.Equal(t, "IN_PROGRESS", seen[0])
			assert.Equal(t, "COMPLETED", seen[len(seen)-1])

			srv.ScriptScribe(ambienttest.ScribeFails(time.Minute)...)
			again, err := client.Scribes.RegenerateFromAudio(t.Context(), scribe.ID, []ambient.Audio{visit()})
			require.NoError(t, err)
			assert.Equal(t, scribe.ID, again.ID)
			assert.Equal(t, ambient.ScribeInProgress, again.Status)
			assert.Zero(t, again.SubmittedAt)
			last, err := client.Scribes.Wait(t.Context(), scribe.ID)
			var failed *ambient.ScribeFailedError
			require.ErrorAs(t, err, &failed)
			assert.Same(t, last, failed.Scribe)
			assert.Equal(t, ambient.ScribeFailed, last.Status)
			assert.False(t, ambient.Retryable(err))
			assert.False(t, ambient.MaybeSubmitted(err))
		})
	})
}

// Only the context bounds a wait. Its last interval is cut so that one more poll
// fits, and what that one sees counts.
func TestLastPollFitsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ends  time.Duration // of the job
		delay time.Duration // of each answer
		done  bool
	}{
		{"the job takes longer", time.Hour, 0, false},
		{"the job ends in the last interval", 599 * time.Second, 0, true},
		{"with slow answers", 599 * time.Second, 300 * time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv)
				srv.FaultRange(getRoute, 1, 1000, ambienttest.Fault{Delay: c.delay})
				id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: c.ends}, ambienttest.Step{Status: "STT_COMPLETED"})
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				tr, err := client.Transcriptions.Wait(ctx, id)
				at := polls(srv, start)
				last := at[len(at)-1]
				assert.GreaterOrEqual(t, last, 599*time.Second-c.delay)
				assert.Less(t, last, 10*time.Minute)
				assert.Less(t, time.Since(start), 10*time.Minute, "it ends before, not at the deadline")
				if c.done {
					require.NoError(t, err)
					assert.True(t, tr.Done())
					return
				}
				var ended *ambient.WaitError
				require.ErrorAs(t, err, &ended)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, id, ended.ID)
				assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
				assert.Equal(t, len(at), ended.Polls)
				assert.True(t, ambient.MaybeSubmitted(err), "the job goes on")
			})
		})
	}
}

// The first interval after a submit is trimmed too.
func TestFirstPollFitsBeforeTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) { // a job takes 3 s
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		tr, err := newClient(t, srv).Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: visit()}, ambient.WithPollInterval(time.Minute, time.Minute))
		require.NoError(t, err)
		assert.True(t, tr.Done())
	})
}

var errClosing = errors.New("the clinic closes")

// When the context ends, the wait does, wherever it is; the error is the
// context's, with its cause, and says where to go on.
func TestContextEndsAWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		fault ambienttest.Fault
		polls int
	}{
		"before it begins":      {after: 0},
		"between two polls":     {after: 500 * time.Millisecond, polls: 1},
		"in a poll":             {after: 500 * time.Millisecond, fault: ambienttest.Fault{Delay: time.Hour}, polls: 1},
		"in a poll's backoff":   {after: 10 * time.Second, fault: ambienttest.RetryAfter(503, "60"), polls: 1},
		"in a poll's 429":       {after: 10 * time.Second, fault: ambienttest.RetryAfter(429, "60"), polls: 1},
		"in the body of a poll": {after: 5 * time.Second, fault: ambienttest.Fault{Trickle: time.Second}, polls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv)
				id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
				if c.after > 0 {
					srv.Fault(getRoute, 1, c.fault)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.after == 0 {
					cancel(errClosing)
				}
				time.AfterFunc(c.after, func() { cancel(errClosing) })
				start := time.Now()
				tr, err := client.Transcriptions.Wait(ctx, id)
				assert.Nil(t, tr)
				var ended *ambient.WaitError
				require.ErrorAs(t, err, &ended)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, errClosing)
				assert.Equal(t, id, ended.ID)
				assert.Equal(t, c.polls, ended.Polls)
				assert.False(t, ambient.Retryable(err))
				assert.Equal(t, c.after, time.Since(start))
				synctest.Wait()
				n := len(srv.Requests())
				time.Sleep(time.Hour)
				assert.Len(t, srv.Requests(), n, "nothing goes on")
			})
		})
	}
}

// A rate limit that lasts beyond the deadline ends a wait at once; one that
// lasts beyond the call's patience does not, for only the context bounds a wait.
func TestRateLimitInAWait(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		srv.Fault(getRoute, 1, limited("Retry-After", "1200"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := client.Transcriptions.Wait(ctx, id)
		var ended *ambient.WaitError
		var limit *ambient.RateLimitError
		require.ErrorAs(t, err, &ended)
		require.ErrorAs(t, err, &limit)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, time.Since(start))

		_, err = client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, 20*time.Minute, time.Since(start).Truncate(time.Minute))
	})
}

// Whatever goes wrong after the submit, the error has the id: without it the
// job would be lost.
func TestErrorsAfterTheSubmitHaveTheID(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]func(srv *ambienttest.Server, cancel func()){
		"the context ends":  func(_ *ambienttest.Server, cancel func()) { time.AfterFunc(5*time.Second, cancel) },
		"with the answer":   func(_ *ambienttest.Server, cancel func()) { time.AfterFunc(time.Nanosecond, cancel) },
		"a poll is refused": func(srv *ambienttest.Server, _ func()) { srv.Fault("*", 3, ambienttest.Answer(403)) },
		"a poll is no JSON": func(srv *ambienttest.Server, _ func()) { srv.Fault("*", 3, ambienttest.ProxyHTML(200)) },
		"polls are not answered": func(srv *ambienttest.Server, _ func()) {
			srv.FaultRange("*", 3, 1000, ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
		},
		"the token is revoked": func(srv *ambienttest.Server, _ func()) {
			srv.FaultRange("*", 3, 1000, ambienttest.Answer(401))
		},
	} {
		for _, kind := range []string{"transcription", "scribe"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					plan(srv, cancel)
					var err error
					client := newClient(t, srv)
					if kind == "scribe" {
						srv.ScriptScribe(ambienttest.Step{Status: "IN_PROGRESS"})
						_, err = client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
					} else {
						srv.ScriptTranscription(ambienttest.Step{Status: "STT_PROCESSING"})
						_, err = client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: visit()})
					}
					var ended *ambient.WaitError
					require.ErrorAs(t, err, &ended)
					assert.EqualValues(t, 101, ended.ID)
					assert.ErrorContains(t, err, "101")
					assert.True(t, ambient.MaybeSubmitted(err))
				})
			})
		}
	}
}

// A doubt of the submit is not lost when the wait for it ends early: the service
// may have a second job, under an id that nobody knows.
func TestWaitErrorTellsOfADuplicate(t *testing.T) {
	for _, maybe := range []bool{false, true} {
		inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := newClient(t, srv)
			for _, route := range []string{"POST /transcribe", "POST /scribe"} {
				srv.Fault(route, 1, ambienttest.Fault{Status: 504, Process: maybe, Early: !maybe})
			}
			large := ambient.AudioBytes("visit.mp3", announcedVisit()) // announced, so that an early 504 leaves it unsent
			soon := func() context.Context {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				t.Cleanup(cancel)
				return ctx
			}
			_, transcription := client.Transcriptions.SubmitAndWait(soon(), &ambient.TranscriptionRequest{Audio: large})
			_, scribe := client.Scribes.CreateAndWait(soon(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{large}})
			for _, err := range []error{transcription, scribe} {
				ended, ok := errors.AsType[*ambient.WaitError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, maybe, ended.PossibleDuplicate())
				assert.Equal(t, maybe, strings.Contains(err.Error(), "may have been submitted twice"), err.Error())
			}
		})
	}
}

// A submit that fails is that error alone: there is no job to wait for.
func TestErrorsOfTheSubmitAreItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		plan(srv, ambienttest.Answer(422))
		_, err := newClient(t, srv).Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()})
		var invalid *ambient.ValidationError
		require.ErrorAs(t, err, &invalid)
		var ended *ambient.WaitError
		assert.False(t, errors.As(err, &ended))
		srv.AssertCount(t, getRoute, 0)
	})
}
