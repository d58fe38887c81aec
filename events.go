package ambient

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// EventKind says what an Event tells of.
type EventKind string

const (
	EventAttempt           EventKind = "attempt"            // a request was answered or failed: Attempt, Number, Err
	EventRetry             EventKind = "retry"              // the call now waits to be repeated: Wait, Err
	EventLimitWait         EventKind = "limit_wait"         // the call has waited for the rate limit: Wait
	EventLimitClosed       EventKind = "limit_closed"       // all calls of the client wait for the rate limit: Wait, Waiting
	EventLimitOpened       EventKind = "limit_opened"       // they go on: Waiting
	EventToken             EventKind = "token"              // a token was fetched, or was not: Err
	EventPoll              EventKind = "poll"               // a job was looked at: ID, Status, Number, Wait until the next time, Err
	EventUnknownStatus     EventKind = "unknown_status"     // a job is in a state this SDK does not know: ID, Status
	EventAudioFormat       EventKind = "audio_format"       // audio is not what the API documents, or what it claims to be: Note
	EventLatePanic         EventKind = "late_panic"         // a function of the caller panicked after its call had returned: Note
	EventPossibleDuplicate EventKind = "possible_duplicate" // a submit succeeded after an attempt that may have been taken too: Number
)

// Event is one thing that happened, for metrics and logs. It prints no patient
// data, secret, or text of the server; Err holds what its type says. Fields that
// do not belong to its kind are zero.
type Event struct {
	Kind      EventKind
	Time      time.Time
	Call      int64 // number of the call in its client; a wait and its polls are one call
	Method    string
	Route     string  // with ids, without a query
	RequestID string  // masked if it does not look like an id
	Number    int     // of the attempt or poll, counted from 1
	Attempt   Attempt // of EventAttempt
	Wait      time.Duration
	Waiting   int    // calls in line
	ID        int64  // of a job
	Status    string // of a job; words that no API English has are masked
	Note      string // in this SDK's words
	Err       error  // safe to print; of EventAttempt it is Attempt.Err, else one of this package's
}

// Endpoint returns the method and route with {id} for each id, such as
// "GET /transcribe/{id}": a label for metrics. It is empty for events that belong
// to no call.
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
	e.Time = time.Now()
	for _, observe := range c.observers {
		observe(ctx, e)
	}
}

// reportLatePanic reports a panic that no call can surface any more. The value may hold
// anything, so it is not shown.
func (c *Client) reportLatePanic(ctx context.Context, v any) {
	if v != nil {
		c.emit(context.WithoutCancel(ctx), Event{Kind: EventLatePanic, Note: "a function of the caller panicked after its call had returned"})
	}
}

// emit emits an event of the call.
func (c *call) emit(e Event) {
	if len(c.client.observers) == 0 {
		return
	}
	e.Call, e.Method, e.Route = c.number, c.request.method, c.request.route
	c.client.emit(c.ctx, e)
}

// slogObserver returns an observer that logs: what a caller must look into at Warn,
// what explains a slow call at Info, the rest at Debug.
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

// attrsOf lists what an event says. It is an allow-list: a field is logged
// because it stands here.
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
	if e.Kind == EventPoll {
		add(true, slog.Int("poll", e.Number))
	} else {
		add(e.Number > 0, slog.Int("attempt", e.Number))
	}
	if e.Kind == EventAttempt {
		add(e.Attempt.StatusCode > 0, slog.Int("status", e.Attempt.StatusCode))
		add(true, milliseconds("duration_ms", e.Attempt.Duration))
		add(e.Attempt.BytesSent > 0, slog.Int64("bytes_sent", e.Attempt.BytesSent))
		add(true, slog.String("sent", e.Attempt.Sent.String()))
		add(true, slog.Bool("conn_reused", e.Attempt.ConnReused))
	}
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

// milliseconds is a duration as logs hold it: a number, with its unit in the key.
func milliseconds(key string, d time.Duration) slog.Attr {
	return slog.Float64(key, float64(d.Microseconds())/1000)
}
