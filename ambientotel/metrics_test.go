package ambientotel_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// What a bad day counts.
func TestMetricsOfABadDay(t *testing.T) {
	onBench(t, func(b *bench) {
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.RetryAfter(429, "30"))
		b.srv.Fault(submitRoute, 2, ambienttest.Fault{Status: 502, Process: true})
		b.scriptJob(2500 * time.Millisecond)
		b.scriptJob(2500 * time.Millisecond)
		_, err := b.client.Transcriptions.SubmitAndWait(b.t.Context(), visit(), ambient.WithPollInterval(time.Second, time.Second))
		require.NoError(t, err)
		b.srv.Fault(submitRoute, 4, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
		_, err = b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.True(t, ambient.MaybeSubmitted(err))
		_, err = b.client.Transcriptions.Get(b.t.Context(), 999)
		require.Error(t, err)

		const submit, get = "http.request.method=POST url.template=/transcribe", "http.request.method=GET url.template=/transcribe/{id}"
		const note, again = "http.request.method=POST url.template=/scribe", "http.request.method=POST url.template=/scribe/{id}/regenerate/audio"
		sums := b.sums()
		waits := "ambient.client.rate_limit.wait.duration{"
		assert.Positive(t, sums[waits+submit+"}"])
		maps.DeleteFunc(sums, func(name string, _ int64) bool { return strings.HasPrefix(name, waits) }) // how many depends on the pace after the 429
		assert.Equal(t, map[string]int64{
			"http.client.request.duration{http.request.method=POST http.response.status_code=200 url.template=/auth/token}": 1,
			"ambient.client.call.duration{http.request.method=POST url.template=/auth/token}":                               1,
			"ambient.client.token_renewals": 1,

			"http.client.request.duration{error.type=429 http.request.method=POST http.response.status_code=429 url.template=/transcribe}": 1,
			"http.client.request.duration{error.type=502 http.request.method=POST http.response.status_code=502 url.template=/transcribe}": 1,
			"http.client.request.duration{http.request.method=POST http.response.status_code=202 url.template=/transcribe}":                1,
			"http.client.request.duration{error.type=connection " + submit + "}":                                                           1,
			"ambient.client.call.duration{" + submit + "}":                                                                                 1,
			"ambient.client.call.duration{error.type=connection " + submit + "}":                                                           1,
			"ambient.client.retries{error.type=502 " + submit + "}":                                                                        1,
			"ambient.client.possible_duplicates{" + submit + "}":                                                                           1,
			"ambient.client.maybe_submitted{" + submit + "}":                                                                               1,
			"ambient.client.possible_duplicates{" + note + "}":                                                                             0,
			"ambient.client.possible_duplicates{" + again + "}":                                                                            0,
			"ambient.client.maybe_submitted{" + note + "}":                                                                                 0,
			"ambient.client.maybe_submitted{" + again + "}":                                                                                0,

			"http.client.request.duration{http.request.method=GET http.response.status_code=200 url.template=/transcribe/{id}}":                3,
			"http.client.request.duration{error.type=404 http.request.method=GET http.response.status_code=404 url.template=/transcribe/{id}}": 1,
			"ambient.client.call.duration{" + get + "}":                                      3,
			"ambient.client.call.duration{error.type=404 " + get + "}":                       1,
			"ambient.client.job.wait.duration{ambient.job.status=STT_COMPLETED " + get + "}": 1,
			"ambient.client.polls{" + get + "}":                                              3,
		}, sums)
	})
}

// The counters that ask for a person begin at 0, before any call. Else Prometheus would
// miss the first of each.
func TestWhatAsksForAPersonBeginsAtZero(t *testing.T) {
	onBench(t, func(b *bench) {
		want := map[string]int64{}
		for _, route := range []string{"/transcribe", "/scribe", "/scribe/{id}/regenerate/audio"} {
			want["ambient.client.possible_duplicates{http.request.method=POST url.template="+route+"}"] = 0
			want["ambient.client.maybe_submitted{http.request.method=POST url.template="+route+"}"] = 0
		}
		assert.Equal(t, want, b.sums())
	})
}

// The buckets of requests are those of the conventions, and go on to ten minutes.
func TestBucketsHoldUploads(t *testing.T) {
	onBench(t, func(b *bench) {
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.Fault{Delay: 4 * time.Minute})
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(t, err)
		var all metricdata.ResourceMetrics
		require.NoError(t, b.reader.Collect(context.Background(), &all))
		for _, m := range all.ScopeMetrics[0].Metrics {
			if m.Name != "http.client.request.duration" {
				continue
			}
			assert.Equal(t, "s", m.Unit)
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				assert.Equal(t, []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}, p.Bounds[:14])
				assert.Zero(t, p.BucketCounts[len(p.BucketCounts)-1], "above the highest bound")
			}
		}
	})
}
