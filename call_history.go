package ambient

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// Delivery says how far a request got.
type Delivery int

const ( // in the order of exchange.Delivery
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

// Attempt is one request of a call that was handed to the transport. Retries,
// repeats after a 429 and the replay after a 401 are attempts of their own;
// token calls are not.
type Attempt struct {
	Start      time.Time
	Duration   time.Duration // until the answer was read, or the attempt failed
	StatusCode int           // 0 without an answer
	Err        error         // nil if the answer was read in full; safe to print
	Wait       time.Duration // before it: for the backoff and the rate limit
	BytesSent  int64         // of the request's body
	Sent       Delivery
	ConnReused bool // false where the transport does not tell

	maybeTaken bool // the service may have created what it asked for
	repeated   bool // by the transport, so that it may have been taken twice
}

// keep adds an attempt to the call's record.
func (c *call) keep(r exchange.Report, start time.Time) {
	c.lastHeader = r.Header
	a := Attempt{
		Start: start, Duration: time.Since(start), StatusCode: r.Status, Err: safeerr.Error(r.Err), Wait: c.waited,
		BytesSent: r.BytesSent, Sent: Delivery(r.Sent), ConnReused: r.ConnReused, maybeTaken: c.mayHaveTaken(r), repeated: c.submit && r.Repeated,
	}
	c.waited = 0
	if c.attempts == nil {
		c.attempts = c.first[:0]
	}
	c.attempts = append(c.attempts, a)
	c.emit(Event{Kind: EventAttempt, Number: len(c.attempts), Attempt: a, RequestID: redact.ID(requestID(r.Header)), Err: a.Err})
}

// CallInfo tells how a call went.
type CallInfo struct {
	RequestID string      // of the last answer, from X-Request-Id or a header like it
	Header    http.Header // of the last answer
	RateLimit *RateLimit  // nil where the last answer does not tell
	Attempts  []Attempt   // in order
}

func (c *call) callInfo() CallInfo {
	info := CallInfo{RequestID: requestID(c.lastHeader), Header: c.lastHeader, Attempts: c.attempts}
	if l := c.limits; l.Limit >= 0 || l.Remaining >= 0 || !l.Reset.IsZero() {
		info.RateLimit = &RateLimit{Limit: l.Limit, Remaining: l.Remaining, ResetAt: l.Reset}
	}
	return info
}

func (i CallInfo) String() string {
	return fmt.Sprintf("CallInfo(%d attempts, request id %s)", len(i.Attempts), cmp.Or(redact.ID(i.RequestID), "none"))
}

func (i CallInfo) Format(s fmt.State, verb rune) { formatText(s, verb, i.String()) }
func (i CallInfo) MarshalText() ([]byte, error)  { return []byte(i.String()), nil }
func (i CallInfo) LogValue() slog.Value          { return slog.StringValue(i.String()) }

// PossibleDuplicate reports of a submit that succeeded whether the service may
// have taken it more than once: an attempt before the last, or one that the
// transport repeated by itself. It is what a submission's PossibleDuplicate tells,
// for Client.Do and observers.
func (i CallInfo) PossibleDuplicate() bool {
	for n, a := range i.Attempts {
		if a.repeated || a.maybeTaken && n < len(i.Attempts)-1 {
			return true
		}
	}
	return false
}

// A record is what a call leaves behind in its errors.
type record struct {
	method, route string
	ids           []int64     // of the call, which may be printed
	parts         []form.Size // of the request's body
	submit        bool        // its method is not idempotent: a repeat may create a second job
	attempts      []Attempt
	first         [1]Attempt // most calls need no more room
	note          string     // why the call was not repeated
	pastDeadline  bool       // that is because the wait would have passed the context's deadline
}

func (r *record) endsAtDeadline() bool { return r != nil && r.pastDeadline }

// tail is how an error's text ends: " (3 attempts in 1.2s, request id x; not repeated: …)".
func (r *record) tail(requestID string) string {
	var notes []string
	if n := len(r.attempts); n > 1 {
		last := r.attempts[n-1]
		took := last.Start.Add(last.Duration).Sub(r.attempts[0].Start)
		notes = append(notes, fmt.Sprintf("%d attempts in %v", n, round(took)))
	}
	if requestID != "" {
		notes = append(notes, "request id "+requestID)
	}
	if r.note != "" {
		notes = append(notes, r.note)
	}
	if r.maybeSubmitted() {
		notes = append(notes, "may have been submitted")
	}
	if notes == nil {
		return ""
	}
	return " (" + strings.Join(notes, "; ") + ")"
}

// maybeSubmitted reports whether the service may have taken an attempt.
func (r *record) maybeSubmitted() bool {
	if r == nil {
		return false
	}
	for _, a := range r.attempts {
		if a.maybeTaken {
			return true
		}
	}
	return false
}
