package ambientotel

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
)

const scope = "github.com/ambient-scribe/ambient-go/ambientotel"

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
	polls   bool
}

// An Option configures Instrument.
type Option func(*config) error

// WithTracerProvider sets where spans go. The default is otel.GetTracerProvider.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("ambientotel: WithTracerProvider: the provider is nil")
		}
		c.tracers = p
		return nil
	}
}

// WithMeterProvider sets where metrics go. The default is otel.GetMeterProvider.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) error {
		if p == nil {
			return errors.New("ambientotel: WithMeterProvider: the provider is nil")
		}
		c.meters = p
		return nil
	}
}

// WithPolls makes spans of all polls of a wait. Without it only a poll that met a
// failure has spans.
func WithPolls() Option {
	return func(c *config) error {
		c.polls = true
		return nil
	}
}

// Instrument returns an option of ambient.NewClient that reports the calls of the
// client. What is wrong with an option is an error of NewClient.
func Instrument(opts ...Option) ambient.Option {
	return func(client *ambient.Client) error {
		c := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
		for _, o := range opts {
			if o == nil {
				return errors.New("ambientotel: Instrument: an option is nil")
			}
			if err := o(&c); err != nil {
				return err
			}
		}
		m, err := newMetrics(c.meters.Meter(scope, metric.WithInstrumentationVersion(ambient.Version), metric.WithSchemaURL(semconv.SchemaURL)))
		if err != nil {
			return err
		}
		t := &tracer{
			tracer:  c.tracers.Tracer(scope, trace.WithInstrumentationVersion(ambient.Version), trace.WithSchemaURL(semconv.SchemaURL)),
			metrics: m,
			polls:   c.polls,
		}
		return errors.Join(ambient.WithTracer(t.start)(client), ambient.WithObserver(t.observe)(client))
	}
}
