package ambient

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"
)

// EventKind says what happened.
type EventKind string

const (
	EventAttempt           EventKind = "attempt"            // a request was answered or failed: Attempt, Number, Err
	EventRetry             EventKind = "retry"              // the call now waits to be repeated: Wait, Err
	EventLimitWait         EventKind = "limit_wait"         // the call has waited for the rate limit: Wait
	EventLimitClosed       EventKind = "limit_closed"       // the calls of an endpoint wait for the rate limit: Route, Wait, Waiting
	EventLimitOpened       EventKind = "limit_opened"       // they go on: Route, Waiting
	EventToken             EventKind = "token"              // a token was fetched, or was not: Err
	EventPoll              EventKind = "poll"               // a job was looked at: ID, Status, Number, Wait until the next time, Err
	EventCall              EventKind = "call"               // a call ended: Duration, Number of attempts, ID of the job it asked for or created, Err
	EventJob               EventKind = "job"                // a wait ended: ID, Status, Duration, Number of polls, Err
	EventUnknownStatus     EventKind = "unknown_status"     // a job is in a state this SDK does not know: ID, Status
	EventAudioFormat       EventKind = "audio_format"       // audio is not what the API documents, or what it claims to be: Note
	EventLatePanic         EventKind = "late_panic"         // a function of the caller panicked outside of a call, or after its end: Note
	EventPossibleDuplicate EventKind = "possible_duplicate" // a submit succeeded after an attempt that may have been taken too: Number
)

// Event is one thing that happened, for metrics and logs. It prints no patient data,
// secret, or text of the server. Err holds what its type says. Fields that do not
// belong to its kind are zero.
type Event struct {
	Kind      EventKind
	Time      time.Time
	Call      int64 // number of the call in its client; a wait and its polls are one call
	Method    string
	Route     string  // with ids, without a query; of EventLimitClosed and EventLimitOpened with {id} for each
	RequestID string  // masked if it does not look like an id
	Number    int     // of the attempt or poll, counted from 1; of EventCall and EventJob, how many there were
	Attempt   Attempt // of EventAttempt
	Wait      time.Duration
	Duration  time.Duration // of a call or wait, its pauses included
	Waiting   int           // calls in line
	ID        int64         // of a job
	Status    string        // of a job; words that no API English has are masked
	Note      string        // in this SDK's words
	Err       error         // safe to print; of EventAttempt it is Attempt.Err, else one of this package's
}

// Endpoint returns the method and route with {id} for each id, such as "GET
// /transcribe/{id}". It is a label for metrics. It is empty for events that belong to
// no call.
func (e Event) Endpoint() string {
	if e.Route == "" {
		return ""
	}
	segments := strings.Split(e.Route, "/")
	for i, s := range segments {
		if s != "" && strings.Trim(s, "0123456789") == "" {
			segments[i] = "{id}"
		}
	}
	return e.Method + " " + strings.Join(segments, "/")
}

// emit gives the observers an event and the context it happened in. It costs nothing
// without an observer.
func (c *Client) emit(ctx context.Context, e Event) {
	if len(c.observers) == 0 {
		return
	}
	if ctx.Err() != nil { // an exporter of logs that honours it would lose the end of the call
		ctx = context.WithoutCancel(ctx)
	}
	e.Time = time.Now()
	for _, observe := range c.observers {
		observe(ctx, e)
	}
}

// reportLatePanic reports a panic that no call can surface. The value may hold anything,
// so it is not shown. Where that makes an observer panic, the others hear of it.
func (c *Client) reportLatePanic(ctx context.Context, v any) {
	if v == nil {
		return
	}
	for _, observe := range c.observers {
		func() {
			defer func() { _ = recover() }()
			observe(context.WithoutCancel(ctx), Event{Kind: EventLatePanic, Time: time.Now(), Note: "a function of the caller panicked outside of a call"})
		}()
	}
}

// observed reports whether anything looks at calls.
func (c *Client) observed() bool { return len(c.observers) > 0 || c.tracer != nil }

