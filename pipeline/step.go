package pipeline

import (
	"context"
	"time"
)

// Step submits a visit, polls it once, or delivers it, and returns after how long to call again, 0 if the visit is Done,
// Failed or Unknown. It is for those who have a scheduler. As in Run, what is past its commit waits for its answer though
// ctx ends. Visits that others work on are left alone.
func (p *Pipeline) Step(ctx context.Context, key string) (again time.Duration, err error) {
	if err := p.config.mayRun(); err != nil {
		return 0, err
	}
	if err := p.enter(); err != nil {
		return 0, err
	}
	defer p.left.Done()
	if again, due, err := p.again(ctx, key); err != nil || !due {
		return again, err
	}
	if err := p.process.join(ctx); err != nil {
		return 0, wrap(err)
	}
	defer p.process.leave()
	s := &session{p: p, stop: ctx, hard: p.life}
	if err := s.step(ctx, key); err != nil {
		return 0, wrap(err)
	}
	again, _, err = p.again(ctx, key)
	return again, err
}

// step works on a visit that is todo, or polls one that is waiting.
func (s *session) step(ctx context.Context, key string) error {
	s.bring(key)
	if !s.p.process.take(key) {
		return nil
	}
	defer s.p.process.drop(key)
	v, err := s.p.store.adoptOne(ctx, key, s.p.process.id)
	if err != nil || v == nil {
		return err
	}
	if v.age >= minPoll && s.ask(v, v.age) {
		return nil
	}
	_, err = s.p.store.letGo(context.WithoutCancel(ctx), key, v.attempt, s.p.process.id)
	return err
}

// again says when the next Step of a visit is due, and whether that is now.
func (p *Pipeline) again(ctx context.Context, key string) (again time.Duration, due bool, err error) {
	at, err := p.store.place(ctx, key)
	switch {
	case err != nil:
		return 0, false, wrap(err)
	case at.state == Done || at.state == Failed || at.state == Unknown:
		return 0, false, nil
	case at.held:
		return time.Second, true, nil // by a process that may be dead
	case at.state == Waiting:
		return nextPoll(at.age), true, nil
	}
	return max(at.wait, time.Millisecond), at.wait <= 0, nil
}
