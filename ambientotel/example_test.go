package ambientotel_test

import (
	"context"
	"fmt"
	"net/http"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A span of the caller's holds the calls of a visit together.
func ExampleInstrument() {
	spans := tracetest.NewInMemoryExporter() // an OTLP exporter, in production
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	server := ambienttest.NewServer()
	defer server.Close()
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password),
		ambientotel.Instrument(ambientotel.WithTracerProvider(provider)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := client.Authenticate(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	spans.Reset() // those of the token

	ctx, span := provider.Tracer("clinic").Start(context.Background(), "visit")
	_, err = client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic"))})
	span.End()
	if err != nil {
		fmt.Println(err)
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name)
	}

	// Output:
	// client POST /transcribe
	// internal ambient POST /transcribe
	// internal visit
}

// The service sees the trace only if it is sent.
func ExamplePropagate() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	_, err := ambient.NewClient(
		ambient.WithToken("synthetic"),
		ambient.WithHTTPClient(&http.Client{Transport: ambientotel.Propagate(transport)}),
		ambientotel.Instrument(ambientotel.WithPolls()),
	)
	fmt.Println(err)

	// Output: <nil>
}
