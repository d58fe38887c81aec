package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
)

// A session is one Run or Step at work.
type session struct {
	p     *Pipeline
	stop  context.Context // ends when nothing new may begin
	hard  context.Context // ends when what is past its commit may wait no longer
	polls *poller         // nil in a Step, which leaves a waiting visit to others
	due   chan struct{}   // tells the feeder that a visit became due
	hung  atomic.Int64    // handlers that were left behind
}

// feed wakes the feeder, if there is one.
func (s *session) feed() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// bring claims a visit and works on it.
func (s *session) bring(key string) {
	if s.stop.Err() != nil || !s.p.process.take(key) {
		return
	}
	polled := false
	defer func() {
		if !polled {
			s.p.process.drop(key)
		}
	}()
	ctx, cancel := context.WithTimeout(s.stop, statementTime)
	v, err := s.p.store.claim(ctx, key, s.p.process.id)
	cancel()
	switch {
	case err != nil:
		s.p.process.markDoubtful() // the visit may be claimed all the same
	case v == nil: // it is not due, or another process has it
	case v.stage == stageDeliver:
		s.deliver(v)
	default:
		polled = s.submit(v)
	}
}

// submit uploads a visit, or its transcript, and writes what became of it. It reports whether the visit is polled from
// now on.
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
	ctx, cancel := context.WithTimeout(s.stop, s.p.sourceTime)
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
	if s.polls != nil && s.stop.Err() == nil {
		owner = s.p.process.id
	}
	accepted := false
	err := s.p.settle(func(ctx context.Context) (err error) {
		accepted, err = s.p.store.accept(ctx, v, id, duplicate, owner)
		return err
	})
	switch {
	case err != nil:
		s.p.log.Error("pipeline: closed before the id was written, which a person must adopt", s.p.logAttrs(v, id)...)
		return false
	case !accepted:
		s.p.log.Warn("pipeline: the id came after the visit was submitted again or resolved", s.p.logAttrs(v, id)...)
		return false
	case owner == "":
		return false
	}
	v.setJob(id)
	s.polls.add(v)
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
