package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithRateLimit(ambienttest.RateLimit{Limit: 1000, Window: time.Minute, Dialect: ambienttest.XRateLimit}))
	got := testRun{server: srv}.run(t, "doctor")
	assert.Zero(t, got.code, got.stdout)
	for _, text := range []string{
		"ok       version  ambient ", "fips     FIPS 140-3 mode is", "ok       proxy    none", "tls      none: the address is of this machine",
		"ok       clock    within", "ok       token    the service gave one and takes it",
		"ok       limits   told in X-Ratelimit-Limit, X-Ratelimit-Remaining", "ok       headers  ",
	} {
		assert.Contains(t, got.stdout, text)
	}
	srv.AssertCount(t, "POST /transcribe", 0)
	srv.AssertCount(t, "POST /scribe", 0)

	got = testRun{server: srv}.run(t, "doctor", "--json")
	var report struct{ Checks []check }
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &report))
	assert.NotEmpty(t, report.Checks)
}

// Names that the vendor has not documented are shown; values, and names that may
// be values, are not.
func TestDoctorNamesAndShowsNoValue(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptScribe(ambienttest.Step{Status: "WAITING_FOR_REVIEW", Fields: map[string]any{
		"note": map[string]any{"plan": canary, canary: "x"}, "confidence": 1, canary + " Example": 2,
	}})
	srv.ScriptTranscription(ambienttest.Step{Status: "of " + canary, Fields: map[string]any{"raw_text": canary, "language": canary}})
	mp3 := newRecording(t)
	testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	testRun{server: srv}.run(t, "note", "--template", "1", "--audio", mp3, "--no-wait")
	srv.FaultRange("GET /transcribe/{id}", 1, 1, ambienttest.Fault{Status: 404, Header: http.Header{
		"X-Vendor-Cache": {canary}, "X_" + canary: {"1"},
	}})
	got := testRun{server: srv}.run(t, "doctor", "--transcription", "101", "--scribe", "102")
	assert.Zero(t, got.code, got.stdout)
	assert.NotContains(t, got.stdout+got.stderr, canary)
	for _, text := range []string{
		"WAITING_FOR_REVIEW is not documented", "not printed since it is no plain name", "not documented: language ",
		"not documented: confidence, note, note.plan, and 2 that look like", "headers X-Vendor-Cache, and 1 that look like",
	} {
		assert.Contains(t, unwrapped(got.stdout), text)
	}
}

// unwrapped is a report without its line breaks.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestDoctorFindsTrouble(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	got := testRun{server: srv, env: map[string]string{"AMBIENT_PASSWORD": canary}}.run(t, "doctor")
	got.assertFailed(t, exitCredentials, "1 of")
	assert.Contains(t, got.stdout, "failed   token    POST /auth/token: 401")
	got = testRun{server: srv, env: map[string]string{"AMBIENT_USERNAME": ""}}.run(t, "doctor")
	got.assertFailed(t, exitCredentials, "1 of")
	assert.Contains(t, got.stdout, "ok       clock")

	got = testRun{env: map[string]string{"AMBIENT_BASE_URL": "http://127.0.0.1:1/api"}}.run(t, "doctor")
	got.assertFailed(t, exitOther, "1 of")
	assert.Contains(t, got.stdout, "failed   connect  no answer")
	got = testRun{env: map[string]string{"AMBIENT_BASE_URL": "http://" + canary}}.run(t, "doctor")
	got.assertFailed(t, exitOther, "1 of")

	skewed := startServer(t, ambienttest.WithRateLimit(ambienttest.RateLimit{ClockSkew: time.Hour}))
	got = testRun{server: skewed}.run(t, "doctor")
	assert.Contains(t, got.stdout, "warning  clock    this machine is")
	assert.Contains(t, got.stdout, "behind the service: set its clock")
}

// Who signed a certificate that is not trusted is what a clinic behind a proxy
// that opens connections must know.
func TestDoctorTellsWhoSigned(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewUnstartedServer(http.NotFoundHandler())
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxy.StartTLS()
	defer proxy.Close()
	got := testRun{env: map[string]string{"AMBIENT_BASE_URL": proxy.URL}}.run(t, "doctor")
	got.assertFailed(t, exitOther, "1 of")
	assert.Contains(t, unwrapped(got.stdout), "signed by (Acme Co), is not trusted")
}
