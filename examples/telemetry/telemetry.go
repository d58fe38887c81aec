package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// telemetry is where spans, logs and metrics go. This program keeps spans and logs to
// print them. A program in production gives them to the OTLP exporters, in batches.
type telemetry struct {
	spans    *tracetest.InMemoryExporter
	logs     *logBook
	registry *prometheus.Registry

	tracers *sdktrace.TracerProvider
	loggers *sdklog.LoggerProvider
	meters  *sdkmetric.MeterProvider
}

func newTelemetry() (*telemetry, error) {
	t := &telemetry{spans: tracetest.NewInMemoryExporter(), logs: &logBook{}, registry: prometheus.NewRegistry()}
	t.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(t.spans))
	t.loggers = sdklog.NewLoggerProvider(sdklog.WithProcessor(t.logs))
	metrics, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics))
	return t, nil
}

// site serves /metrics. Only the format OpenMetrics has exemplars.
func (t *telemetry) site() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

// forget drops the spans and the log so far. Metrics only grow.
func (t *telemetry) forget() {
	t.spans.Reset()
	t.logs.mu.Lock()
	defer t.logs.mu.Unlock()
	t.logs.records = nil
}

// A logBook keeps records of level Info and above.
type logBook struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (b *logBook) Enabled(_ context.Context, p sdklog.EnabledParameters) bool {
	return p.Severity >= log.SeverityInfo
}

func (b *logBook) OnEmit(_ context.Context, r *sdklog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, r.Clone())
	return nil
}

func (b *logBook) Shutdown(context.Context) error   { return nil }
func (b *logBook) ForceFlush(context.Context) error { return nil }
