package throttle

import (
	"cmp"
	"slices"
	"time"
)

// A TooLongError says that an endpoint stays closed for longer than a call can wait.
type TooLongError struct{ Until time.Time }

func (e *TooLongError) Error() string { return "the rate limit lasts longer than the call may wait" }

type waiter struct {
	position uint64
	latest   time.Duration // when its maxWait or its context's deadline ends
	done     chan struct{} // closed with the permit or the error
	permit   *Permit
	err      error
}

// A queue holds the waiters of an endpoint by position, since a call that was refused
// comes back to its place.
type queue []*waiter

func (q *queue) enqueue(w *waiter) {
	i, _ := slices.BinarySearchFunc(*q, w, func(a, b *waiter) int { return cmp.Compare(a.position, b.position) })
	*q = slices.Insert(*q, i, w)
}

// remove reports whether the waiter was in the queue.
func (q *queue) remove(w *waiter) bool {
	before := len(*q)
	*q = slices.DeleteFunc(*q, func(other *waiter) bool { return other == w })
	return len(*q) < before
}

// rejectImpatient removes the waiters that cannot last until the endpoint opens, and
// gives them their error.
func (q *queue) rejectImpatient(opens time.Duration, epoch time.Time) (rejected []*waiter) {
	*q = slices.DeleteFunc(*q, func(w *waiter) bool {
		if w.latest < opens {
			w.err = &TooLongError{epoch.Add(opens)}
			rejected = append(rejected, w)
		}
		return w.err != nil
	})
	return rejected
}
