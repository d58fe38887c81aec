package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ambient-scribe/ambient-go"
)

// The endpoints, as the shared limits name them. A submit's is its route too.
const (
	postTranscript = "/transcribe"
	postNote       = "/scribe"
	getTranscript  = "GET /transcribe/{id}"
	getNote        = "GET /scribe/{id}"
)

// A session is one Run or Step at work.
type session struct {
	p    *Pipeline
	stop context.Context // ends when nothing new may begin
	hard context.Context // ends when what is past its commit may wait no longer
	poll func(*visit)    // takes a visit that waits for its job; nil to leave it to whoever comes first
	feed func()          // a visit became due
	hung atomic.Int64
}

// bring claims a visit and works on it.
func (s *session) bring(key string) {
	if s.stop.Err() != nil || !s.p.process.take(key) {
		return
	}
	keep := false
	defer func() {
		if !keep {
			s.p.process.drop(key)
		}
	}()
	ctx, cancel := context.WithTimeout(s.stop, statementTime)
	v, err := s.p.store.claim(ctx, key, s.p.process.id)
	cancel()
	if err != nil {
		s.p.process.markDoubtful() // it may be claimed all the same
		return
	}
	if v != nil {
		keep = s.work(v)
	}
}

// work does what the stage of a claimed visit asks for. It reports whether the visit is polled from now on.
func (s *session) work(v *visit) (polled bool) {
	if v.stage == stageDeliver {
		s.deliver(v)
		return false
	}
	return s.submit(v)
}

// submit uploads a visit, or its transcript, and writes what became of it.
func (s *session) submit(v *visit) (polled bool) {
	content, err := s.source(v)
	if err != nil {
		s.conclude(v, s.sourceOutcome(err))
		return false
	}
	if v.stage == stageNote && len(content.TemplateIDs) == 0 {
		s.skipNote(v)
		return false
	}
	x := s.newCrossing(v)
	defer x.end()
	id, duplicate, err := x.submit(content)
	if err != nil {
		s.conclude(v, x.outcome(err))
		return false
	}
	return s.accepted(v, id, duplicate)
}

// source asks the application for the visit.
func (s *session) source(v *visit) (*Visit, error) {
	ctx, cancel := context.WithTimeout(s.stop, sourceTime)
	defer cancel()
	content, err := handle(ctx, &s.hung, func(ctx context.Context) (*Visit, error) {
		return s.p.config.Source.Visit(ctx, v.key)
	})
	if err == nil && content == nil {
		err = errors.New("no visit")
	}
	return content, err
}

func (s *session) sourceOutcome(err error) outcome {
	switch {
	case s.stop.Err() != nil:
		return outcome{}
	case errors.Is(err, fs.ErrNotExist):
		return outcome{verdict: giveUp, reason: "source-missing"}
	}
	s.p.warn(s.stop, "the source failed", err)
	return outcome{reason: handlerReason("source", err), counts: true}
}

// accepted notes the id of a submit that succeeded.
func (s *session) accepted(v *visit, id int64, duplicate bool) (polled bool) {
	owner := ""
	if s.poll != nil && s.stop.Err() == nil {
		owner = s.p.process.id
	}
	accepted := false
	err := s.p.settle(func(ctx context.Context) (err error) {
		accepted, err = s.p.store.accept(ctx, v, id, duplicate, owner)
		return err
	})
	switch {
	case err != nil:
		s.p.log.Error("pipeline: closed before an id was written: adopt it", "key", v.key, "stage", v.stage, "id", id)
		return false
	case !accepted:
		s.p.log.Warn("pipeline: an id came after the visit was submitted again or resolved", "key", v.key, "stage", v.stage, "id", id)
		return false
	case owner == "":
		return false
	}
	if v.stage == stageNote {
		v.noteID = id
	} else {
		v.transcriptID = id
	}
	v.age = 0
	s.poll(v)
	return true
}

// conclude writes what became of a try that did not succeed.
func (s *session) conclude(v *visit, o outcome) {
	_ = s.p.settle(func(ctx context.Context) (err error) {
		switch {
		case o.verdict == giveUp:
			_, err = s.p.store.fail(ctx, v, o.reason)
		case o.verdict == askPerson && s.p.config.Resubmit:
			_, err = s.p.store.resubmit(ctx, v, backoff(v.failures+1), o.reason)
		case o.verdict == askPerson:
			_, err = s.p.store.doubt(ctx, v, o.reason)
		default:
			failures, wait := v.failures, o.wait
			if o.counts {
				failures++
				wait = max(wait, backoff(failures))
			}
			_, err = s.p.store.later(ctx, v, wait, failures, o.reason)
		}
		return err
	})
}

// skipNote goes on with the delivery of a visit without a note.
func (s *session) skipNote(v *visit) {
	skipped := false
	err := s.p.settle(func(ctx context.Context) (err error) {
		skipped, err = s.p.store.skipNote(ctx, v, s.p.process.id)
		return err
	})
	if err == nil && skipped {
		v.stage, v.failures = stageDeliver, 0
		s.deliver(v)
	}
}

// A crossing is one submit on its way. Until its commit it ends with the session; from then on it waits for the answer.
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
	if err := x.s.p.limits.wait(x.ctx, postTranscript); err != nil {
		return 0, false, err
	}
	if err := x.commit(x.ctx); err != nil { // before the request, until a call can do it before its last byte
		return 0, false, err
	}
	sub, err := x.s.p.config.Client.Transcriptions.Submit(x.ctx, &ambient.TranscriptionRequest{
		Audio: content.Audio, PatientName: content.PatientName, DateOfService: content.DateOfService, AdditionalContext: content.AdditionalContext,
	}, x.options()...)
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
	if err := x.s.p.limits.wait(x.ctx, postNote); err != nil {
		return 0, false, err
	}
	if err := x.commit(x.ctx); err != nil { // before the request, until a call can do it before its last byte
		return 0, false, err
	}
	sub, err := x.s.p.config.Client.Scribes.Create(x.ctx, &ambient.ScribeRequest{
		TemplateIDs: content.TemplateIDs, Transcripts: []string{transcript.RawText},
		PatientName: content.PatientName, DateOfService: content.DateOfService, AdditionalContext: content.AdditionalContext,
	}, x.options()...)
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
	case x.stopped, !x.committed && x.s.stop.Err() != nil:
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

// transcript fetches a finished transcription.
func (s *session) transcript(ctx context.Context, id int64) (*ambient.Transcription, error) {
	if err := s.p.limits.wait(ctx, getTranscript); err != nil {
		return nil, err
	}
	return s.p.config.Client.Transcriptions.Get(ctx, id, readOptions()...)
}

func (s *session) note(ctx context.Context, id int64) (*ambient.Scribe, error) {
	if err := s.p.limits.wait(ctx, getNote); err != nil {
		return nil, err
	}
	return s.p.config.Client.Scribes.Get(ctx, id, readOptions()...)
}

// fetchOutcome is always to try later: what was done once is not given up because it cannot be read.
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

// deliverContext bounds what a delivery may take at most, its reads included.
func (s *session) deliverContext() (context.Context, context.CancelFunc) {
	if s.p.config.DeliverTx != nil {
		return context.WithTimeout(s.hard, deliverTxTime)
	}
	return context.WithTimeout(s.hard, deliverTime)
}
