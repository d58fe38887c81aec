package ambient

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/errbody"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// APIError is any answer whose status is not 2xx, redirects included. Every documented
// status has its own type, which embeds APIError. errors.As finds both.
//
// Error and every way of printing show the method, route, status, request id, number of
// attempts and the server's message with all words masked that could be patient data.
// The fields Detail and Fields and the method Body have the full text, which may repeat
// what was sent.
type APIError struct {
	StatusCode int
	Detail     string       `json:"-"` // the server's message: detail, details or error.message; empty without one
	Fields     []FieldError `json:"-"` // of a 422: what was wrong with which field
	Method     string
	Route      string // path below the base URL, with ids and without a query
	RequestID  string `json:"-"` // from X-Request-Id or a header like it; empty without one
	Time       time.Time
	RetryAfter time.Duration // how long the server asked to wait, from Time; 0 when it did not
	Attempts   []Attempt     // all requests of the call, the last one included
	Header     http.Header   `json:"-"` // of the answer

	body    secret[[]byte]
	history *history
}

// FieldError is one invalid field of a request, in the words of the server. It
// prints, and marshals to JSON, with all words masked that could be patient data,
// so that a list of them can be logged.
type FieldError struct {
	Path    string // e.g. body.template_ids[0]
	Message string // e.g. field required; may repeat what was sent
	Type    string // e.g. value_error.missing
}

func (e FieldError) String() string { return redact.Text(e.Path + ": " + e.Message) }

// Body returns the first 256 KiB of the answer's body. It may repeat patient data.
func (e *APIError) Body() []byte {
	if e == nil {
		return nil
	}
	return bytesIn(e.body)
}

// Error is safe to log.
func (e *APIError) Error() string {
	if e == nil || e.StatusCode == 0 {
		return "ambient: no API error"
	}
	h := e.past()
	var b strings.Builder
	fmt.Fprintf(&b, "ambient: %s%d", h.callText(), e.StatusCode)
	if phrase := http.StatusText(e.StatusCode); phrase != "" {
		b.WriteString(" " + phrase)
	}
	if detail := redact.Text(e.Detail, h.ids...); detail != "" && !strings.EqualFold(detail, http.StatusText(e.StatusCode)) {
		b.WriteString(": " + detail)
	}
	b.WriteString(h.errorSuffix(redact.ID(e.RequestID)))
	return b.String()
}

// past is the history of the call.
func (e *APIError) past() *history {
	if e.history != nil {
		return e.history
	}
	return madeByHand(e.Method, e.Route, e.Attempts, Attempt{StatusCode: e.StatusCode, Sent: Answered})
}

// Unwrap returns context.DeadlineExceeded where the call ended because its next
// wait would have passed the context's deadline.
func (e *APIError) Unwrap() error {
	if e == nil || !e.history.endsAtDeadline() {
		return nil
	}
	return context.DeadlineExceeded
}

// asError returns e, or a nil error for nil.
func (e *APIError) asError() error {
	if e == nil {
		return nil
	}
	return e
}

// statusError is the error of the last answer, in the type of its status.
func (c *call) statusError(h *history) error {
	o := &c.last
	until := o.limits.RetryAfter
	if o.report.Status == http.StatusTooManyRequests {
		until = o.limits.Until()
	}
	var wait time.Duration
	if !until.IsZero() {
		wait = max(until.Sub(o.at), 0)
	}
	e := newAPIError(h, o.report.Status, o.report.Header, o.report.Body, o.at, wait)
	if o.report.Status == http.StatusTooManyRequests {
		return &RateLimitError{APIError: e, ResetAt: until, Limit: o.limits.Limit, Remaining: o.limits.Remaining}
	}
	return e.typed()
}

// newAPIError makes the error of an answer. typed gives it the type of its status.
func newAPIError(h *history, status int, header http.Header, body []byte, now time.Time, retryAfter time.Duration) *APIError {
	e := &APIError{
		StatusCode: status, Method: h.method, Route: h.route, RequestID: requestID(header),
		Time: now, RetryAfter: retryAfter, Attempts: h.attempts, Header: header, body: newSecret(body), history: h,
	}
	detail, fields := errbody.Decode(body)
	e.Detail = detail
	for _, f := range fields {
		e.Fields = append(e.Fields, FieldError(f))
	}
	return e
}