// emit emits an event of the call.
func (c *call) emit(e Event) {
	if len(c.client.observers) > 0 {
		c.client.emit(c.ctx, c.eventOf(e))
	}
}

func (c *call) eventOf(e Event) Event {
	e.Call, e.Method, e.Route = c.number, c.request.method, c.request.route
	return e
}

// begin starts the call. The function that it returns ends the call.
func (c *call) begin() span {
	ctx, s := c.client.begin(c.ctx, Operation{Kind: "call", Method: c.request.method, Endpoint: c.request.endpoint})
	c.ctx = ctx
	return s
}

// finish ends the call.
func (c *call) finish(s span, start time.Time, err error) {
	e := c.eventOf(Event{Kind: EventCall, Duration: time.Since(start), Number: len(c.history.attempts), ID: c.job, Err: err})
	c.client.emit(c.ctx, e)
	s.end(e)
}

// errPanicked ends what a panic cut off, in events.
var errPanicked = errors.New("a function of the caller panicked")

// slogObserver returns an observer that logs. What a caller must look into has the
// level Warn, what explains a slow call Info, and the rest Debug.
func slogObserver(l *slog.Logger) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		level := levelOf(e)
		if !l.Enabled(ctx, level) {
			return
		}
		l.LogAttrs(ctx, level, "ambient: "+string(e.Kind), attrsOf(e)...)
	}
}

func levelOf(e Event) slog.Level {
	switch e.Kind {
	case EventPossibleDuplicate, EventUnknownStatus, EventAudioFormat, EventLatePanic:
		return slog.LevelWarn
	case EventToken:
		if e.Err != nil {
			return slog.LevelWarn
		}
		return slog.LevelInfo
	case EventRetry, EventLimitWait, EventLimitClosed, EventLimitOpened:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// attrsOf lists what an event says. It is an allow-list. A field is logged because it
// stands here.
func attrsOf(e Event) []slog.Attr {
	attrs := make([]slog.Attr, 0, 12)
	add := func(present bool, a slog.Attr) {
		if present {
			attrs = append(attrs, a)
		}
	}
	add(e.Call > 0, slog.Int64("call", e.Call))
	add(e.Method != "", slog.String("method", e.Method))
	add(e.Route != "", slog.String("route", e.Route))
	add(e.RequestID != "", slog.String("request_id", e.RequestID))
	add(e.Number > 0, slog.Int(numberKey(e.Kind), e.Number))
	if e.Kind == EventAttempt {
		add(e.Attempt.StatusCode > 0, slog.Int("status", e.Attempt.StatusCode))
		add(true, milliseconds("duration_ms", e.Attempt.Duration))
		add(e.Attempt.BytesSent > 0, slog.Int64("bytes_sent", e.Attempt.BytesSent))
		add(true, slog.String("sent", e.Attempt.Sent.String()))
		add(true, slog.Bool("conn_reused", e.Attempt.ConnReused))
	}
	add(e.Kind == EventCall || e.Kind == EventJob, milliseconds("duration_ms", e.Duration))
	add(e.Wait > 0, milliseconds("wait_ms", e.Wait))
	add(e.Waiting > 0, slog.Int("waiting", e.Waiting))
	add(e.ID > 0, slog.Int64("job", e.ID))
	add(e.Status != "", slog.String("job_status", e.Status))
	add(e.Note != "", slog.String("note", e.Note))
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", safeText(e.Err)))
	}
	return attrs
}

// numberKey is what an event's Number counts.
func numberKey(k EventKind) string {
	switch k {
	case EventPoll:
		return "poll"
	case EventCall:
		return "attempts"
	case EventJob:
		return "polls"
	}
	return "attempt"
}

// milliseconds is a duration as logs hold it: a number, with its unit in the key.
func milliseconds(key string, d time.Duration) slog.Attr {
	return slog.Float64(key, float64(d.Microseconds())/1000)
}
