package ambientotel_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A bench is a client whose telemetry is kept in memory.
type bench struct {
	t       *testing.T
	srv     *ambienttest.Server
	client  *ambient.Client
	spans   *tracetest.InMemoryExporter
	tracers *sdktrace.TracerProvider
	reader  *sdkmetric.ManualReader
	meters  *sdkmetric.MeterProvider
}

// onBench runs a test against a fake API in virtual time.
func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.client = b.newClient(b.instrument())
		test(b)
	})
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, srv: ambienttest.StartInMemory(t), spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	b.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans))
	b.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader))
	return b
}

func (b *bench) instrument(opts ...ambientotel.Option) ambient.Option {
	return ambientotel.Instrument(append([]ambientotel.Option{ambientotel.WithTracerProvider(b.tracers), ambientotel.WithMeterProvider(b.meters)}, opts...)...)
}

func (b *bench) newClient(instrument ambient.Option, opts ...ambient.Option) *ambient.Client {
	b.t.Helper()
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(b.srv.URL), ambient.WithHTTPClient(b.srv.Client()), ambient.WithCredentials(b.srv.Username, b.srv.Password), instrument,
	}, opts...)...)
	require.NoError(b.t, err)
	return client
}

// haveToken fetches a token and forgets its spans.
func (b *bench) haveToken() {
	b.t.Helper()
	require.NoError(b.t, b.client.Authenticate(b.t.Context()))
	synctest.Wait()
	b.spans.Reset()
}

func visit() *ambient.TranscriptionRequest {
	return &ambient.TranscriptionRequest{Audio: ambient.AudioBytes("visit.mp3", append([]byte("ID3\x04"), make([]byte, 4096)...))}
}

// scriptJob makes the next transcription last for d.
func (b *bench) scriptJob(d time.Duration) {
	b.srv.ScriptTranscription(ambienttest.Step{Status: "STT_PROCESSING", For: d}, ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": "synthetic"}})
}

// tree prints the spans, each below the one it is in.
func (b *bench) tree() string {
	synctest.Wait()
	children := map[trace.SpanID][]tracetest.SpanStub{}
	for _, s := range b.spans.GetSpans() {
		children[s.Parent.SpanID()] = append(children[s.Parent.SpanID()], s)
	}
	var text strings.Builder
	var print func(parent trace.SpanID, indent string)
	print = func(parent trace.SpanID, indent string) {
		spans := children[parent]
		slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
		for i, s := range spans {
			branch, below := "├── ", "│   "
			if i == len(spans)-1 {
				branch, below = "└── ", "    "
			}
			if parent == (trace.SpanID{}) {
				branch, below = "", ""
			}
			name := indent + branch + s.Name
			fmt.Fprintf(&text, "%s%s %6s  %s\n", name, strings.Repeat(" ", max(44-len([]rune(name)), 0)), s.EndTime.Sub(s.StartTime).Round(time.Millisecond), describe(s))
			print(s.SpanContext.SpanID(), indent+below)
		}
	}
	print(trace.SpanID{}, "")
	return text.String()
}

// describe lists the attributes of a span but those that its name and the server say.
func describe(s tracetest.SpanStub) string {
	var words []string
	for _, a := range s.Attributes {
		switch key := string(a.Key); {
		case strings.HasPrefix(key, "url."), strings.HasPrefix(key, "server."), key == "http.request.method", key == "http.request.body.size":
		default:
			words = append(words, key+"="+a.Value.String())
		}
	}
	slices.Sort(words)
	if s.Status.Code == codes.Error {
		words = append(words, "ERROR")
	}
	return strings.Join(append([]string{strings.ToUpper(s.SpanKind.String())}, words...), " ")
}

// sums are the values of counters and the counts of histograms, by name and attributes.
func (b *bench) sums() map[string]int64 {
	b.t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(b.t, b.reader.Collect(context.Background(), &all))
	sums := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					sums[m.Name+labels(p.Attributes)] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					sums[m.Name+labels(p.Attributes)] += int64(p.Count)
				}
			}
		}
	}
	return sums
}

func labels(set attribute.Set) string {
	var words []string
	for _, a := range set.ToSlice() {
		if !strings.HasPrefix(string(a.Key), "server.") {
			words = append(words, string(a.Key)+"="+a.Value.String())
		}
	}
	return strings.TrimSuffix("{"+strings.Join(words, " ")+"}", "{}")
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name + ".txt"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test -update writes %s", cmp.Or(file, ""))
}
