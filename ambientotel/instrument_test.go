package ambientotel_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// What is wrong with an option is an error of NewClient, beside those of others.
func TestBadOptions(t *testing.T) {
	for problem, option := range map[string]ambientotel.Option{
		"WithTracerProvider: the provider is nil": ambientotel.WithTracerProvider(nil),
		"WithMeterProvider: the provider is nil":  ambientotel.WithMeterProvider(nil),
		"an option is nil":                        nil,
	} {
		_, err := ambient.NewClient(ambient.WithToken("synthetic"), ambientotel.Instrument(option), ambient.WithBaseURL("nowhere"))
		assert.ErrorContains(t, err, problem)
		assert.ErrorContains(t, err, "WithBaseURL")
	}
}

// Without providers the global ones are used, which do nothing by default.
func TestGlobalProviders(t *testing.T) {
	onBench(t, func(b *bench) {
		_, err := b.newClient(ambientotel.Instrument()).Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(t, err)
	})
}

// A request's span has what the conventions ask for.
func TestAttributesOfARequest(t *testing.T) {
	onBench(t, func(b *bench) {
		b.haveToken()
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(t, err)
		span := b.spans.GetSpans()[0]
		assert.Equal(t, trace.SpanKindClient, span.SpanKind)
		assert.Equal(t, "github.com/ambient-scribe/ambient-go/ambientotel", span.InstrumentationScope.Name)
		assert.Equal(t, "https://opentelemetry.io/schemas/1.43.0", span.InstrumentationScope.SchemaURL)
		base, err := url.Parse(b.srv.URL)
		require.NoError(t, err)
		got := map[string]string{}
		for _, a := range span.Attributes {
			got[string(a.Key)] = a.Value.String()
		}
		assert.NotEmpty(t, got["http.request.body.size"])
		delete(got, "http.request.body.size")
		assert.Equal(t, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "202", "url.template": "/transcribe", "url.full": "http://" + base.Host + "/transcribe",
			"server.address": base.Hostname(), "server.port": base.Port(),
		}, got)
	})
}

// An attempt that passes a limiter at once has no wait.
func TestAWaitHasAMillisecond(t *testing.T) {
	for pause, want := range map[time.Duration][]string{900 * time.Microsecond: nil, time.Millisecond: {"0.001"}} {
		onBench(t, func(b *bench) {
			client := b.newClient(b.instrument(), ambient.WithLimiter(slowLimiter(pause)))
			_, err := client.Transcriptions.Submit(b.t.Context(), visit())
			require.NoError(t, err)
			var waits []string
			for _, s := range b.spans.GetSpans() {
				for _, a := range s.Attributes {
					if a.Key == "ambient.attempt.wait" && s.Name == submitRoute {
						waits = append(waits, a.Value.String())
					}
				}
			}
			assert.Equal(t, want, waits)
		})
	}
}

// A slowLimiter lets each request through after a while.
type slowLimiter time.Duration

func (l slowLimiter) Wait(context.Context) error {
	time.Sleep(time.Duration(l))
	return nil
}

// With otelhttp as the transport there is one client span an attempt, and none of a poll
// that went well.
func TestWithOtelhttp(t *testing.T) {
	onBench(t, func(b *bench) {
		wrapped := &http.Client{Transport: otelhttp.NewTransport(b.srv.Client().Transport)}
		b.client = b.newClient(b.instrument(), ambient.WithHTTPClient(wrapped))
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.RetryAfter(503, "2"))
		_, err := b.client.Transcriptions.SubmitAndWait(b.t.Context(), visit())
		require.NoError(t, err)
		requests := len(b.srv.RequestsTo(submitRoute))
		clients := 0
		for _, s := range b.spans.GetSpans() {
			if s.SpanKind == trace.SpanKindClient {
				clients++
				assert.Equal(t, submitRoute, s.Name)
			}
		}
		assert.Equal(t, requests, clients)
	})
}

