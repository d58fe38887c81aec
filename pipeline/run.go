package pipeline

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Run works on visits until ctx ends. Then it starts nothing new, cuts uploads that are not past their commit, and
// waits for the answers to those that are, and for deliveries, but not longer than grace: what has no answer by then is
// left Unknown. It returns nil, and may be called again. A database that is away is waited for. It is ErrInUse where
// another process runs on a SQLite file, and an error where this Pipeline runs already or lacks a Client, Source or Deliver.
func (p *Pipeline) Run(ctx context.Context, grace time.Duration) error {
	if err := p.config.mayRun(); err != nil {
		return err
	}
	if err := p.begin(); err != nil {
		return err
	}
	defer p.finished()
	joined, err := p.join(ctx)
	if !joined {
		return err
	}
	p.run(ctx, grace)
	return nil
}

func (p *Pipeline) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.life.Err() != nil:
		return errClosed
	case p.running:
		return errors.New("pipeline: runs already")
	}
	p.running = true
	p.left.Add(1)
	return nil
}

func (p *Pipeline) finished() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	p.left.Done()
}

var errClosed = errors.New("pipeline: closed")

// join registers the process, as soon as the database lets it. It is false without an error if ctx ended first.
func (p *Pipeline) join(ctx context.Context) (bool, error) {
	for {
		err := p.process.join(ctx)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, ErrInUse):
			return false, err
		case p.life.Err() != nil:
			return false, errClosed
		}
		p.databaseFailed(ctx, err)
		if sleep(ctx, time.Second) != nil {
			return false, nil
		}
	}
}

func (p *Pipeline) run(ctx context.Context, grace time.Duration) {
	stop, cancelStop := context.WithCancel(ctx)
	defer cancelStop()
	hard, cancelHard := context.WithCancel(p.life)
	s := &session{p: p, stop: stop, hard: hard}
	polls := newPoller(s)
	s.poll = polls.add
	p.process.onLapse(polls.letGo)
	due := make(chan struct{}, 1)
	s.feed = func() {
		select {
		case due <- struct{}{}:
		default:
		}
	}
	defer context.AfterFunc(p.life, cancelStop)()
	var all sync.WaitGroup
	all.Go(polls.run)
	all.Go(func() { s.river(due, polls) })

	<-stop.Done()
	ended := make(chan struct{})
	p.left.Go(func() {
		defer close(ended)
		defer p.process.leave()
		defer cancelHard()
		all.Wait()
		p.process.onLapse(nil)
		polls.letGo()
	})
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
		return
	case <-timer.C:
		cancelHard()
	}
	// What is cut now has an outcome at once, and needs but a moment to write it. Where the database is away, it is
	// written for as long as the pipeline is open.
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
	}
}

// river runs River, and feeds it, until the session stops and River's workers have returned.
func (s *session) river(due <-chan struct{}, polls *poller) {
	client, err := s.startRiver()
	if err != nil {
		return
	}
	s.tend(client, due, polls)
	// Workers end when their submits do, which the session bounds.
	_ = client.Stop(context.WithoutCancel(s.stop))
}

// startRiver makes a client and starts it, as soon as the database lets it.
func (s *session) startRiver() (*river.Client[*sql.Tx], error) {
	for {
		client, err := s.newRiver()
		if err == nil {
			err = client.Start(context.WithoutCancel(s.stop))
		}
		if err == nil {
			return client, nil
		}
		s.p.databaseFailed(s.stop, err)
		if err := sleep(s.stop, time.Second); err != nil {
			return nil, err
		}
	}
}

// tend feeds River and the poller with what comes from other processes, every second or when something becomes due here.
func (s *session) tend(client *river.Client[*sql.Tx], due <-chan struct{}, polls *poller) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.look(client, polls); err != nil && s.stop.Err() == nil {
			s.p.process.markDoubtful()
			s.p.databaseFailed(s.stop, err)
		}
		select {
		case <-tick.C:
		case <-due:
		case <-s.stop.Done():
			return
		}
	}
}

func (s *session) look(client *river.Client[*sql.Tx], polls *poller) error {
	ctx, cancel := context.WithTimeout(s.stop, statementTime)
	defer cancel()
	for more := true; more; {
		found, err := s.p.store.anyDue(ctx)
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if more, err = s.p.store.feed(ctx, client); err != nil {
			return err
		}
	}
	visits, err := s.p.store.adopt(ctx, s.p.process.id)
	if err != nil {
		return err
	}
	for _, v := range visits {
		if s.p.process.take(v.key) {
			polls.add(v)
		}
	}
	return s.p.limits.refresh(ctx)
}

// letGo forgets what is polled: the process's end frees it for others.
func (p *poller) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.queue {
		p.s.p.process.drop(v.key)
	}
	p.queue = nil
}

// Drain is Run until no visit is Todo, Sent or Waiting: those that are left are done, failed, or need a person. It
// returns the error of ctx if that ends first.
func (p *Pipeline) Drain(ctx context.Context) error {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(run, p.config.Lease) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return cmp.Or(err, ctx.Err(), errClosed)
		case <-tick.C:
		}
		if left, err := p.unfinished(run); err == nil && !left {
			cancel()
			return <-ended
		}
	}
}

func (p *Pipeline) unfinished(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	return p.store.unfinished(ctx)
}

// Step takes a visit one step on: it submits it, polls it once, or delivers it, and returns after how long to call again,
// 0 if the visit is Done, Failed or Unknown. It is for those who have a scheduler, and does what Run does: what is past
// its commit waits for its answer though ctx ends. Visits that others work on are left alone.
func (p *Pipeline) Step(ctx context.Context, key string) (again time.Duration, err error) {
	if err := p.config.mayRun(); err != nil {
		return 0, err
	}
	if again, due, err := p.again(ctx, key); err != nil || !due {
		return again, err
	}
	if err := p.process.join(ctx); err != nil {
		return 0, wrap(err)
	}
	defer p.process.leave()
	s := &session{p: p, stop: ctx, hard: p.life, feed: func() {}}
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
	if v.age >= minPoll && s.poll1(ctx, v, v.age) {
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
