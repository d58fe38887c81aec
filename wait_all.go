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
		a := &allWaiter[T]{waiter: w, due: w.watchAll(ids), polled: make(chan polled[T], maxPolls)}
		ctx, cancel := context.WithCancel(ctx)
		defer a.drain()
		defer cancel()
		for a.due.Len()+a.inFlight > 0 && ctx.Err() == nil {
			a.start(ctx)
			p, ok := a.next(ctx)
			if !ok {
				continue
			}
			if job, err, done := a.settle(ctx, p); done && !yield(job, err) {
				return
			}
		}
		a.giveUp(ctx, yield)
	}
}

// watchAll starts a watch for each id, once.
func (w *waiter[T]) watchAll(ids []int64) dueHeap {
	now := time.Now()
	seen := make(map[int64]bool, len(ids))
	watches := make(dueHeap, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			watches = append(watches, &watch{id: id, call: w.client.nextCall(), started: now, due: now})
		}
	}
	return watches // all due now, so in heap order
}

type allWaiter[T job] struct {
	*waiter[T]
	due      dueHeap
	polled   chan polled[T]
	inFlight int
}

// polled is what came of one poll.
type polled[T job] struct {
	watch *watch
	job   T
	err   error
	info  CallInfo

	panicked any // of a function of the caller
}

// start starts the polls that are due.
func (a *allWaiter[T]) start(ctx context.Context) {
	for a.inFlight < maxPolls && a.due.Len() > 0 && !a.due[0].due.After(time.Now()) {
		k := heap.Pop(&a.due).(*watch)
		a.inFlight++
		go func() {
			p := polled[T]{watch: k, err: errGoexit}
			defer func() {
				p.panicked = recover()
				a.polled <- p
			}()
			p.job, p.info, p.err = a.poll(ctx, k)
		}()
	}
}

// next waits for a poll to end, or for the next to be due.
func (a *allWaiter[T]) next(ctx context.Context) (p polled[T], ok bool) {
	var due <-chan time.Time
	if a.inFlight < maxPolls && a.due.Len() > 0 {
		timer := time.NewTimer(time.Until(a.due[0].due))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case p = <-a.polled:
		a.inFlight--
		return p, true
	case <-due:
	case <-ctx.Done():
	}
	return p, false
}

// settle takes a poll in. A job that goes on is put back into the heap.
func (a *allWaiter[T]) settle(ctx context.Context, p polled[T]) (T, error, bool) {
	if p.panicked != nil {
		panic(p.panicked) // where the caller can recover, as from Wait
	}
	if a.info != nil {
		*a.info = p.info
	}
	job, err, done := a.take(ctx, p.watch, p.job, p.err)
	var none T
	switch {
	case !done:
		heap.Push(&a.due, p.watch)
	case job == none:
		job = a.empty(p.watch.id)
	}
	return job, err, done
}

// giveUp yields what is left when the context has ended: the polls in flight,
// some of which may have brought a result, and all others unfinished.
func (a *allWaiter[T]) giveUp(ctx context.Context, yield func(T, error) bool) {
	for a.inFlight > 0 {
		p := <-a.polled
		a.inFlight--
		if job, err, done := a.settle(ctx, p); done && !yield(job, err) {
			return
		}
	}
	for _, k := range a.due {
		if !yield(a.empty(k.id), k.ended(contextError(ctx))) {
			return
		}
	}
}

// drain waits for the polls in flight, which the end of their context ends. What
// became of them nobody asks any more, not even of a panic.
func (a *allWaiter[T]) drain() {
	for ; a.inFlight > 0; a.inFlight-- {
		<-a.polled
	}
}

// A dueHeap orders watches by the time of their next poll.
type dueHeap []*watch

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(*watch)) }
func (h *dueHeap) Pop() any {
	old := *h
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return k
}