// Nothing of a trace leaves the process, unless Propagate sends it. Then the service sees
// the span of the attempt.
func TestPropagation(t *testing.T) {
	onBench(t, func(b *bench) {
		var header http.Header
		seen := roundTripper(func(r *http.Request) (*http.Response, error) {
			header = r.Header
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"id": 7, "task_status": "STT_COMPLETED"}`)), Request: r}, nil
		})
		for transport, sent := range map[http.RoundTripper]bool{seen: false, ambientotel.Propagate(seen): true} {
			b.spans.Reset()
			client := b.newClient(b.instrument(), ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: transport}))
			_, err := client.Transcriptions.Get(b.t.Context(), 7)
			require.NoError(t, err)
			if sent {
				attempt := b.spans.GetSpans()[0].SpanContext
				assert.Equal(t, "00-"+attempt.TraceID().String()+"-"+attempt.SpanID().String()+"-01", header.Get("Traceparent"))
			} else {
				assert.Empty(t, header.Values("Traceparent"))
			}
			assert.Empty(t, header.Values("Baggage"))
			assert.Equal(t, "Bearer synthetic", header.Get("Authorization"))
		}
	})
}

type transportFunc struct {
	f func(*http.Request) (*http.Response, error)
}

func (t *transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return t.f(r) }

func roundTripper(f func(*http.Request) (*http.Response, error)) *transportFunc {
	return &transportFunc{f}
}

// logs keeps log records.
type logs struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (l *logs) OnEmit(_ context.Context, r *sdklog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r.Clone())
	return nil
}
func (*logs) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*logs) Shutdown(context.Context) error                         { return nil }
func (*logs) ForceFlush(context.Context) error                       { return nil }

// A log line, an exemplar and a span of one call have the same trace, which is that of
// the caller's span.
func TestLogsExemplarsAndSpansShareATrace(t *testing.T) {
	onBench(t, func(b *bench) {
		var kept logs
		bridge := otelslog.NewHandler("synthetic", otelslog.WithLoggerProvider(sdklog.NewLoggerProvider(sdklog.WithProcessor(&kept))))
		client := b.newClient(b.instrument(), ambient.WithLogger(slog.New(bridge)))
		b.srv.Fault(submitRoute, 1, ambienttest.RetryAfter(429, "1"))
		b.srv.Fault(submitRoute, 2, ambienttest.RetryAfter(503, "1"))
		ctx, span := b.tracers.Tracer("synthetic").Start(b.t.Context(), "visit")
		_, err := client.Transcriptions.SubmitAndWait(ctx, visit())
		require.NoError(t, err)
		span.End()
		want := span.SpanContext().TraceID()

		b.tree() // waits for the token's goroutine
		spans := map[trace.SpanID]bool{}
		for _, s := range b.spans.GetSpans() {
			assert.Equal(t, want, s.SpanContext.TraceID(), s.Name)
			spans[s.SpanContext.SpanID()] = true
		}
		messages := map[string]bool{}
		for _, r := range kept.records {
			messages[r.Body().AsString()] = true
			assert.Equal(t, want, r.TraceID(), r.Body().AsString())
			assert.True(t, spans[r.SpanID()], r.Body().AsString())
		}
		for _, kind := range []ambient.EventKind{ambient.EventAttempt, ambient.EventRetry, ambient.EventCall, ambient.EventPoll, ambient.EventJob,
			ambient.EventToken, ambient.EventLimitClosed, ambient.EventLimitOpened, ambient.EventLimitWait} {
			assert.True(t, messages["ambient: "+string(kind)], kind)
		}

		var all metricdata.ResourceMetrics
		require.NoError(t, b.reader.Collect(b.t.Context(), &all))
		exemplars := 0
		for _, m := range all.ScopeMetrics[0].Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				for _, p := range h.DataPoints {
					require.NotEmpty(t, p.Exemplars, m.Name)
					for _, e := range p.Exemplars {
						assert.Equal(t, want[:], e.TraceID, m.Name)
						exemplars++
					}
				}
			}
		}
		assert.Positive(t, exemplars)
	})
}

// A span that the caller sets attributes on while a call runs is the caller's own: the
// calls inside leave it alone.
func TestTheCallersSpanIsLeftAlone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.srv.Fault(submitRoute, 1, ambienttest.Fault{Status: 502, Process: true})
		ctx, span := b.tracers.Tracer("synthetic").Start(b.t.Context(), "visit", trace.WithAttributes(attribute.Bool("synthetic", true)))
		_, err := b.client.Transcriptions.Submit(ctx, visit())
		require.NoError(t, err)
		span.End()
		for _, s := range b.spans.GetSpans() {
			switch s.Name {
			case "visit":
				assert.Len(t, s.Attributes, 1)
				assert.Empty(t, s.Events)
			case "ambient " + submitRoute:
				assert.Contains(t, s.Attributes, attribute.Bool("ambient.possible_duplicate", true))
			}
		}
	})
}
