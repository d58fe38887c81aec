package ambient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

const (
	defaultMinPoll = time.Second
	defaultMaxPoll = 60 * time.Second
	ageShare       = 8                // a job is polled when it has grown older by 1/8
	newJob         = 10 * time.Second // after its submit a job may not be found yet
	maxFailures    = 10               // polls that may fail in a row
	maxAsked       = 15 * time.Minute // longest Retry-After that a wait follows
	minMargin      = 100 * time.Millisecond
	maxMargin      = time.Second
)

// PollEvent is one poll of a wait. It prints no patient data.
type PollEvent struct {
	ID     int64
	Status string        // as the service names it, with words masked that no API English has; empty if the poll failed
	Polls  int           // so far, this one included
	Next   time.Duration // until the next poll; 0 if there is none
	Err    error         // of a poll that failed
}

// A job is a *Transcription or *Scribe.
type job interface {
	comparable
	Done() bool
	Err() error
	state() jobState
}

type jobState struct {
	status  string
	known   bool // the SDK knows the status
	created time.Time
	header  http.Header // of the answer
}

// A waiter waits for jobs of one kind.
type waiter[T job] struct {
	client *Client
	get    func(context.Context, int64, ...CallOption) (T, error)
	empty  func(id int64) T
	waitOptions
}

func newWaiter[T job](c *Client, get func(context.Context, int64, ...CallOption) (T, error), empty func(int64) T, opts []WaitOption) *waiter[T] {
	w := &waiter[T]{client: c, get: get, empty: empty, waitOptions: waitOptions{min: defaultMinPoll, max: defaultMaxPoll}}
	for _, o := range opts {
		if o != nil {
			o.applyWait(&w.waitOptions)
		}
	}
	w.number = c.nextCall()
	return w
}

// submitOptions are the options of the wait that go for its submit.
func (w *waiter[T]) submitOptions() CallOption {
	return callOption(func(o *callOptions) { *o = w.callOptions })
}

// A watch is what a wait knows of one job.
type watch struct {
	id        int64
	call      int64 // number of the wait, in events
	isNew     bool  // submitted by this call
	duplicate bool  // perhaps twice
	started   time.Time
	due       time.Time // of the next poll
	polls     int
	failures  int           // in a row
	status    string        // last seen
	unknown   []string      // statuses that were reported
	lastTook  time.Duration // of the last poll
}

// wait waits for an existing job, which may be done already.
func (w *waiter[T]) wait(ctx context.Context, id int64) (T, error) {
	now := time.Now()
	return w.follow(ctx, &watch{id: id, call: w.number, started: now, due: now})
}

// waitNew waits for a job that was just submitted, perhaps twice.
func (w *waiter[T]) waitNew(ctx context.Context, id int64, duplicate bool) (T, error) {
	now := time.Now()
	k := &watch{id: id, call: w.number, isNew: true, duplicate: duplicate, started: now, due: now.Add(w.min)}
	k.trim(ctx)
	return w.follow(ctx, k)
}

func (w *waiter[T]) follow(ctx context.Context, k *watch) (T, error) {
	timer := time.NewTimer(time.Until(k.due))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // also where both are so
			var none T
			return none, k.ended(contextError(ctx))
		}
		job, info, err := w.poll(ctx, k)
		if w.info != nil {
			*w.info = info
		}
		if job, err, done := w.take(ctx, k, job, err); done {
			return job, err
		}
		timer.Reset(time.Until(k.due))
	}
}

// poll asks for the job once.
func (w *waiter[T]) poll(ctx context.Context, k *watch) (T, CallInfo, error) {
	var info CallInfo
	start := time.Now()
	job, err := w.get(ctx, k.id, WithCallInfo(&info), withNumber(k.call))
	k.lastTook = time.Since(start)
	return job, info, err
}

