package pipeline

import (
	"context"
	"errors"
)

// deliver hands over the result of a finished visit.
func (s *session) deliver(v *visit) {
	result, endpoint, err := s.result(v)
	if err != nil {
		if s.hard.Err() != nil {
			s.conclude(v, outcome{})
			return
		}
		s.conclude(v, s.fetchOutcome(err, endpoint))
		return
	}
	if s.p.config.DeliverTx != nil {
		err = s.deliverTx(v, result)
	} else {
		err = s.deliverOnce(result)
	}
	switch {
	case errors.Is(err, errLost):
	case err != nil && s.hard.Err() != nil: // cut at the end of the grace
		s.conclude(v, outcome{})
	case err != nil:
		s.p.warn(s.hard, "the delivery failed", err)
		s.conclude(v, outcome{reason: handlerReason("deliver", err), counts: true})
	case s.p.config.DeliverTx == nil:
		_ = s.p.settle(func(ctx context.Context) error {
			_, err := s.p.store.done(ctx, s.p.store.db, v)
			return err
		})
	}
}

// result fetches what was made of a visit. With an error it names the endpoint that gave it.
func (s *session) result(v *visit) (*Result, string, error) {
	r := &Result{Key: v.key, PossibleDuplicate: v.duplicate}
	var err error
	if r.Transcript, err = s.transcript(s.hard, v.transcriptID); err != nil {
		return nil, getTranscript, err
	}
	if v.noteID == 0 {
		return r, "", nil
	}
	if r.Note, err = s.note(s.hard, v.noteID); err != nil {
		return nil, getNote, err
	}
	return r, "", nil
}

func (s *session) deliverOnce(r *Result) error {
	ctx, cancel := s.deliverContext()
	defer cancel()
	_, err := handle(ctx, &s.hung, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.p.config.Deliver(ctx, r)
	})
	return err
}

var errLost = errors.New("pipeline: another process holds the visit")

// deliverTx ends the visit in the transaction that its result is written in. Whatever the database makes of the commit
// is true of both.
func (s *session) deliverTx(v *visit, r *Result) error {
	ctx, cancel := s.deliverContext()
	defer cancel()
	tx, err := s.p.store.begin(ctx, s.p.config.Lease)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	done, err := s.p.store.done(ctx, tx, v)
	switch {
	case err != nil:
		return err
	case !done:
		return errLost
	}
	if _, err := handle(ctx, &s.hung, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.p.config.DeliverTx(ctx, tx, r)
	}); err != nil {
		return err
	}
	return tx.Commit()
}

// deliverContext bounds what a delivery may take at most, its reads included.
func (s *session) deliverContext() (context.Context, context.CancelFunc) {
	if s.p.config.DeliverTx != nil {
		return context.WithTimeout(s.hard, deliverTxTime)
	}
	return context.WithTimeout(s.hard, deliverTime)
}
