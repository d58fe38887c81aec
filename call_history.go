package ambient

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// Delivery says how far a request got.
type Delivery int

const (
	NotSent    Delivery = iota // no connection was had
	PartlySent                 // part of the request left, and its framing proves that the server has no whole one (RFC 9112, section 8)
	FullySent                  // all of it left and no answer came: the service may have taken it
	Answered                   // a response began
)

func (d Delivery) String() string {
	switch d {
	case NotSent:
		return "not sent"
	case PartlySent:
		return "partly sent"
	case FullySent:
		return "fully sent"
	case Answered:
		return "answered"
	}
	return "unknown"
}

func delivery(r *exchange.Report) Delivery {
	switch {
	case r.Status != 0:
		return Answered
	case r.NotSent:
		return NotSent
	case r.FullySent:
		return FullySent
	}
	return PartlySent
}

// Attempt is one request of a call that was handed to the transport. Retries, repeats
// after a 429 and the replay after a 401 each are an attempt. Token calls are not.
type Attempt struct {
	Start      time.Time
	Duration   time.Duration // until the answer was read, or the attempt failed
	StatusCode int           // 0 without an answer
	Err        error         // nil if the answer was read in full; safe to print
	Wait       time.Duration // before it: for the backoff and the rate limit
	BytesSent  int64         // of the request's body
	Sent       Delivery
	ConnReused bool // false where the transport does not tell

	proof    proof // of whether the service created what the attempt asked for
	replayed bool  // by the transport, so that it may have been taken twice
}

// A proof says whether an attempt may have created a job.
type proof int8

const (
	noProof      proof = iota // the attempt was made by the caller, e.g. in a test
	notCreated                // it cannot have, or it asked for none
	maybeCreated              // it may have
)

// mayHaveCreated reports whether the attempt may have created a job. Of an attempt that
// the caller made, it takes the status and Sent for those of a submit.
func (a Attempt) mayHaveCreated() bool {
	switch {
	case a.proof != noProof:
		return a.proof == maybeCreated
	case a.StatusCode == 0:
		return a.Sent >= FullySent
	}
	return statusMayHaveCreated(a.StatusCode)
}

// record adds an attempt to the history. ctx is the context of the attempt, and the
// event that of its end.
func (c *call) record(ctx context.Context, r exchange.Report, start time.Time) Event {
	now := time.Now()
	r.Header = keptHeader(r.Header)
	c.last = outcome{report: r, limits: ratelimitheader.Read(r.Header, now), at: now}
	a := Attempt{
		Start: start, Duration: now.Sub(start), StatusCode: r.Status, Err: safeerr.Error(r.Err), Wait: c.waited,
		BytesSent: r.BytesSent, Sent: delivery(&r), ConnReused: r.ConnReused, proof: notCreated, replayed: c.request.submit && r.Replayed,
	}
	if mayHaveCreated(&c.request, &r) {
		a.proof = maybeCreated
	}
	c.waited = 0
	c.history.add(a)
	if !c.client.observed() {
		return Event{}
	}
	e := c.eventOf(Event{Kind: EventAttempt, Number: len(c.history.attempts), Attempt: a, RequestID: redact.ID(requestID(r.Header)), Err: a.Err})
	c.client.emit(ctx, e)
	return e
}

// maxHeader is the size up to which the header of an answer is kept as it is.
const maxHeader = 16 << 10