// take decides what follows from a poll: the end of the wait, or the time of
// the next poll.
func (w *waiter[T]) take(ctx context.Context, k *watch, job T, err error) (T, error, bool) {
	var none T
	k.polls++
	var asked time.Duration
	if err == nil {
		k.failures = 0
		state := job.state()
		w.noteStatus(ctx, k, state)
		if job.Done() {
			w.tell(ctx, k, 0, nil)
			return job, job.Err(), true
		}
		asked = askedFor(ratelimitheader.Read(state.header, time.Now()))
		k.due = w.next(age(state, k))
	} else {
		k.failures++
		if !k.transient(ctx, err) {
			w.tell(ctx, k, 0, err)
			return none, k.ended(err), true
		}
		if api, ok := errors.AsType[*APIError](err); ok {
			asked = min(api.RetryAfter, maxAsked)
		}
		k.due = w.next(time.Since(k.started))
	}
	if asked > 0 {
		k.due = time.Now().Add(max(asked, w.min))
	}
	if !k.trim(ctx) {
		w.tell(ctx, k, 0, err)
		return none, k.ended(context.DeadlineExceeded), true
	}
	w.tell(ctx, k, time.Until(k.due), err)
	return none, nil, false
}

// next is the time of the next poll of a job of some age: an eighth of it
// later, 10 % more or less, within the bounds.
func (w *waiter[T]) next(age time.Duration) time.Time {
	d := min(max(age/ageShare, w.min), w.max)
	d += time.Duration((rand.Float64()*0.2 - 0.1) * float64(d))
	return time.Now().Add(min(max(d, w.min), w.max))
}

// age is how old a job is: by the server's clock alone where it tells both
// times, and at least as old as the wait.
func age(state jobState, k *watch) time.Duration {
	waited := time.Since(k.started)
	if state.created.IsZero() {
		return waited
	}
	now := time.Now()
	if date, err := http.ParseTime(state.header.Get("Date")); err == nil {
		now = date
	}
	return max(now.Sub(state.created), waited)
}

// askedFor is how long a good answer asks to wait.
func askedFor(l ratelimitheader.Info) time.Duration {
	if l.RetryAfter.IsZero() {
		return 0
	}
	return min(time.Until(l.RetryAfter), maxAsked)
}

// transient reports whether the wait goes on after a failed poll.
func (k *watch) transient(ctx context.Context, err error) bool {
	_, limited := errors.AsType[*RateLimitError](err)
	_, missing := errors.AsType[*NotFoundError](err)
	switch {
	case ctx.Err() != nil, k.failures >= maxFailures:
		return false
	case errors.Is(err, context.DeadlineExceeded):
		return !limited // a rate limit that outlasts the context
	case missing && k.isNew && time.Since(k.started) < newJob:
		return true
	}
	return Retryable(err)
}

// trim brings the next poll forward if the context would end before it, so that
// one more fits. It is false when none does.
func (k *watch) trim(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	if !ok {
		return true
	}
	last := deadline.Add(-min(max(2*k.lastTook, minMargin), maxMargin))
	if !time.Now().Before(last) {
		return false
	}
	if k.due.After(last) {
		k.due = last
	}
	return true
}

// noteStatus remembers the status and tells of each unknown one, once.
func (w *waiter[T]) noteStatus(ctx context.Context, k *watch, state jobState) {
	if !state.known && !slices.Contains(k.unknown, state.status) {
		k.unknown = append(k.unknown, state.status)
		w.client.emit(ctx, Event{Kind: EventUnknownStatus, Call: k.call, ID: k.id, Status: redact.Text(state.status)})
	}
	k.status = state.status
}

func (w *waiter[T]) tell(ctx context.Context, k *watch, next time.Duration, err error) {
	status := ""
	if err == nil {
		status = redact.Text(k.status)
	}
	w.client.emit(ctx, Event{Kind: EventPoll, Call: k.call, ID: k.id, Status: status, Number: k.polls, Wait: next, Err: err})
	if w.onPoll != nil {
		w.onPoll(PollEvent{ID: k.id, Status: status, Polls: k.polls, Next: next, Err: err})
	}
}

// ended is the error of a wait that ends before its job.
func (k *watch) ended(cause error) *WaitError {
	return &WaitError{ID: k.id, LastStatus: k.status, Polls: k.polls, duplicate: k.duplicate, cause: cause}
}
