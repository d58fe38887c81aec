package ambient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// NetworkError is a call that ended without a usable answer. There was no connection, a
// reset, a timeout, an answer cut off, or a context that ended meanwhile. It is a
// net.Error. errors.Is and errors.As find its cause.
type NetworkError struct {
	Method   string
	Route    string
	Sent     Delivery // how far the last attempt got
	Attempts []Attempt

	history *history
	cause   error
}

// Error is safe to log.
func (e *NetworkError) Error() string {
	if e == nil {
		return "ambient: no network error"
	}
	cause := "no answer"
	if e.cause != nil {
		cause = safeerr.Text(e.cause)
	}
	h := e.past()
	return fmt.Sprintf("ambient: %s%s, %v%s", h.callText(), cause, e.Sent, h.errorSuffix(""))
}

// past is the history of the call.
func (e *NetworkError) past() *history {
	if e.history != nil {
		return e.history
	}
	return madeByHand(e.Method, e.Route, e.Attempts, Attempt{Sent: e.Sent})
}

// Unwrap returns the cause, whose text is safe too.
func (e *NetworkError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

// Is reports a context.DeadlineExceeded also where the call ended because its
// next wait would have passed the context's deadline.
func (e *NetworkError) Is(target error) bool {
	return target == context.DeadlineExceeded && e != nil && e.history.endsAtDeadline()
}

// Timeout reports whether the cause was a timeout, as a net.Error does. If it was one of
// this client's options, errors.Is finds os.ErrDeadlineExceeded.
func (e *NetworkError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Unwrap())
	return ok && t.Timeout()
}

// Temporary completes net.Error. It is the same as Timeout.
func (e *NetworkError) Temporary() bool { return e.Timeout() }

// DecodeError is a 2xx answer that is not what the API documents: no JSON, a missing or
// mistyped id, an answer about another job, or one that came before the whole request
// was sent. After a submit MaybeSubmitted is true, and Body may still hold the id.
type DecodeError struct {
	StatusCode int
	Method     string
	Route      string

	problem   string
	requestID string
	body      secret[[]byte]
	size      int // of the body as it came
	history   *history
}

// Body returns the answer's body, of which 1 MiB is kept. It may hold patient data.
func (e *DecodeError) Body() []byte {
	if e == nil {
		return nil
	}
	return bytesIn(e.body)
}

// Error is safe to log.
func (e *DecodeError) Error() string {
	if e == nil || e.StatusCode == 0 {
		return "ambient: no decode error"
	}
	h := e.past()
	return fmt.Sprintf("ambient: %s%d with an unusable body of %d bytes%s%s",
		h.callText(), e.StatusCode, e.size, e.problem, h.errorSuffix(redact.ID(e.requestID)))
}

// past is the history of the call.
func (e *DecodeError) past() *history {
	if e.history != nil {
		return e.history
	}
	return madeByHand(e.Method, e.Route, nil, Attempt{StatusCode: e.StatusCode, Sent: Answered})
}

// failure is the error of the last attempt, nil if that succeeded.
func (c *call) failure(e ending) error {
	r := &c.last.report
	if succeeded(r) && !early(r) && c.last.problem == "" {
		return nil
	}
	h := c.history.snapshot(e)
	switch {
	case r.CommitErr != nil:
		return &commitError{h, r.CommitErr}
	case r.SourceErr != nil:
		return audioError(h, r.SourceErr)
	case r.Status/100 == 2 && r.Err == readbody.ErrTooLong:
		return decodeError(h, r, fmt.Sprintf("longer than %d MiB", maxSuccessBody>>20))
	case !answered(r):
		return c.networkError(h)
	case !succeeded(r):
		return c.statusError(h)
	case early(r):
		return decodeError(h, r, "it came before the whole request was sent")
	}
	return decodeError(h, r, c.last.problem)
}

// lastError is what the last attempt met, nil if there was no attempt.
func (c *call) lastError() error {
	if len(c.history.attempts) == 0 {
		return nil
	}
	return c.failure(ending{})
}

func (c *call) networkError(h *history) error {
	r := &c.last.report
	err := &NetworkError{Method: h.method, Route: h.route, Sent: delivery(r), Attempts: h.attempts, history: h, cause: safeerr.Error(r.Err)}
	if c.ctx.Err() != nil && !errors.Is(r.Err, c.ctx.Err()) { // net/http gives the cause alone
		err.cause = contextError(c.ctx)
	}
	return err
}

func decodeError(h *history, r *exchange.Report, problem string) error {
	body := r.Body
	if len(body) > keptDecodeBody {
		body = bytes.Clone(body[:keptDecodeBody])
	}
	return &DecodeError{StatusCode: r.Status, Method: h.method, Route: h.route, problem: ": " + problem, requestID: requestID(r.Header), body: newSecret(body), size: len(r.Body), history: h}
}

// An interruptedError is a call that ended before its first attempt or between two
// attempts. last is the error of the last attempt.
type interruptedError struct {
	history *history
	by      error // the context's error, or why no other attempt could be made
	last    error // nil if there was no attempt
}

func (e *interruptedError) Error() string {
	call := "ambient: " + e.history.callText()
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

func (e *contextEnd) Error() string   { return safeText(e.err) }
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
