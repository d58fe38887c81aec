package ambient

import (
	"context"
	"fmt"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// An interruptedError is a call that ended before its first attempt or between two
// attempts. last is the error of the last attempt.
type interruptedError struct {
	history *history
	by      error // the context's error, or why no other attempt could be made
	last    error // nil if there was no attempt
}

func (e *interruptedError) Error() string {
	call := fmt.Sprintf("ambient: %s %s: ", e.history.method, e.history.route)
	if e.last == nil {
		return call + safeInnerText(e.by) + " before anything was sent"
	}
	last := strings.TrimPrefix(e.last.Error(), call)
	if _, ended := e.by.(*contextEnd); ended || !isSDKError(e.by) {
		return call + safeInnerText(e.by) + " while waiting after " + last
	}
	return call + last + "; then " + safeInnerText(e.by)
}

func (e *interruptedError) Unwrap() []error {
	if e.last == nil {
		return []error{safeError(e.by)}
	}
	return []error{safeError(e.by), e.last}
}

// A contextEnd is a context's error together with its cause.
type contextEnd struct{ err, cause error }

func (e *contextEnd) Error() string   { return safeerr.Text(e.err) }
func (e *contextEnd) Unwrap() []error { return []error{safeError(e.err), safeError(e.cause)} }

// contextError is the error of the context, with its cause if that differs.
func contextError(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return &contextEnd{ctx.Err(), safeError(cause)}
	}
	return ctx.Err()
}

// interrupted is the error of a call whose context ended between two attempts.
func (c *call) interrupted() error {
	return &interruptedError{history: c.history.snapshot(ending{}), by: contextError(c.ctx), last: c.lastError()}
}

// unsent is the error of an attempt that was not made. An earlier attempt that may
// have created a job still shows in it.
func (c *call) unsent(err error) error {
	if !c.history.maybeSubmitted() || MaybeSubmitted(err) {
		return err
	}
	return &interruptedError{history: c.history.snapshot(ending{}), by: err, last: c.lastError()}
}
