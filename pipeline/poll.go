package pipeline

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go"
)

const (
	minPoll = time.Second
	maxPoll = time.Minute
	newJob  = 10 * time.Second // after its submit a job may not be found yet
	pollers = 16               // requests in flight
)

// nextPoll is the wait of a job of some age. It is an eighth of the age, within bounds.
func nextPoll(age time.Duration) time.Duration { return min(max(age/8, minPoll), maxPoll) }

// A poller waits for the jobs of all visits that this process holds. It has them in memory, so that a poll costs the
// database nothing.
type poller struct {
	stop context.Context
	ask  func(v *visit, age time.Duration) (ended bool)

	mu    sync.Mutex
	queue pollQueue
	wake  chan struct{} // a visit came that may be due before the others
}

// A polled visit is due at some time.
type polled struct {
	*visit
	submitted time.Time // by this machine's clock
	due       time.Time
}

type pollQueue []*polled

func (q pollQueue) Len() int           { return len(q) }
func (q pollQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q pollQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *pollQueue) Push(x any)        { *q = append(*q, x.(*polled)) }
func (q *pollQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

func newPoller(stop context.Context, ask func(v *visit, age time.Duration) (ended bool)) *poller {
	return &poller{stop: stop, ask: ask, wake: make(chan struct{}, 1)}
}

// add takes a visit whose first poll is due when it is nextPoll old.
func (p *poller) add(v *visit) {
	now := time.Now()
	p.put(&polled{visit: v, submitted: now.Add(-v.age), due: now.Add(max(minPoll-v.age, 0))})
}

func (p *poller) put(v *polled) {
	p.mu.Lock()
	heap.Push(&p.queue, v)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// next takes the visit that is due, or says when to look again.
func (p *poller) next() (*polled, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(p.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&p.queue).(*polled), 0
}

// run polls until the session stops. What it holds then is let go by the process's end.
func (p *poller) run() {
	slots := make(chan struct{}, pollers)
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		v, wait := p.next()
		if v == nil {
			if !p.rest(wait) {
				return
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-p.stop.Done():
			return
		}
		busy.Go(func() {
			defer func() { <-slots }()
			p.poll(v)
		})
	}
}

func (p *poller) rest(wait time.Duration) (goOn bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.wake:
	case <-p.stop.Done():
		return false
	}
	return true
}

// poll asks for one job, and puts its visit back unless the wait is over.
func (p *poller) poll(v *polled) {
	if p.ask(v.visit, time.Since(v.submitted)) {
		return
	}
	v.due = time.Now().Add(nextPoll(time.Since(v.submitted)))
	p.put(v)
}

// clear forgets all visits, and returns them.
func (p *poller) clear() (all []*visit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.queue {
		all = append(all, v.visit)
	}
	p.queue = nil
	return all
}

// ask polls one visit, and reports whether that ended its wait.
func (s *session) ask(v *visit, age time.Duration) (ended bool) {
	done, jobErr, err := s.job(s.stop, v)
	if err != nil {
		if s.stop.Err() != nil {
			return false
		}
		_, missing := errors.AsType[*ambient.NotFoundError](err)
		if missing && age >= newJob {
			return s.endWait(v, "job-gone")
		}
		if _, limited := errors.AsType[*ambient.RateLimitError](err); limited {
			s.fetchOutcome(err, endpointOf(v))
		}
		return false
	}
	if !done {
		return false
	}
	_, incomplete := errors.AsType[*ambient.TranscriptionIncompleteError](jobErr)
	switch {
	case incomplete:
		return s.endWait(v, "job-incomplete")
	case jobErr != nil:
		return s.endWait(v, "job-failed")
	}
	return s.endWait(v, "")
}

func endpointOf(v *visit) string {
	if v.stage == stageNote {
		return getNote
	}
	return getTranscript
}

// job asks whether the job of a visit has ended, and how.
func (s *session) job(ctx context.Context, v *visit) (done bool, jobErr, err error) {
	if v.stage == stageNote {
		note, err := s.note(ctx, v.noteID)
		if err != nil {
			return false, nil, err
		}
		return note.Done(), note.Err(), nil
	}
	transcript, err := s.transcript(ctx, v.transcriptID)
	if err != nil {
		return false, nil, err
	}
	return transcript.Done(), transcript.Err(), nil
}

// endWait writes how a job ended, as failed with a reason or as done without one.
func (s *session) endWait(v *visit, reason string) bool {
	next := stageNote
	if v.stage == stageNote {
		next = stageDeliver
	}
	_ = s.p.settle(func(ctx context.Context) (err error) {
		if reason != "" {
			_, err = s.p.store.failJob(ctx, v, s.p.process.id, reason)
			return err
		}
		_, err = s.p.store.finish(ctx, v, s.p.process.id, next)
		return err
	})
	if reason == "" {
		s.feed()
	}
	s.p.process.drop(v.key)
	return true
}