// The headers in which gateways and clouds name a request. The API publishes none.
var requestIDHeaders = []string{"X-Request-Id", "X-Correlation-Id", "Request-Id", "X-Amzn-Requestid", "X-Amzn-Trace-Id", "Cf-Ray"}

func requestID(h http.Header) string {
	for _, name := range requestIDHeaders {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return ""
}

// Retryable reports whether the same call may succeed later. It is true after a 429,
// after every other status for which reads are repeated (see the package
// documentation), after a NetworkError, a CredentialsError and a deadline. It is false
// after a cancellation. Before you repeat a submit, ask MaybeSubmitted too. If
// Retryable is true of a WaitError, call Wait, since SubmitAndWait would submit again.
func Retryable(err error) bool {
	switch {
	case isCommitError(err), endedBy(err, context.Canceled):
		return false
	case endedBy(err, context.DeadlineExceeded):
		return true
	}
	for err := range errorTree(err) {
		switch e := err.(type) {
		case *CredentialsError:
			return true
		case *WaitError:
			if e != nil && e.cause == nil { // made by the caller: the job goes on
				return true
			}
		case *APIError:
			if e != nil && (retriedStatus(e.StatusCode) || e.StatusCode == http.StatusTooManyRequests) {
				return true
			}
		case *NetworkError:
			if e != nil && !permanent(e.cause) {
				return true
			}
		}
	}
	return false
}

// endedBy is errors.Is, except that a context of a failed source of credentials is none
// of the call.
func endedBy(err, target error) bool {
	if _, ok := err.(*CredentialsError); ok || err == nil {
		return false
	}
	if err == target {
		return true
	}
	if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(target) {
		return true
	}
	return slices.ContainsFunc(unwrapped(err), func(err error) bool { return endedBy(err, target) })
}

// MaybeSubmitted reports whether the service may hold a job although the call failed.
// That is so where a submit was sent whole and not answered, or answered by a status or
// body that does not say it was refused. The API has no list to look it up in. Leave it
// to a person to ask the vendor, with SupportReport, before the visit is submitted
// again. There may be several jobs. With RetryDocumented, each attempt that met a 500,
// 502 or 504 may have left one. It is true of a WaitError too, whose job is known, so
// match WaitError first.
func MaybeSubmitted(err error) bool {
	if isCommitError(err) {
		return false
	}
	for err := range errorTree(err) {
		if wait, ok := err.(*WaitError); ok && wait != nil && wait.ID > 0 || ownHistory(err).maybeSubmitted() {
			return true
		}
	}
	return false
}

// ownHistory returns the history in err itself, nil without one.
func ownHistory(err error) *history {
	switch e := err.(type) {
	case *APIError:
		if e != nil {
			return e.past()
		}
	case *NetworkError:
		if e != nil {
			return e.past()
		}
	case *DecodeError:
		if e != nil {
			return e.past()
		}
	case *AudioError:
		if e != nil {
			return e.history
		}
	case *interruptedError:
		return e.history
	case *commitError:
		return e.history
	}
	return nil
}

// find returns the first error of a type in the tree of err. A function of the caller may
// return a nil pointer as its error, and then there is none.
func find[P interface {
	*E
	error
}, E any](err error) (P, bool) {
	e, ok := errors.AsType[P](err)
	return e, ok && e != nil
}

// errorTree yields err and every error that it wraps, depth first, as errors.Is
// walks them.
func errorTree(err error) iter.Seq[error] {
	return func(yield func(error) bool) { walk(err, yield) }
}

func walk(err error, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	if !yield(err) {
		return false
	}
	for _, err := range unwrapped(err) {
		if !walk(err, yield) {
			return false
		}
	}
	return true
}

// unwrapped are the errors that err wraps.
func unwrapped(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return []error{e.Unwrap()}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}
