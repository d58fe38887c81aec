package conformance_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
)

// cannedTransport answers every request with one transcription.
type cannedTransport struct{}

func (cannedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	const body = `{"id":123,"task_status":"STT_COMPLETED","raw_text":"synthetic","created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:05:05Z","workflow_id":9,"error_message":null}`
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// everythingOn is a client with every feature of a call in use.
func everythingOn(t testing.TB) *ambient.Client {
	t.Helper()
	client, err := ambient.NewClient(
		ambient.WithHTTPClient(&http.Client{Transport: cannedTransport{}}),
		ambient.WithTokenSource(fixedToken{ambient.NewToken("synthetic", time.Now().Add(time.Hour))}),
		ambient.WithRateLimit(1e9, 1e6),
		ambient.WithObserver(func(context.Context, ambient.Event) {}),
		ambient.WithLogger(slog.New(slog.DiscardHandler)),
		ambient.WithTracer(func(ctx context.Context, _ ambient.Operation) (context.Context, func(ambient.Event)) {
			return ctx, endNothing
		}),
		ambient.WithHeader("X-Site", "synthetic"),
	)
	require.NoError(t, err)
	return client
}

func endNothing(ambient.Event) {}

type fixedToken struct{ token ambient.Token }

func (f fixedToken) Token(context.Context) (ambient.Token, error) { return f.token, nil }
func (fixedToken) Invalidate(ambient.Token)                       {}

// Bounds of one call. A GET with net/http alone has 31.
const (
	maxAllocs       = 45
	maxAllocsUnseen = 41 // without an observer, logger or tracer: no event and no operation is made for nobody
)

func TestAllocationsOfAGet(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	var info ambient.CallInfo
	get := func(client *ambient.Client) func() {
		return func() {
			_, err := client.Transcriptions.Get(ctx, 123, ambient.WithCallInfo(&info))
			require.NoError(t, err)
		}
	}
	require.LessOrEqual(t, testing.AllocsPerRun(200, get(everythingOn(t))), float64(maxAllocs))
	unseen, err := ambient.NewClient(ambient.WithHTTPClient(&http.Client{Transport: cannedTransport{}}), ambient.WithToken("synthetic"))
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(200, get(unseen)), float64(maxAllocsUnseen))
}

func BenchmarkGet(b *testing.B) {
	client := everythingOn(b)
	ctx := context.Background()
	var info ambient.CallInfo
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Transcriptions.Get(ctx, 123, ambient.WithCallInfo(&info)); err != nil {
			b.Fatal(err)
		}
	}
}
