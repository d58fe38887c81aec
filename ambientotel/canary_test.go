package ambientotel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
)

// The canaries stand for everything that a caller puts into a request and the service
// into an answer. jobCanary is the id of a job, which a log may show.
const (
	canary    = "Zanqx-Quimby"
	jobCanary = 918273645
)

var canaryDate = time.Date(1931, 7, 19, 3, 4, 5, 0, time.UTC)

// A lockedBuffer is what an exporter writes to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Exporters write what they are given as JSON.
type exporters struct {
	spans, metrics, logs lockedBuffer

	reader  *sdkmetric.ManualReader
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	loggers *sdklog.LoggerProvider
}

func newExporters(t *testing.T) *exporters {
	t.Helper()
	e := &exporters{}
	spans, err := stdouttrace.New(stdouttrace.WithWriter(&e.spans))
	require.NoError(t, err)
	logs, err := stdoutlog.New(stdoutlog.WithWriter(&e.logs))
	require.NoError(t, err)
	e.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	e.reader = sdkmetric.NewManualReader()
	e.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(e.reader))
	e.loggers = sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(logs)))
	return e
}

// exportMetrics writes the metrics so far.
func (e *exporters) exportMetrics(t *testing.T) {
	t.Helper()
	exporter, err := stdoutmetric.New(stdoutmetric.WithWriter(&e.metrics))
	require.NoError(t, err)
	var all metricdata.ResourceMetrics
	require.NoError(t, e.reader.Collect(t.Context(), &all))
	require.NoError(t, exporter.Export(t.Context(), &all))
}

// loudAnswers are answers and failures with the canary in every place.
func loudAnswers() map[string]func(*http.Request) (*http.Response, error) {
	answer := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			h := http.Header{"X-" + canary: {canary}, "Retry-After": {canary}, "Date": {canary}}
			for _, name := range []string{"X-Request-Id", "Server", "Location", "Content-Type", "Www-Authenticate", "Ratelimit", "X-Ratelimit-Limit", "Set-Cookie"} {
				h.Set(name, canary+"="+canary)
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
		}
	}
	detail := fmt.Sprintf(`{"detail": "%s %d", "error": {"message": "%s"}}`, canary, jobCanary, canary)
	input := fmt.Sprintf(`{"detail": [{"loc": ["body", "%[1]s"], "msg": "%[1]s", "type": "%[1]s", "input": "%[1]s", "ctx": {"%[1]s": "%[1]s"}}]}`, canary)
	all := map[string]func(*http.Request) (*http.Response, error){
		"failure": func(*http.Request) (*http.Response, error) { return nil, errors.New(canary) },
		"cut off": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader(canary), failingReader{})), ContentLength: -1, Request: r}, nil
		},
		"created": answer(202, fmt.Sprintf(`{"transcription_id": %[1]d, "scribe_id": %[1]d, "status": "%[2]s"}`, jobCanary, canary)),
		"done":    answer(200, fmt.Sprintf(`{"id": %[1]d, "scribe_id": %[1]d, "task_status": "STT_COMPLETED", "status": "COMPLETED", "raw_text": "%[2]s", "%[2]s": "%[2]s"}`, jobCanary, canary)),
		"failed":  answer(200, fmt.Sprintf(`{"id": %[1]d, "scribe_id": %[1]d, "task_status": "STT_ERROR", "status": "FAILED", "error_message": "%[2]s"}`, jobCanary, canary)),
		"unknown": answer(200, fmt.Sprintf(`{"id": %[1]d, "scribe_id": %[1]d, "task_status": "%[2]s", "status": "%[2]s"}`, jobCanary, canary)),
		"no JSON": answer(200, canary),
	}
	for _, status := range []int{301, 400, 401, 404, 409, 422, 429, 500, 503, 599} {
		all[fmt.Sprint(status)] = answer(status, detail)
		all[fmt.Sprint(status, " with input")] = answer(status, input)
	}
	return all
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New(canary) }

// loudCalls are calls with the canary in every place.
func loudCalls(ctx context.Context, client *ambient.Client) {
	audio := ambient.AudioBytes("/"+canary+".mp3", []byte("ID3\x04"+canary)).WithUploadName(canary + ".mp3").WithContentType("audio/" + canary)
	broken := ambient.AudioReader(canary, io.MultiReader(strings.NewReader("ID3\x04"+canary), failingReader{}))
	request := func(a ambient.Audio) *ambient.TranscriptionRequest {
		return &ambient.TranscriptionRequest{Audio: a, PatientName: canary, DateOfService: canaryDate, AdditionalContext: map[string]any{canary: canary}}
	}
	pace := ambient.WithPollInterval(time.Minute, time.Minute)
	_, _ = client.Transcriptions.SubmitAndWait(ctx, request(audio), pace)
	_, _ = client.Transcriptions.Submit(ctx, request(broken))
	_, _ = client.Transcriptions.Submit(ctx, request(ambient.AudioFile("/nowhere/"+canary)))
	_, _ = client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{jobCanary}, Audio: []ambient.Audio{audio}, Transcripts: []string{canary},
		PatientName: canary, DateOfService: canaryDate, AdditionalContext: map[string]any{canary: canary}}, pace)
	_, _ = client.Scribes.RegenerateFromAudio(ctx, jobCanary, []ambient.Audio{audio})
	_, _ = client.Scribes.Get(ctx, jobCanary)
	for range client.Transcriptions.WaitAll(ctx, []int64{jobCanary, jobCanary + 1}, pace) {
	}
	_ = client.Do(ctx, "POST", "/patients/"+canary+fmt.Sprintf("/%d?name=%s", jobCanary, canary), map[string]string{canary: canary}, nil)
}

// No exporter sees a canary, whatever a call meets. The id of a job is in no span and in
// no metric.
func TestNoCanaryIsExported(t *testing.T) {
	for name, answer := range loudAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newExporters(t)
				otelTransport := otelhttp.NewTransport(roundTripper(answer), otelhttp.WithMeterProvider(e.meters))
				noVault := func(context.Context) (string, string, error) { return "", "", errors.New(canary) }
				for _, options := range [][]ambient.Option{
					{ambient.WithCredentials(canary, canary)},
					{ambient.WithCredentialsFunc(noVault)},
					{ambient.WithToken(canary), ambient.WithHTTPClient(&http.Client{Transport: otelTransport})},
				} {
					client, err := ambient.NewClient(append([]ambient.Option{
						ambient.WithHTTPClient(&http.Client{Transport: roundTripper(answer)}),
						ambient.WithLogger(slog.New(otelslog.NewHandler("synthetic", otelslog.WithLoggerProvider(e.loggers)))),
						ambientotel.Instrument(ambientotel.WithTracerProvider(e.tracers), ambientotel.WithMeterProvider(e.meters), ambientotel.WithPolls()),
					}, options...)...)
					require.NoError(t, err)
					ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Minute, errors.New(canary))
					loudCalls(ctx, client)
					cancel()
					time.Sleep(time.Hour) // in which a renewal of the token gives up
				}
				e.exportMetrics(t)
				spans, metrics, logs := e.spans.String(), e.metrics.String(), e.logs.String()
				for what, text := range map[string]string{"spans": spans, "metrics": metrics, "logs": logs} {
					assert.NotEmpty(t, text, what)
					for _, word := range []string{"zanqx", "quimby", "1931-07"} {
						assert.NotContains(t, strings.ToLower(text), word, what)
					}
				}
				assert.NotContains(t, spans+metrics, fmt.Sprint(jobCanary))
				assert.NotContains(t, spans+metrics, fmt.Sprint(jobCanary+1))
			})
		})
	}
}
