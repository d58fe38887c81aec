package ambientotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	ambient "github.com/ambient-scribe/ambient-go"
)

// A tracer makes spans and metrics of operations.
type tracer struct {
	tracer  trace.Tracer
	metrics *metrics
	polls   bool
}

// An operation is one that has begun. It is in the context of what happens inside it.
type operation struct {
	ambient.Operation
	endpoint endpoint
	began    time.Time
	span     trace.Span // that of the wait, if the operation is part of a quiet poll

	quiet    bool            // a poll that gets spans only if it fails, or an attempt of one
	attempts []quietAttempt  // of a quiet poll
	parent   context.Context // of a quiet poll
}

// A quietAttempt is an attempt of a poll that has no spans yet.
type quietAttempt struct {
	op    *operation
	event ambient.Event
}

type operationKey struct{}

// start begins an operation, as ambient.WithTracer asks for.
func (t *tracer) start(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
	outer, _ := ctx.Value(operationKey{}).(*operation)
	o := &operation{Operation: op, endpoint: endpointOf(op), began: time.Now(), parent: ctx}
	o.quiet = outer != nil && (outer.isQuietPoll(op) || !t.polls && outer.isWaitOf(op))
	if o.quiet {
		o.span = outer.span
	} else {
		ctx, o.span = t.begin(ctx, o, o.began)
	}
	if op.Kind == "attempt" {
		ctx = trace.ContextWithSpan(ctx, attemptSpan{o.span})
	}
	ctx = context.WithValue(ctx, operationKey{}, o)
	return ctx, func(e ambient.Event) {
		t.metrics.record(ctx, o, e)
		switch {
		case !o.quiet:
			end(o.span, e)
		case op.Kind == "attempt":
			outer.attempts = append(outer.attempts, quietAttempt{o, e})
		default:
			t.endPoll(o, e)
		}
	}
}

// isWaitOf reports whether op is a poll of the wait o.
func (o *operation) isWaitOf(op ambient.Operation) bool {
	return o.Kind == "wait" && op.Kind == "call" && op.Endpoint == o.Endpoint
}

// isQuietPoll reports whether op is an attempt of the quiet poll o.
func (o *operation) isQuietPoll(op ambient.Operation) bool {
	return o.quiet && o.Kind == "call" && op.Kind == "attempt"
}

// endPoll makes the spans of a poll that met a failure.
func (t *tracer) endPoll(o *operation, e ambient.Event) {
	failed := e.Err != nil
	for _, a := range o.attempts {
		failed = failed || errorType(a.event) != ""
	}
	if !failed {
		return
	}
	ctx, span := t.begin(o.parent, o, o.began)
	for _, a := range o.attempts {
		_, inner := t.begin(ctx, a.op, a.op.began)
		end(inner, a.event)
	}
	end(span, e)
}

// begin starts a span. What is known of it by now is there for samplers.
func (t *tracer) begin(ctx context.Context, o *operation, at time.Time) (context.Context, trace.Span) {
	kind := trace.SpanKindInternal
	if o.Kind == "attempt" {
		kind = trace.SpanKindClient
	}
	return t.tracer.Start(ctx, spanName(o), trace.WithSpanKind(kind), trace.WithTimestamp(at), trace.WithAttributes(beginAttributes(o)...))
}

// end ends a span with the event of its end.
func end(span trace.Span, e ambient.Event) {
	if span.IsRecording() {
		span.SetAttributes(endAttributes(e)...)
		if errorType(e) != "" {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End(trace.WithTimestamp(e.Time))
}

func spanName(o *operation) string {
	switch o.Kind {
	case "call":
		return "ambient " + o.endpoint.name()
	case "wait":
		return "ambient wait " + o.endpoint.name()
	}
	return o.endpoint.name()
}

// An attemptSpan is the span of an attempt, as a transport sees it. A transport that is
// instrumented makes its spans with the provider of the span that it finds. It finds one
// that makes none, since each attempt has its span already, and since it would show the
// URL with the id of the job.
type attemptSpan struct{ trace.Span }

func (attemptSpan) TracerProvider() trace.TracerProvider { return noop.NewTracerProvider() }
