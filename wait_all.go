package ambient

import (
	"container/heap"
	"context"
	"iter"
	"time"
)

// maxPolls is how many polls of one WaitAll are in flight at most.
const maxPolls = 8

// waitAll is one loop over a heap of jobs by the time of their next poll. Polls
// run in goroutines of their own, maxPolls at most, and are over when the loop
// returns.
func (w *waiter[T]) waitAll(ctx context.Context, ids []int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		a := &allWaiter[T]{waiter: w, results: make(chan pollResult[T], maxPolls)}
		ctx, cancel := context.WithCancel(ctx)
		defer a.drain()
		defer cancel()
		for _, id := range a.beginAll(ctx, ids) {
			if _, err := a.get(ctx, id); !yield(a.empty(id), err) {
				return
			}
		}
		for a.due.Len()+a.inFlight > 0 && ctx.Err() == nil {
			a.start()
			p, ok := a.next(ctx)
			if !ok {
				continue
			}
			if job, err, done := a.resolve(p); done && !yield(job, err) {
				return
			}
		}
		a.yieldRest(ctx, yield)
	}
}

// beginAll begins the wait for each id, once. All are due now, so in heap order. It
// returns the ids below 1, which get refuses.
func (a *allWaiter[T]) beginAll(ctx context.Context, ids []int64) (refused []int64) {
	now := time.Now()
	seen := make(map[int64]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if id < 1 {
			refused = append(refused, id)
			continue
		}
		k := &pollState{id: id, call: a.client.nextCall(), started: now, due: now}
		a.begin(ctx, k)
		a.due = append(a.due, k)
	}
	return refused
}

type allWaiter[T job] struct {
	*waiter[T]
	due      dueHeap
	results  chan pollResult[T]
	inFlight int
}

// start starts the polls that are due.
func (a *allWaiter[T]) start() {
	for a.inFlight < maxPolls && a.due.Len() > 0 && !a.due[0].due.After(time.Now()) {
		k := heap.Pop(&a.due).(*pollState)
		a.inFlight++
		go func() {
			p := pollResult[T]{state: k, began: time.Now(), err: errGoexit}
			defer func() {
				p.panicked = recover()
				a.results <- p
			}()
			p = a.poll(k)
		}()
	}
}

// next waits for a poll to end, or for the next to be due.
func (a *allWaiter[T]) next(ctx context.Context) (p pollResult[T], ok bool) {
	var due <-chan time.Time
	if a.inFlight < maxPolls && a.due.Len() > 0 {
		due = time.After(time.Until(a.due[0].due))
	}
	select {
	case p = <-a.results:
		a.inFlight--
		return p, true
	case <-due:
	case <-ctx.Done():
	}
	return p, false
}

// resolve takes a poll in. A job that goes on is put back into the heap. A panic of a
// poll surfaces here, where the caller can recover, as from Wait.
func (a *allWaiter[T]) resolve(p pollResult[T]) (job T, err error, done bool) {
	err, done = errPanicked, true
	defer func() {
		if done {
			a.finish(p.state, err)
		}
	}()
	if p.panicked != nil {
		panic(p.panicked)
	}
	if job, err, done = a.handlePoll(p); !done {
		heap.Push(&a.due, p.state)
		return job, err, false
	}
	var none T
	if job == none {
		job = a.empty(p.state.id)
	}
	return job, err, true
}

// yieldRest yields what is left when the context has ended. The polls in flight may
// still bring a result. All other jobs are unfinished.
func (a *allWaiter[T]) yieldRest(ctx context.Context, yield func(T, error) bool) {
	for a.inFlight > 0 {
		p := <-a.results
		a.inFlight--
		if job, err, done := a.resolve(p); done && !yield(job, err) {
			return
		}
	}
	for len(a.due) > 0 {
		k := a.due[0]
		a.due = a.due[1:]
		err := k.waitError(contextError(ctx))
		a.finish(k, err)
		if !yield(a.empty(k.id), err) {
			return
		}
	}
}

// drain waits for the polls in flight, which the end of their context ends. Their
// results and panics are dropped. The waits for the jobs that are left end here.
func (a *allWaiter[T]) drain() {
	for ; a.inFlight > 0; a.inFlight-- {
		p := <-a.results
		a.due = append(a.due, p.state)
	}
	if !a.client.observed() {
		return
	}
	for _, k := range a.due {
		a.finish(k, k.waitError(context.Canceled))
	}
}

// A dueHeap orders jobs by the time of their next poll.
type dueHeap []*pollState

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*pollState)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	k := (*h)[last]
	*h = (*h)[:last]
	return k
}
