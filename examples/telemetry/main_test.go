package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// The program ends by itself, and shows what happened.
func TestProgram(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	text := regexp.MustCompile(` +`).ReplaceAllString(out.String(), " ")
	for _, want := range []string{
		"\na visit that the rate limit holds up ", "├── POST /transcribe \\S+ error.type=429 ", " http.request.resend_count=1 ",
		"\na visit that meets a 503 ", "├── POST /transcribe \\S+ error.type=503 ", "└── ambient wait GET /scribe/{id} \\S+ ambient.job.status=COMPLETED ambient.wait.polls=\\d+\n",
		"\na visit whose answer is lost \\S+ ERROR\n└── ambient POST /transcribe \\S+ ambient.call.attempts=1 ambient.maybe_submitted=true error.type=connection ERROR\n",
		"\na visit that may have two jobs ", "ambient.possible_duplicate=true\n",
		"\na visit with a slow upload \\S+\n├── ambient POST /transcribe [1-9]\\.?\\d*s ",
		" WARN trace_id=[0-9a-f]{32} \"ambient: possible_duplicate\" ",
		"\nhttp_client_request_duration_seconds_count{",
		"\nambient_client_maybe_submitted_total{http_request_method=\"POST\",url_template=\"/transcribe\"} 1.0 # {",
	} {
		assert.Regexp(t, want, text)
	}
}

// A lived day is a bad day and what OpenTelemetry saw of it.
type livedDay struct {
	*telemetry
	server  *ambienttest.Server
	printed string
	page    string // of metrics, whole
}

func live(t *testing.T, options ...ambienttest.Option) *livedDay {
	t.Helper()
	telemetry, err := newTelemetry()
	require.NoError(t, err)
	site := httptest.NewServer(telemetry.site())
	defer site.Close()
	server := ambienttest.NewServer(append(options, ambienttest.WithJobTime(0))...)
	defer server.Close()
	clinic, err := newClinic(server, telemetry)
	require.NoError(t, err)
	clinic.liveBadDay(t.Context())
	var printed bytes.Buffer
	require.NoError(t, telemetry.print(t.Context(), &printed, site.URL+"/metrics"))
	return &livedDay{telemetry, server, printed.String(), metricsOf(t, site.URL+"/metrics")}
}

func metricsOf(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/openmetrics-text")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(page)
}

// A log line, an exemplar and a span of one call have the same trace and span.
func TestLogExemplarAndSpanOfACall(t *testing.T) {
	t.Parallel()
	day := live(t)
	for _, call := range []struct {
		attribute attribute.KeyValue // of the span
		message   string             // of the log line
		counter   string             // with the exemplar
	}{
		{attribute.Bool("ambient.possible_duplicate", true), "ambient: possible_duplicate", "ambient_client_possible_duplicates_total"},
		{attribute.Bool("ambient.possible_duplicate", true), "ambient: retry", `ambient_client_retries_total{error_type="502"`},
	} {
		exemplar := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(call.counter) + `.* # \{.*`).FindString(day.page)
		found := 0
		for _, s := range day.spans.GetSpans() {
			if !slices.Contains(s.Attributes, call.attribute) {
				continue
			}
			trace, span := s.SpanContext.TraceID(), s.SpanContext.SpanID()
			assert.Contains(t, exemplar, `trace_id="`+trace.String()+`"`)
			assert.Contains(t, exemplar, `span_id="`+span.String()+`"`)
			for _, r := range day.logs.records {
				if r.Body().AsString() == call.message && r.SpanID() == span {
					assert.Equal(t, trace, r.TraceID())
					found++
				}
			}
		}
		assert.Equal(t, 1, found, call.message)
	}
}

// Nothing that a visit holds and nothing that opens an account is in a trace, a metric, a
// log, or what the program prints.
func TestNothingOfAVisitIsShown(t *testing.T) {
	t.Parallel()
	day := live(t, ambienttest.WithCredentials("zanqx-user", "zanqx-password"), ambienttest.WithTranscript("Zanqx-transcript"),
		ambienttest.WithNote(map[string]any{"zanqx-field": "zanqx-note"}))
	secrets := []string{"zanqx", "alexandra", "insomnia", "2024-02-29", strings.ToLower(file)}
	sent := map[string]bool{}
	for _, r := range day.server.Requests() {
		secrets = append(secrets, strings.ToLower(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		sent[r.Value("patient_name")+r.Value("date_of_service")+r.Value("additional_context")+r.Value("transcripts")] = true
	}
	all := strings.Join(slices.Collect(maps.Keys(sent)), "\n")
	for _, word := range []string{patient, "2024-02-29", reason, "Zanqx-transcript"} {
		require.Contains(t, all, word, "the service got it")
	}

	spans, err := json.Marshal(day.spans.GetSpans())
	require.NoError(t, err)
	var logs strings.Builder
	for _, r := range day.logs.records {
		logs.WriteString(r.Body().AsString())
		for a := range r.WalkAttributes {
			logs.WriteString(" " + string(a.Key) + "=" + a.Value.String())
		}
	}
	require.Contains(t, logs.String(), "failed", "the answer that names the patient")
	for output, text := range map[string]string{"spans": string(spans), "logs": logs.String(), "metrics": day.page, "printed": day.printed} {
		require.NotEmpty(t, text, output)
		for _, secret := range secrets {
			if secret != "" {
				assert.NotContains(t, strings.ToLower(text), secret, output)
			}
		}
	}
}
