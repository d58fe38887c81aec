package ambientotel

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
)

type metrics struct {
	requests   metric.Float64Histogram
	calls      metric.Float64Histogram
	jobs       metric.Float64Histogram
	limitWaits metric.Float64Histogram
	retries    metric.Int64Counter
	polls      metric.Int64Counter
	duplicates metric.Int64Counter
	unknown    metric.Int64Counter
	tokens     metric.Int64Counter
}

// newMetrics makes the instruments. The bounds of requests are those of the semantic
// conventions, which end at 10 s, and go on from there, since an upload lasts longer.
func newMetrics(meter metric.Meter) (*metrics, error) {
	requestBounds := []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600}
	waitBounds := []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900}
	jobBounds := []float64{1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600}
	var errs []error
	seconds := func(name, description string, bounds []float64) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	count := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	m := &metrics{
		requests:   seconds("http.client.request.duration", "Duration of HTTP client requests.", requestBounds),
		calls:      seconds("ambient.client.call.duration", "Duration of calls, with their repeats and pauses.", requestBounds),
		jobs:       seconds("ambient.client.job.wait.duration", "How long waits for a job lasted.", jobBounds),
		limitWaits: seconds("ambient.client.rate_limit.wait.duration", "How long calls waited for the rate limit.", waitBounds),
		retries:    count("ambient.client.retries", "{retry}", "Calls that were repeated after a failure."),
		polls:      count("ambient.client.polls", "{poll}", "Polls of jobs."),
		duplicates: count("ambient.client.possible_duplicates", "{submit}", "Submits that may have created two jobs."),
		unknown:    count("ambient.client.maybe_submitted", "{submit}", "Submits that failed and may have created a job."),
		tokens:     count("ambient.client.token_renewals", "{renewal}", "Tokens that were fetched, or were not."),
	}
	err := errors.Join(errs...)
	if err == nil {
		m.beginAtZero()
	}
	return m, err
}

// beginAtZero lets the counters that ask for a person begin at 0. A series that begins
// at 1 hides its first count from the functions rate and increase of Prometheus.
func (m *metrics) beginAtZero() {
	for _, template := range []string{"/transcribe", "/scribe", "/scribe/{id}/regenerate/audio"} {
		labels := metric.WithAttributes(endpoint{method: http.MethodPost, template: template}.labels()...)
		m.duplicates.Add(context.Background(), 0, labels)
		m.unknown.Add(context.Background(), 0, labels)
	}
}

// record counts an operation that has ended.
func (m *metrics) record(ctx context.Context, o *operation, e ambient.Event) {
	switch e.Kind {
	case ambient.EventAttempt:
		attrs := o.endpoint.attributes()
		if e.Attempt.StatusCode > 0 {
			attrs = append(attrs, semconv.HTTPResponseStatusCode(e.Attempt.StatusCode))
		}
		m.requests.Record(ctx, e.Attempt.Duration.Seconds(), with(attrs, e))
	case ambient.EventCall:
		m.calls.Record(ctx, e.Duration.Seconds(), with(o.endpoint.labels(), e))
		if ambient.MaybeSubmitted(e.Err) {
			m.unknown.Add(ctx, 1, metric.WithAttributes(o.endpoint.labels()...))
		}
	case ambient.EventJob:
		attrs := append(o.endpoint.labels(), jobStatus.String(statusOf(e)))
		m.jobs.Record(ctx, e.Duration.Seconds(), with(attrs, e))
		m.polls.Add(ctx, int64(e.Number), metric.WithAttributes(o.endpoint.labels()...))
	}
}

// observe counts what happens within an operation, as ambient.WithObserver asks for.
func (t *tracer) observe(ctx context.Context, e ambient.Event) {
	var attrs []attribute.KeyValue
	if o, ok := ctx.Value(operationKey{}).(*operation); ok {
		attrs = o.endpoint.labels()
	}
	switch m := t.metrics; e.Kind {
	case ambient.EventRetry:
		m.retries.Add(ctx, 1, with(attrs, e))
	case ambient.EventLimitWait:
		m.limitWaits.Record(ctx, e.Wait.Seconds(), metric.WithAttributes(attrs...))
	case ambient.EventToken:
		m.tokens.Add(ctx, 1, with(nil, e))
	case ambient.EventPossibleDuplicate:
		m.duplicates.Add(ctx, 1, metric.WithAttributes(attrs...))
		trace.SpanFromContext(ctx).SetAttributes(callDuplicate.Bool(true))
	}
}

// with adds the kind of failure to attributes.
func with(attrs []attribute.KeyValue, e ambient.Event) metric.MeasurementOption {
	if failure := errorType(e); failure != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(failure))
	}
	return metric.WithAttributes(attrs...)
}
