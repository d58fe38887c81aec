package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Handlers are functions of the application, which may fail, panic or hang.

const (
	maxSourceTime = time.Minute
	deliverTime   = 10 * time.Minute
	deliverTxTime = time.Minute
	maxHung       = 100 // handlers that were left behind and have not returned yet
)

var (
	errPanic   = errors.New("a handler panicked")
	errTimeout = errors.New("a handler did not return in time")
	errHung    = errors.New("too many handlers hang")
)

// handle calls f, and leaves it behind when ctx ends and it does not return.
func handle[T any](ctx context.Context, hung *atomic.Int64, f func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	var none T
	if hung.Load() >= maxHung {
		return none, errHung
	}
	answered := make(chan answer, 1)
	go func() {
		a := answer{err: errPanic} // also where f ends its goroutine
		defer func() {
			if recover() != nil {
				a = answer{err: errPanic} // its value may hold anything
			}
			answered <- a
		}()
		a.v, a.err = f(ctx)
	}()
	select {
	case a := <-answered:
		return a.v, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answered:
		return a.v, a.err
	case <-time.After(100 * time.Millisecond): // for one that looks at its context
	}
	hung.Add(1)
	go func() {
		<-answered
		hung.Add(-1)
	}()
	return none, errTimeout
}

// handlerReason names what went wrong with a handler, and never in its words.
func handlerReason(handler string, err error) string {
	switch {
	case errors.Is(err, errPanic):
		return handler + "-panicked"
	case errors.Is(err, errTimeout), errors.Is(err, errHung), errors.Is(err, context.DeadlineExceeded):
		return handler + "-timeout"
	}
	return handler + "-failed"
}

// databaseFailed logs an error of the database, whose text holds nothing but keys.
func (p *Pipeline) databaseFailed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		p.log.WarnContext(ctx, "pipeline: the database failed, and is tried again", "error", err)
	}
}

// logAttrs name a submit in a log. A key that may be a path is not among them.
func (p *Pipeline) logAttrs(v *visit, id int64) []any {
	attrs := []any{"stage", v.stage, "id", id}
	if !p.config.PathKeys {
		attrs = append(attrs, "key", v.key)
	}
	return attrs
}

// warn logs what went wrong. Of an error of the application it logs the type, since the text may hold patient data.
func (p *Pipeline) warn(ctx context.Context, message string, err error) {
	p.log.WarnContext(ctx, "pipeline: "+message, "error_type", fmt.Sprintf("%T", err))
}
