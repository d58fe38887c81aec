package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
)

// newRegistry is what /metrics shows: the process, the site, and the calls of the API.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// instrument counts the calls of the API in a registry. Spans go to OpenTelemetry's global provider, which drops them
// unless the program sets one.
func instrument(r *prometheus.Registry) (ambient.Option, error) {
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(r), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	return ambientotel.Instrument(ambientotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))), nil
}
