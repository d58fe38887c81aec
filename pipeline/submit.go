package pipeline

import (
	"context"
	"errors"
	"sync"

	"github.com/ambient-scribe/ambient-go"
)

// A crossing is one submit on its way. Until its commit it ends with the session. From then on it waits for the answer.
type crossing struct {
	s      *session
	v      *visit
	ctx    context.Context
	cancel context.CancelFunc
	unhook func() bool

	mu        sync.Mutex
	committed bool // or about to be
	refused   bool // the commit failed: the request was cut
	stopped   bool
}

var errNoCommit = errors.New("pipeline: the visit is not this process's any more")

func (s *session) newCrossing(v *visit) *crossing {
	x := &crossing{s: s, v: v}
	x.ctx, x.cancel = context.WithCancel(s.hard)
	x.unhook = context.AfterFunc(s.stop, x.stop)
	return x
}

func (x *crossing) end() {
	x.unhook()
	x.cancel()
}

// stop cuts an upload that is not past its commit.
func (x *crossing) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.committed {
		x.stopped = true
		x.cancel()
	}
}

// commit is called before the last byte of the request leaves.
func (x *crossing) commit(ctx context.Context) error {
	x.mu.Lock()
	if x.stopped {
		x.mu.Unlock()
		return context.Canceled
	}
	x.committed = true
	x.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	ok, err := x.s.p.store.commit(ctx, x.v, x.s.p.process.id)
	if err == nil && !ok {
		err = errNoCommit
	}
	if err != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.refused = true
	}
	return err
}

func (x *crossing) options() []ambient.CallOption {
	return append(readOptions(), ambient.WithCommit(x.commit))
}

// submit makes the call. A panic of the application's audio is an error.
func (x *crossing) submit(content *Visit) (id int64, duplicate bool, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if x.v.stage == stageTranscript {
		return x.submitTranscript(content)
	}
	return x.submitNote(content)
}

func (x *crossing) submitTranscript(content *Visit) (int64, bool, error) {
	sub, err := call(x.ctx, x.s.p.limits, postTranscript, func() (*ambient.TranscriptionSubmission, error) {
		return x.s.p.config.Client.Transcriptions.Submit(x.ctx, &ambient.TranscriptionRequest{
			Audio: content.Audio, PatientName: content.PatientName, DateOfService: content.DateOfService, AdditionalContext: content.AdditionalContext,
		}, x.options()...)
	})
	if err != nil {
		return 0, false, err
	}
	return sub.ID, sub.PossibleDuplicate(), nil
}

func (x *crossing) submitNote(content *Visit) (int64, bool, error) {
	transcript, err := x.s.transcript(x.ctx, x.v.transcriptID)
	if err != nil {
		return 0, false, &notReady{err}
	}
	sub, err := call(x.ctx, x.s.p.limits, postNote, func() (*ambient.ScribeSubmission, error) {
		return x.s.p.config.Client.Scribes.Create(x.ctx, &ambient.ScribeRequest{
			TemplateIDs: content.TemplateIDs, Transcripts: []string{transcript.RawText},
			PatientName: content.PatientName, DateOfService: content.DateOfService, AdditionalContext: content.AdditionalContext,
		}, x.options()...)
	})
	if err != nil {
		return 0, false, err
	}
	return sub.ID, sub.PossibleDuplicate(), nil
}

// notReady is a failure before the submit, whose own rules are not the submit's.
type notReady struct{ err error }

func (e *notReady) Error() string { return "the transcript cannot be fetched" }

// outcome decides what follows from a submit that failed.
func (x *crossing) outcome(err error) outcome {
	x.mu.Lock()
	defer x.mu.Unlock()
	route := postTranscript
	if x.v.stage == stageNote {
		route = postNote
	}
	missing, fetching := errors.AsType[*notReady](err)
	switch {
	case ambient.MaybeSubmitted(err):
		return outcome{verdict: askPerson, reason: "no-answer"}
	case !x.committed && x.s.stop.Err() != nil:
		return outcome{}
	case x.refused:
		return outcome{reason: "not-committed", counts: true}
	case fetching:
		return x.s.fetchOutcome(missing.err, getTranscript)
	case errors.Is(err, errPanic) && x.committed:
		return outcome{verdict: askPerson, reason: "no-answer"}
	case errors.Is(err, errPanic):
		return outcome{reason: "audio-panicked", counts: true}
	}
	o := submitOutcome(err, route)
	if o.reason == "rate-limited" {
		x.s.p.limits.refused(x.s.hard, route, o.wait)
	}
	return o
}
