package main

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
)

// tracedGetters are pairs, the first of each without tracing. Both modules get
// providers of the same kind. They make every span and metric, and export none.
func tracedGetters() []getter {
	instrument := ambientotel.Instrument(ambientotel.WithTracerProvider(newTracers()), ambientotel.WithMeterProvider(newMeters()))
	wrapped := otelhttp.NewTransport(newCanned(transcriptionJSON), otelhttp.WithTracerProvider(newTracers()), otelhttp.WithMeterProvider(newMeters()))
	plain := &http.Client{Transport: newCanned(transcriptionJSON)}
	return []getter{
		{nameOurs, "", getJob(ours(loopback, newCanned(transcriptionJSON)))},
		{nameOurs + ", ambientotel", "a span of the call and one of the attempt, 2 histograms", getJob(ours(loopback, newCanned(transcriptionJSON), instrument))},
		{nameNetHTTP, "", getWith(plain)},
		{nameNetHTTP + ", otelhttp", "a span of the request, its metrics", getWith(&http.Client{Transport: wrapped})},
	}
}

// newTracers records each span and drops it at its end.
func newTracers() *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropSpans{}))
}

func newMeters() *sdkmetric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

type dropSpans struct{}

func (dropSpans) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropSpans) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropSpans) Shutdown(context.Context) error                  { return nil }
func (dropSpans) ForceFlush(context.Context) error                { return nil }

func getJob(c *ambient.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.Transcriptions.Get(ctx, 7)
		return err
	}
}

func (r *results) reportTracing(d *doc) {
	d.line("\n## Tracing on")
	d.line("\nThe same GET, with every span and metric of OpenTelemetry made and none exported. otelhttp is alone, around a request by")
	d.line("hand. What tracing adds is the difference to the row above, round by round. Each function of WithTracer runs in a goroutine,")
	d.line("so that one that hangs can be left behind. That is most of the time that ambientotel adds.")
	d.table("client", "allocations", "bytes", "time, µs", "added allocations", "added time, µs", "with")
	for i, g := range r.tracing {
		allocs, micros := "", ""
		if i%2 == 1 {
			plain := r.tracing[i-1]
			allocs, micros = fmt.Sprint(g.allocs-plain.allocs), g.nanos.less(plain.nanos).micros().spread(1)
		}
		d.row(g.name, fmt.Sprint(g.allocs), fmt.Sprint(g.bytes), g.nanos.micros().spread(1), allocs, micros, g.note)
	}
}
