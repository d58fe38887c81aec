// Package harness has the clients, recordings, calls and checks of errors that the tests
// of the root and the suites of internal/conformance share.
package harness

import (
	"context"
	"flag"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// Routes of the API.
const (
	TokenRoute  = "POST /auth/token"
	SubmitRoute = "POST /transcribe"
	GetRoute    = "GET /transcribe/{id}"
)

// NewClient returns a client of srv.
func NewClient(t testing.TB, srv *ambienttest.Server, opts ...ambient.Option) *ambient.Client {
	t.Helper()
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(srv.URL), ambient.WithHTTPClient(srv.Client()), ambient.WithCredentials(srv.Username, srv.Password),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

func Policy(p ambient.RetryPolicy) ambient.Option { return ambient.WithRetryPolicy(p) }

// InBubble runs a test against an in-memory server in virtual time.
func InBubble(t *testing.T, test func(t *testing.T, srv *ambienttest.Server), opts ...ambienttest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := ambienttest.StartInMemory(t, opts...)
		t.Cleanup(synctest.Wait) // for a renewal of the token in the background
		test(t, srv)
	})
}

func SubmitOf(ctx context.Context, client *ambient.Client, audio ambient.Audio, opts ...ambient.CallOption) (*ambient.TranscriptionSubmission, error) {
	return client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: audio}, opts...)
}

// Submitted makes a job to read.
func Submitted(t testing.TB, client *ambient.Client) int64 {
	t.Helper()
	sub, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: Visit()})
	require.NoError(t, err)
	return sub.ID
}

// SubmitLife submits a transcription with this life.
func SubmitLife(t testing.TB, srv *ambienttest.Server, client *ambient.Client, life ...ambienttest.Step) int64 {
	t.Helper()
	srv.ScriptTranscription(life...)
	sub, err := SubmitOf(t.Context(), client, Visit())
	require.NoError(t, err)
	return sub.ID
}

// Plan makes the requests of a submit meet one fault after the other.
func Plan(srv *ambienttest.Server, faults ...ambienttest.Fault) {
	for i, f := range faults {
		srv.Fault(SubmitRoute, i+1, f)
	}
}

// SomeJob answers a GET of SomeID, so that a test of reads needs no job.
const SomeID = 7

var SomeJob = ambienttest.Fault{Status: 200, Body: `{"id": 7, "task_status": "STT_COMPLETED", "raw_text": "hello"}`}

func Get(ctx context.Context, client *ambient.Client, opts ...ambient.CallOption) error {
	_, err := client.Transcriptions.Get(ctx, SomeID, opts...)
	return err
}

// Callers makes n calls at once and returns their errors.
func Callers(n int, call func() error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = call() })
	}
	wg.Wait()
	return errs
}

// WithDelay is f that comes late.
func WithDelay(f ambienttest.Fault, d time.Duration) ambienttest.Fault {
	f.Delay = d
	return f
}

// SubmitMany submits n transcriptions. The i-th lasts life(i).
func SubmitMany(t testing.TB, srv *ambienttest.Server, client *ambient.Client, n int, life func(i int) time.Duration) (ids []int64) {
	t.Helper()
	for i := range n {
		ids = append(ids, SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: life(i)}, ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": strconv.Itoa(i)}}))
	}
	return ids
}

// Events collects the events that an observer gets.
type Events struct {
	mu  sync.Mutex
	all []ambient.Event
}

func (e *Events) Observe(_ context.Context, event ambient.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// All lists the events so far.
func (e *Events) All() []ambient.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// Of lists the events of one kind so far.
func (e *Events) Of(kind ambient.EventKind) (some []ambient.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			some = append(some, event)
		}
	}
	return some
}

// Update is set by go test -update, which rewrites the golden files.
var Update = flag.Bool("update", false, "rewrite the golden files")

// OpenFiles lists the open files of this process, on systems with a /proc.
func OpenFiles() (targets []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			targets = append(targets, target)
		}
	}
	return targets
}
