package ambient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

const (
	defaultMinPoll   = time.Second
	defaultMaxPoll   = 60 * time.Second
	defaultMaxOutage = 15 * time.Minute
	ageShare         = 8                // a job is polled when it has grown older by 1/8
	newJob           = 10 * time.Second // after its submit a job may not be found yet
	maxRetryAfter    = 15 * time.Minute // longest Retry-After that a wait follows
	minMargin        = 100 * time.Millisecond
	maxMargin        = time.Second
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
	client   *Client
	endpoint string // of the polls
	get      func(context.Context, int64, ...CallOption) (T, error)
	empty    func(id int64) T
	waitOptions
}

func newWaiter[T job](c *Client, endpoint string, get func(context.Context, int64, ...CallOption) (T, error), empty func(int64) T, opts []WaitOption) *waiter[T] {
	w := &waiter[T]{client: c, endpoint: endpoint, get: get, empty: empty, waitOptions: waitOptions{min: defaultMinPoll, max: defaultMaxPoll, maxOutage: defaultMaxOutage}}
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

// A pollState is what a wait knows of one job.
type pollState struct {
	ctx       context.Context // of the wait
	span      span
	id        int64
	call      int64 // number of the wait, in events
	isNew     bool  // submitted by this call
	duplicate bool  // perhaps twice
	started   time.Time
	due       time.Time // of the next poll
	polls     int
	status    string        // last seen
	unknown   []string      // statuses that were reported
	lastTook  time.Duration // of the last poll
	lastErr   error         // of the last poll
	outage    outage        // since the last good poll
}

// A pollResult is what came of one poll.
type pollResult[T job] struct {
	state *pollState
	began time.Time
	job   T
	err   error
	info  CallInfo

	panicked any // of a function of the caller, in WaitAll
}

// wait waits for an existing job, which may be done already.
func (w *waiter[T]) wait(ctx context.Context, id int64) (T, error) {
	if id < 1 {
		return w.get(ctx, id) // which refuses it
	}
	now := time.Now()
	return w.follow(ctx, &pollState{id: id, call: w.number, started: now, due: now})
}

// waitNew waits for a job that was just submitted, perhaps twice. The answer may ask
// to come back later than after the minimum.
func (w *waiter[T]) waitNew(ctx context.Context, id int64, duplicate bool, answer http.Header) (T, error) {
	now := time.Now()
	first := max(retryAfter(answer), w.min)
	k := &pollState{id: id, call: w.number, isNew: true, duplicate: duplicate, started: now, due: now.Add(first)}
	k.fitDeadline(ctx)
	return w.follow(ctx, k)
}

func (w *waiter[T]) follow(ctx context.Context, k *pollState) (job T, err error) {
	w.begin(ctx, k)
	err = errPanicked
	defer func() { w.finish(k, err) }()
	for {
		sleep(ctx, time.Until(k.due))
		if ctx.Err() != nil {
			return job, k.waitError(contextError(ctx))
		}
		if job, err, done := w.handlePoll(w.poll(k)); done {
			return job, err
		}
	}
}

// begin starts the wait for one job.
func (w *waiter[T]) begin(ctx context.Context, k *pollState) {
	k.ctx, k.span = w.client.begin(ctx, Operation{Kind: "wait", Method: http.MethodGet, Endpoint: w.endpoint, JobID: k.id})
}

// finish ends the wait for one job.
func (w *waiter[T]) finish(k *pollState, err error) {
	if !w.client.observed() {
		return
	}
	e := Event{Kind: EventJob, Call: k.call, ID: k.id, Status: redact.Text(k.status), Duration: time.Since(k.started), Number: k.polls, Err: err}
	w.client.emit(k.ctx, e)
	k.span.end(e)
}

// poll asks for the job once.
func (w *waiter[T]) poll(k *pollState) pollResult[T] {
	p := pollResult[T]{state: k, began: time.Now()}
	p.job, p.err = w.get(k.ctx, k.id, callOption(func(o *callOptions) {
		*o = w.callOptions
		o.info, o.number = &p.info, k.call
	}))
	k.lastTook = time.Since(p.began)
	return p
}

// handlePoll decides what follows from a poll. That is the end of the wait, or the time
// of the next poll.
func (w *waiter[T]) handlePoll(p pollResult[T]) (job T, err error, done bool) {
	k := p.state
	k.polls++
	k.lastErr = p.err
	if w.info != nil {
		*w.info = p.info
	}
	var asked time.Duration
	switch {
	case p.err == nil:
		k.outage = outage{}
		state := p.job.state()
		w.noteStatus(k, state)
		if p.job.Done() {
			w.reportPoll(k, 0, nil)
			return p.job, p.job.Err(), true
		}
		asked = retryAfter(state.header)
		k.due = w.next(k.age(state))
	case w.forgives(k.ctx, p):
		asked = retryAfterError(p.err)
		k.due = w.next(time.Since(k.started))
	default:
		w.reportPoll(k, 0, p.err)
		return job, k.waitError(p.err), true
	}
	if asked > 0 {
		k.due = time.Now().Add(max(asked, w.min))
	}
	k.due = k.outage.fit(k.due, w.maxOutage)
	if !k.fitDeadline(k.ctx) {
		w.reportPoll(k, 0, p.err)
		return job, k.waitError(context.DeadlineExceeded), true
	}
	w.reportPoll(k, time.Until(k.due), p.err)
	return job, nil, false
}

// next is the time of the next poll of a job of some age. It is an eighth of the age
// later, 10 % more or less, within the bounds.
func (w *waiter[T]) next(age time.Duration) time.Time {
	d := min(max(age/ageShare, w.min), w.max)
	d += time.Duration((rand.Float64()*0.2 - 0.1) * float64(d))
	return time.Now().Add(min(max(d, w.min), w.max))
}

// age is how old a job is. Of one that this call submitted this machine knows it. The
// age of another job is what the server's clock alone says, where the server sends both
// times. It is at least the length of the wait.
func (k *pollState) age(state jobState) time.Duration {
	waited := time.Since(k.started)
	if k.isNew || state.created.IsZero() {
		return waited
	}
	now := time.Now()
	if date, err := http.ParseTime(state.header.Get("Date")); err == nil {
		now = date
	}
	return max(now.Sub(state.created), waited)
}

// retryAfter is how long a good answer asks to wait.
func retryAfter(h http.Header) time.Duration {
	until := ratelimitheader.Read(h, time.Now()).RetryAfter
	if until.IsZero() {
		return 0
	}
	return min(time.Until(until), maxRetryAfter)
}

// retryAfterError is how long a failed poll asks to wait, if that is more than zero.
func retryAfterError(err error) time.Duration {
	if limit, ok := find[*RateLimitError](err); ok {
		return min(time.Until(limit.ResetAt), maxRetryAfter)
	}
	if api, ok := find[*APIError](err); ok {
		return min(api.RetryAfter, maxRetryAfter)
	}
	return 0
}

// fitDeadline brings the next poll forward if the context would end before it, so that
// one more fits. It returns false when no poll fits.
func (k *pollState) fitDeadline(ctx context.Context) bool {
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

// noteStatus remembers the status, and reports each unknown status once.
func (w *waiter[T]) noteStatus(k *pollState, state jobState) {
	if !state.known && !slices.Contains(k.unknown, state.status) {
		k.unknown = append(k.unknown, state.status)
		w.client.emit(k.ctx, Event{Kind: EventUnknownStatus, Call: k.call, ID: k.id, Status: redact.Text(state.status)})
	}
	k.status = state.status
}

// reportPoll reports a poll to the observers and to WithOnPoll.
func (w *waiter[T]) reportPoll(k *pollState, next time.Duration, err error) {
	status := ""
	if err == nil {
		status = redact.Text(k.status)
	}
	w.client.emit(k.ctx, Event{Kind: EventPoll, Call: k.call, ID: k.id, Status: status, Number: k.polls, Wait: next, Err: err})
	if w.onPoll != nil {
		w.onPoll(PollEvent{ID: k.id, Status: status, Polls: k.polls, Next: next, Err: err})
	}
}

// waitError is the error of a wait that ends before its job. Where the context ends it
// while polls fail, it is the last poll's, too.
func (k *pollState) waitError(cause error) *WaitError {
	if k.lastErr != nil && k.lastErr != cause {
		cause = &contextEnd{cause, k.lastErr}
	}
	return &WaitError{ID: k.id, LastStatus: k.status, Polls: k.polls, duplicate: k.duplicate, cause: cause}
}
