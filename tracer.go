package ambient

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// An Operation is what a tracer knows at the beginning of a call, an attempt or a
// wait. It holds no patient data. Fields that do not belong to its kind are zero.
type Operation struct {
	Kind          string // "call": a request and its repeats; "attempt": one request; "wait": the polls of one job
	Method        string
	Endpoint      string // method and route, such as "GET /transcribe/{id}"; of a wait, that of its polls
	Number        int    // of an attempt in its call, counted from 1
	JobID         int64  // of a wait
	ServerAddress string // host of the base URL
	ServerPort    int    // of the base URL
}

// startFunc is what WithTracer takes.
type startFunc func(context.Context, Operation) (context.Context, func(Event))

// A tracer calls the functions of WithTracer. Each runs in a goroutine, so that one
// that hangs is left behind when the context of its call ends.
type tracer struct {
	start startFunc
	idle  sync.Pool    // of *tracerRun
	hung  atomic.Int32 // functions left behind that have not ended yet
}

const (
	tracerGrace = 100 * time.Millisecond // for a function that is called after the context has ended, so that spans of cancelled calls end
	maxHung     = 100                    // functions left behind; no other is called while so many hang
)

// A span is an operation that has begun. The zero value has no tracer.
type span struct {
	tracer *tracer
	client *Client
	ctx    context.Context
	finish func(Event)
}

// begin starts an operation. What happens in it has the context that begin returns.
func (c *Client) begin(ctx context.Context, op Operation) (context.Context, span) {
	t := c.tracer
	if t == nil || t.gaveUp(ctx) {
		return ctx, span{}
	}
	op.ServerAddress, op.ServerPort = c.server()
	r := t.newRun(c, ctx)
	r.op = op
	if !r.do() {
		return ctx, span{}
	}
	inner, finish := r.inner, r.finish
	t.reuse(r)
	return withValuesOf(ctx, inner), span{t, c, ctx, finish}
}

// end ends the operation with the event of its end.
func (s span) end(e Event) {
	if s.finish == nil || s.tracer.gaveUp(s.ctx) {
		return
	}
	e.Time = time.Now()
	r := s.tracer.newRun(s.client, s.ctx)
	r.finish, r.event = s.finish, e
	if r.do() {
		s.tracer.reuse(r)
	}
}

// gaveUp reports whether no function is called: too many hang, or one does and the
// context, which would bound another, has ended.
func (t *tracer) gaveUp(ctx context.Context) bool {
	hung := t.hung.Load()
	return hung >= maxHung || hung > 0 && ctx.Err() != nil
}

// server is where the base URL points to.
func (c *Client) server() (address string, port int) {
	switch p := c.base.Port(); {
	case p != "":
		port, _ = strconv.Atoi(p)
	case c.base.Scheme == "http":
		port = 80
	default:
		port = 443
	}
	return c.base.Hostname(), port
}

// A tracerRun runs one function of a tracer: finish, if that is set, else start.
type tracerRun struct {
	tracer *tracer
	client *Client
	ctx    context.Context
	op     Operation
	event  Event

	inner    context.Context // what start returned
	finish   func(Event)     // likewise
	panicked any

	body  func()        // run as a value, so that no run allocates
	ended chan struct{} // has room for the one message of a run
	left  atomic.Bool   // by its caller or by the function, whoever comes first
}

func (t *tracer) newRun(c *Client, ctx context.Context) *tracerRun {
	r, ok := t.idle.Get().(*tracerRun)
	if !ok {
		r = &tracerRun{tracer: t, ended: make(chan struct{}, 1)}
		r.body = r.run
	}
	r.client, r.ctx = c, ctx
	return r
}

// reuse keeps a run whose function has ended for another.
func (t *tracer) reuse(r *tracerRun) {
	*r = tracerRun{tracer: t, body: r.body, ended: r.ended}
	t.idle.Put(r)
}

// do runs the function. It is false if the function was left behind. A panic of the
// function surfaces here.
func (r *tracerRun) do() bool {
	go r.body()
	select {
	case <-r.ended:
	case <-r.ctx.Done():
		if !r.endsInGrace() {
			return false
		}
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	return true
}

// endsInGrace waits a little longer for the function, and else leaves it behind.
func (r *tracerRun) endsInGrace() bool {
	grace := time.NewTimer(tracerGrace)
	defer grace.Stop()
	select {
	case <-r.ended:
		return true
	case <-grace.C:
	}
	r.tracer.hung.Add(1)
	if !r.left.Swap(true) {
		return false
	}
	r.tracer.hung.Add(-1)
	<-r.ended
	return true
}

func (r *tracerRun) run() {
	defer func() {
		r.panicked = recover()
		if r.left.Swap(true) {
			r.tracer.hung.Add(-1)
			r.client.reportLatePanic(r.ctx, r.panicked)
			return
		}
		r.ended <- struct{}{}
	}()
	if r.finish != nil {
		r.finish(r.event)
		return
	}
	r.inner, r.finish = r.tracer.start(r.ctx, r.op)
}

// withValuesOf takes the values of the context that a tracer returned. The call ends
// with its own context all the same.
func withValuesOf(ctx, inner context.Context) context.Context {
	switch {
	case inner == nil:
		return ctx
	case inner.Done() == ctx.Done():
		return inner
	}
	return tracedContext{ctx, inner}
}

type tracedContext struct {
	context.Context
	values context.Context
}

func (c tracedContext) Value(key any) any { return c.values.Value(key) }

// nest makes one tracer of two. The operations of inner are inside those of outer.
func nest(outer, inner startFunc) startFunc {
	return func(ctx context.Context, op Operation) (context.Context, func(Event)) {
		between, endOuter := outer(ctx, op)
		between = withValuesOf(ctx, between)
		inside, endInner := inner(between, op)
		return withValuesOf(between, inside), func(e Event) {
			if endOuter != nil {
				defer endOuter(e)
			}
			if endInner != nil {
				endInner(e)
			}
		}
	}
}
