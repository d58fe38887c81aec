package conformance_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// randomFault is a way in which a submit may go wrong, or none.
func randomFault(r *rand.Rand) ambienttest.Fault {
	statuses := []int{400, 401, 404, 408, 409, 422, 425, 429, 500, 501, 502, 503, 504, 520}
	resets := []ambienttest.Reset{ambienttest.ResetBeforeRead, ambienttest.ResetMidBody, ambienttest.ResetAfterRead, ambienttest.ResetMidResponse}
	switch r.IntN(4) {
	case 0:
		f := ambienttest.Answer(statuses[r.IntN(len(statuses))])
		f.Early = r.IntN(3) == 0
		return f
	case 1:
		return ambienttest.Fault{Reset: resets[r.IntN(len(resets))]}
	case 2: // the job is made, and the answer says something else or is lost
		if r.IntN(2) == 0 {
			return ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead}
		}
		f := ambienttest.ProxyHTML([]int{500, 502, 504}[r.IntN(3)])
		f.Process = true
		return f
	}
	return ambienttest.Fault{}
}

// Whatever goes wrong, a caller knows what the service may have. A success without a
// possible duplicate has made exactly one job. An error without MaybeSubmitted has made
// none. RetrySafe never makes two.
func TestNoVisitIsSubmittedUnnoticed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			srv := ambienttest.NewInMemory() // most of the faults are never reached
			defer srv.Close()
			r := rand.New(rand.NewPCG(seed, 1))
			policy := ambient.SubmitRetry(r.IntN(2))
			client := harness.NewClient(t, srv, ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: policy, MaxLimitWait: time.Hour}))
			var faults []ambienttest.Fault
			for n := 1; n <= 12; n++ {
				f := randomFault(r)
				faults = append(faults, f)
				if f.Status != 0 || f.Reset != ambienttest.NoReset {
					srv.Fault("POST /transcribe", n, f)
				}
			}
			sub, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.AudioOf("")})

			made := 0
			arrived := srv.RequestsTo("POST /transcribe")
			for i, request := range arrived {
				f := faults[i]
				untouched := f.Status == 0 && (f.Reset == ambienttest.NoReset || f.Reset == ambienttest.ResetMidResponse)
				if request.Complete && (f.Process || untouched) {
					made++
				}
			}
			if policy == ambient.RetrySafe {
				assert.LessOrEqual(t, made, 1, "seed %d", seed)
			}
			switch {
			case err != nil && !ambient.MaybeSubmitted(err):
				assert.Zero(t, made, "seed %d: %v", seed, err)
			case err == nil && !sub.PossibleDuplicate():
				assert.Equal(t, 1, made, "seed %d", seed)
			case err == nil:
				assert.Positive(t, made, "seed %d", seed)
			}
		})
	}
}

// A 2xx says that the job was taken, even if it comes before the whole upload
// has left, as a gateway may answer.
func TestAnEarlySuccessMayHaveBeenTaken(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]ambienttest.Fault{
		"unusable":           {Status: 202, Early: true, Body: `{"transcription_id"`},
		"cut off":            {Status: 202, Early: true, Body: `{"transcription_id": 1}`, Truncate: true},
		"see the other page": {Status: 303, Early: true},
		"as it should be":    {Status: 202, Early: true, Body: `{"transcription_id": 1}`}, // of a recording that never left
	} {
		for _, policy := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
			t.Run(name, func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					client := harness.NewClient(t, srv, ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: policy}))
					for n, audio := range []ambient.Audio{
						ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit()),
						ambient.AudioReader("visit.mp3", harness.ReaderAt(harness.ShortVisit())), // in chunks
					} {
						srv.Fault(harness.SubmitRoute, n+1, fault)
						_, err := harness.SubmitOf(t.Context(), client, audio)
						assert.Error(t, err)
						assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
						srv.AssertCount(t, harness.SubmitRoute, n+1) // not repeated
					}
				})
			})
		}
	}
}

// net/http sends a POST with this header again by itself when a kept connection
// is lost, whatever had been sent by then.
func TestARepetitionByTheTransportIsNoticed(t *testing.T) {
	for _, submits := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
		leavesNothing(t)
		srv := start(t, ambienttest.NewServer)
		srv.Fault(harness.SubmitRoute, 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
		client := harness.NewClient(t, srv, ambient.WithHeader("Idempotency-Key", "synthetic"), harness.Policy(ambient.RetryPolicy{Submits: submits}))
		require.NoError(t, client.Authenticate(t.Context())) // on the connection that is lost
		sub, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		if submits == ambient.RetrySafe {
			assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
			srv.AssertCount(t, harness.SubmitRoute, 1)
			continue
		}
		require.NoError(t, err)
		assert.Len(t, sub.Call.Attempts, 1)
		assert.True(t, sub.PossibleDuplicate())
		srv.AssertCount(t, harness.SubmitRoute, 2)
	}
	leavesNothing(t)
	srv := start(t, ambienttest.NewServer)
	srv.Fault(harness.SubmitRoute, 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
	srv.Fault(harness.SubmitRoute, 2, ambienttest.Answer(422))
	client := harness.NewClient(t, srv, ambient.WithHeader("Idempotency-Key", "synthetic"))
	require.NoError(t, client.Authenticate(t.Context()))
	_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
	assert.True(t, harness.IsA[*ambient.ValidationError](err), "%v", err)
	assert.True(t, ambient.MaybeSubmitted(err), "the first was taken")
}

// The transport repeats a request without a body too, and opens nothing that this SDK
// could count.
func TestARepetitionWithoutABodyIsNoticed(t *testing.T) {
	for _, submits := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
		leavesNothing(t)
		srv := start(t, ambienttest.NewServer)
		srv.Fault("*", 2, ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
		srv.Fault("*", 3, ambienttest.Fault{Status: 202})
		client := harness.NewClient(t, srv, ambient.WithHeader("Idempotency-Key", "synthetic"), harness.Policy(ambient.RetryPolicy{Submits: submits}))
		require.NoError(t, client.Authenticate(t.Context())) // on the connection that is lost
		var info ambient.CallInfo
		err := client.Do(t.Context(), "POST", "/scribe/7/approve", nil, nil, ambient.WithCallInfo(&info))
		assert.Len(t, info.Attempts, 1)
		assert.True(t, info.PossibleDuplicate() || ambient.MaybeSubmitted(err), "%v", err)
		if submits == ambient.RetryDocumented {
			assert.NoError(t, err)
		}
	}
}

// Do reports a possible duplicate as the typed methods do.
func TestDoTellsOfADuplicate(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		for n, maybe := range []bool{true, false} {
			var told harness.Events
			fault := ambienttest.RetryAfter(429, "1")
			if maybe {
				fault = ambienttest.Fault{Status: 502, Process: true}
			}
			srv.Fault("*", 3*n+2, fault)
			srv.Fault("*", 3*n+3, ambienttest.Fault{Status: 202})
			var info ambient.CallInfo
			require.NoError(t, harness.NewClient(t, srv, ambient.WithObserver(told.Observe)).Do(t.Context(), "POST", "/transcribe", nil, nil, ambient.WithCallInfo(&info)))
			assert.Len(t, info.Attempts, 2)
			assert.Equal(t, maybe, info.PossibleDuplicate())
			assert.Equal(t, maybe, len(told.Of(ambient.EventPossibleDuplicate)) == 1)
		}
	})
}
