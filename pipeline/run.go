package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Run works on visits until ctx ends. Then it starts nothing new, cuts uploads that are not past their commit, and
// waits for the answers to those that are, and for deliveries, but not longer than grace. What has no answer by then is
// left Unknown. It returns nil, and may be called again. A database that is away is waited for. It is ErrInUse where
// another process runs on a SQLite file, and an error where this Pipeline runs already or lacks a Client, Source or Deliver.
func (p *Pipeline) Run(ctx context.Context, grace time.Duration) error {
	if err := p.config.mayRun(); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	defer p.left.Done()
	if !p.running.CompareAndSwap(false, true) {
		return errors.New("pipeline: runs already")
	}
	defer p.running.Store(false)
	joined, err := p.join(ctx)
	if !joined {
		return err
	}
	p.run(ctx, grace)
	return nil
}

// enter begins what Close waits for.
func (p *Pipeline) enter() error {
	p.closing.Lock()
	defer p.closing.Unlock()
	if p.life.Err() != nil {
		return errClosed
	}
	p.left.Add(1)
	return nil
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

// run is one session, from its start to the end of its grace.
func (p *Pipeline) run(ctx context.Context, grace time.Duration) {
	stop, cancelStop := context.WithCancel(ctx)
	defer cancelStop()
	defer context.AfterFunc(p.life, cancelStop)()
	hard, cancelHard := context.WithCancel(p.life)
	s := &session{p: p, stop: stop, hard: hard, due: make(chan struct{}, 1)}
	s.polls = newPoller(stop, s.ask)
	p.process.onLapse(s.forgetPolls)
	var all sync.WaitGroup
	all.Go(s.polls.run)
	all.Go(s.river)

	<-stop.Done()
	ended := make(chan struct{})
	p.left.Go(func() {
		defer close(ended)
		defer cancelHard()
		all.Wait()
		p.process.onLapse(nil)
		s.forgetPolls()
		p.process.leave()
	})
	if !endsWithin(ended, grace) {
		cancelHard()
		// What is cut now has an outcome at once, and needs but a moment to write it. Where the database is away, it is
		// written for as long as the pipeline is open.
		endsWithin(ended, closeTime)
	}
}

func endsWithin(ended <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

// forgetPolls drops what is polled, which is free for others once this process counts as dead, or has left.
func (s *session) forgetPolls() {
	for _, v := range s.polls.clear() {
		s.p.process.drop(v.key)
	}
}

// river runs River, and feeds it, until the session stops and River's workers have returned. They end when their
// submits do, which the session bounds.
func (s *session) river() {
	client, err := s.startRiver()
	if err != nil {
		return
	}
	s.tend(client)
	_ = client.Stop(s.p.writes)
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
func (s *session) tend(client *river.Client[*sql.Tx]) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.look(client); err != nil && s.stop.Err() == nil {
			s.p.process.markDoubtful()
			s.p.databaseFailed(s.stop, err)
		}
		select {
		case <-tick.C:
		case <-s.due:
		case <-s.stop.Done():
			return
		}
	}
}

func (s *session) look(client *river.Client[*sql.Tx]) error {
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
		if more, err = s.p.store.feed(ctx, client, s.p.config.Lease); err != nil {
			return err
		}
	}
	visits, err := s.p.store.adopt(ctx, s.p.process.id)
	if err != nil {
		return err
	}
	for _, v := range visits {
		if s.p.process.take(v.key) {
			s.polls.add(v)
		}
	}
	return s.p.limits.refresh(ctx)
}
