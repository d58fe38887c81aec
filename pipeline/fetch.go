package pipeline

import (
	"context"
	"errors"

	"github.com/ambient-scribe/ambient-go"
)

// The endpoints, as the shared limits name them. That of a submit is its route too.
const (
	postTranscript = "/transcribe"
	postNote       = "/scribe"
	getTranscript  = "GET /transcribe/{id}"
	getNote        = "GET /scribe/{id}"
)

// readOptions let a request be tried once, and wait for no limit within its call. What follows is for the pipeline to
// decide, and for all processes.
func readOptions() []ambient.CallOption {
	return []ambient.CallOption{ambient.WithMaxAttempts(1), ambient.WithMaxLimitWait(-1)}
}

// transcript fetches a finished transcription.
func (s *session) transcript(ctx context.Context, id int64) (*ambient.Transcription, error) {
	return call(ctx, s.p.limits, getTranscript, func() (*ambient.Transcription, error) {
		return s.p.config.Client.Transcriptions.Get(ctx, id, readOptions()...)
	})
}

func (s *session) note(ctx context.Context, id int64) (*ambient.Scribe, error) {
	return call(ctx, s.p.limits, getNote, func() (*ambient.Scribe, error) {
		return s.p.config.Client.Scribes.Get(ctx, id, readOptions()...)
	})
}

// fetchOutcome is always to try later. A job that is done is not given up because it cannot be read.
func (s *session) fetchOutcome(err error, endpoint string) outcome {
	o := submitOutcome(err, "")
	if o.reason == "rate-limited" {
		s.p.limits.refused(s.hard, endpoint, o.wait)
		return o
	}
	if api, ok := errors.AsType[*ambient.NotFoundError](err); ok && api.APIError != nil {
		return outcome{reason: "job-gone", counts: true}
	}
	return outcome{reason: "fetch-failed", counts: true}
}