// keptHeader returns what is kept of the header of an answer: of an excessive one, no
// more than the SDK reads.
func keptHeader(h http.Header) http.Header {
	size := 0
	for name, values := range h {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size <= maxHeader {
		return h
	}
	kept := http.Header{}
	for _, name := range slices.Concat(requestIDHeaders, reportedHeaders, reportedNumbers, []string{"Location"}) {
		if v := h[name]; len(v) > 0 && len(v[0]) < maxHeader/16 {
			kept[name] = []string{strings.Clone(v[0])}
		}
	}
	return kept
}

// CallInfo describes how a call went.
type CallInfo struct {
	RequestID string      // of the last answer, from X-Request-Id or a header like it
	Header    http.Header // of the last answer
	RateLimit *RateLimit  // nil where the last answer does not tell
	Attempts  []Attempt   // in order
}

func (c *call) info() CallInfo {
	header := c.last.report.Header
	info := CallInfo{RequestID: requestID(header), Header: header, Attempts: slices.Clip(c.history.attempts)}
	if l := c.last.limits; len(info.Attempts) > 0 && (l.Limit >= 0 || l.Remaining >= 0 || !l.Reset.IsZero()) {
		info.RateLimit = &RateLimit{Limit: l.Limit, Remaining: l.Remaining, ResetAt: l.Reset}
	}
	return info
}

func (i CallInfo) String() string {
	return fmt.Sprintf("CallInfo(%d attempts, request id %s)", len(i.Attempts), cmp.Or(redact.ID(i.RequestID), "none"))
}

// PossibleDuplicate reports whether a submit that succeeded may have created more than
// one job. An attempt before the last may have created one, and so may an attempt that
// the transport repeated by itself. It is PossibleDuplicate of a submission, for
// Client.Do and observers.
func (i CallInfo) PossibleDuplicate() bool {
	for n, a := range i.Attempts {
		if a.replayed || a.mayHaveCreated() && n < len(i.Attempts)-1 {
			return true
		}
	}
	return false
}

// A requestSummary is the part of a request that errors and reports may show.
type requestSummary struct {
	method, route string
	endpoint      string  // method and route with {id}, as Event.Endpoint
	ids           []int64 // of the call, which may be printed
	submit        bool    // the method is not idempotent: a repeat may create a second job
}

// A partSize is the name of a part of the body and the number of bytes of its content,
// -1 when unknown.
type partSize struct {
	name  string
	bytes int64
}

// A history is what happened to a call. It only grows. Each error of the call keeps
// a snapshot.
type history struct {
	requestSummary
	parts      []partSize // of the body, once that is known
	attempts   []Attempt
	attemptBuf [1]Attempt // most calls need no more
	idBuf      [1]int64   // likewise
	doubt      bool       // a job may have been created, by an attempt that is not listed
	ending
}

// madeByHand is the history of an error that the caller made, e.g. in a test. It is that
// of a POST where the error does not say otherwise. last is what the error tells of the
// last attempt.
func madeByHand(method, route string, attempts []Attempt, last Attempt) *history {
	submit := !idempotent(cmp.Or(method, http.MethodPost)) && route != tokenRoute
	return &history{requestSummary: requestSummary{method: method, route: route, submit: submit}, attempts: attempts, doubt: last.mayHaveCreated()}
}

// callText is the call as errors name it: "GET /transcribe/7: ".
func (h *history) callText() string {
	if h.method == "" && h.route == "" {
		return ""
	}
	return strings.TrimSpace(h.method+" "+h.route) + ": "
}

// An ending says why a call was not repeated.
type ending struct {
	reason       string // empty where no reason needs to be given
	pastDeadline bool   // the next wait would have passed the context's deadline
}

func (h *history) add(a Attempt) {
	if h.attempts == nil {
		h.attempts = h.attemptBuf[:0]
	}
	h.attempts = append(h.attempts, a)
}

// snapshot copies the history as it is now, with the reason why the call ends.
func (h *history) snapshot(e ending) *history {
	return &history{requestSummary: h.requestSummary, parts: h.parts, attempts: slices.Clip(h.attempts), ending: e}
}

func (h *history) endsAtDeadline() bool { return h != nil && h.pastDeadline }

// errorSuffix is how the text of an error ends: " (3 attempts in 1.2s, request id x;
// not repeated: …)".
func (h *history) errorSuffix(requestID string) string {
	var notes []string
	if n := len(h.attempts); n > 1 {
		last := h.attempts[n-1]
		took := last.Start.Add(last.Duration).Sub(h.attempts[0].Start)
		notes = append(notes, fmt.Sprintf("%d attempts in %v", n, round(took)))
	}
	if requestID != "" {
		notes = append(notes, "request id "+requestID)
	}
	if h.reason != "" {
		notes = append(notes, h.reason)
	}
	if h.maybeSubmitted() {
		notes = append(notes, "may have been submitted")
	}
	if notes == nil {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// maybeSubmitted reports whether an attempt may have created a job.
func (h *history) maybeSubmitted() bool {
	return h != nil && h.submit && (h.doubt || slices.ContainsFunc(h.attempts, Attempt.mayHaveCreated))
}
