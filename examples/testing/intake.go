// Package intake is a small application that gets the recordings of visits
// transcribed and stores the transcripts. It shows how to test such an application.
// In intake_test.go is a test for each point of the vendor's testing guide, in
// virtual time.
//
//	go test -v ./examples/testing
package intake

import (
	"context"
	"errors"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

// A State says what happens to a visit next.
type State string

const (
	New         State = "new"         // to be submitted, not before Visit.NotBefore
	Submitting  State = "submitting"  // being submitted, or the application died while it was
	Submitted   State = "submitted"   // to be waited for, by Visit.JobID
	Transcribed State = "transcribed" // done
	Partial     State = "partial"     // done, but a part of the transcript is missing
	Rejected    State = "rejected"    // for a person: the service cannot use it
	Unclear     State = "unclear"     // for a person: the service may have it, without an id
)

// A Visit is a row of the application's table.
type Visit struct {
	Key               string // the application's own
	Recording         string // path of a file
	State             State
	NotBefore         time.Time
	JobID             int64
	PossibleDuplicate bool // for a person: the service may hold the visit twice
	Transcript        string
}

// A Store keeps visits.
type Store interface {
	Save(ctx context.Context, v Visit) error
}

// An Intake gets visits transcribed.
type Intake struct {
	Client *ambient.Client
	Store  Store
}

// Transcribe takes a visit through its states and saves each one. After an error,
// call Transcribe again later with the same visit. A visit that a person must see is
// no error.
func (in *Intake) Transcribe(ctx context.Context, v Visit) error {
	switch v.State {
	case Submitting: // and the application died before it had an answer
		v.State = Unclear
		return in.save(ctx, v)
	case New:
		// Saved before and after the submit, the state shows after a crash whether
		// the service may have the visit.
		v.State = Submitting
		if err := in.save(ctx, v); err != nil {
			return err
		}
		err := in.submit(ctx, &v)
		if err := errors.Join(err, in.save(ctx, v)); err != nil {
			return err
		}
	}
	if v.State != Submitted {
		return nil
	}
	if err := in.wait(ctx, &v); err != nil {
		return err
	}
	return in.save(ctx, v)
}

// submit uploads a new visit. The SDK makes all retries that are safe.
func (in *Intake) submit(ctx context.Context, v *Visit) error {
	v.State = New // until more is known
	submission, err := in.Client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{
		Audio: ambient.AudioFile(v.Recording),
	})
	if err == nil {
		v.State, v.JobID, v.PossibleDuplicate = Submitted, submission.ID, submission.PossibleDuplicate()
		return nil
	}
	var (
		limited      *ambient.RateLimitError
		unauthorized *ambient.UnauthorizedError
		api          *ambient.APIError
		request      *ambient.RequestError
	)
	switch {
	case ambient.MaybeSubmitted(err): // first, since a retry might make a second job
		v.State = Unclear
		return nil
	case errors.As(err, &limited):
		v.NotBefore = limited.ResetAt
		return err
	case ambient.Retryable(err), errors.As(err, &unauthorized):
		return err // not the visit's fault
	case errors.As(err, &api) && (api.StatusCode == 400 || api.StatusCode == 413 || api.StatusCode == 422),
		errors.As(err, &request) && request.Field == "audio_file":
		v.State = Rejected
		return nil
	}
	return err // of the set-up, or a vault that is down
}

// wait waits for a submitted visit.
func (in *Intake) wait(ctx context.Context, v *Visit) error {
	transcript, err := in.Client.Transcriptions.Wait(ctx, v.JobID)
	var (
		partial *ambient.TranscriptionIncompleteError
		failed  *ambient.TranscriptionFailedError
	)
	switch {
	case err == nil:
		v.State, v.Transcript = Transcribed, transcript.RawText
	case errors.As(err, &partial):
		v.State, v.Transcript = Partial, partial.Transcription.RawText
	case errors.As(err, &failed):
		v.State = Rejected
	default:
		return err // the job goes on, and its id is stored
	}
	return nil
}

// save saves a visit even if ctx has just ended.
func (in *Intake) save(ctx context.Context, v Visit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return in.Store.Save(ctx, v)
}
