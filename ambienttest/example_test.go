package ambienttest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// visit is a synthetic recording.
var visit = &ambient.TranscriptionRequest{Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic audio"))}

// fakePace suits jobs that take milliseconds.
var fakePace = ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond)

// newClient returns a client of server.
func newClient(server *ambienttest.Server) *ambient.Client {
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithHTTPClient(server.Client()),
		ambient.WithCredentials(server.Username, server.Password),
		ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}),
	)
	if err != nil {
		panic(err)
	}
	return client
}

// A test's server and client, a plan of what goes wrong, and a look at what
// arrived.
func Example() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(10 * time.Millisecond)) // in a test: Start(t) or StartInMemory(t)
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))

	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithHTTPClient(server.Client()),
		ambient.WithCredentials(server.Username, server.Password),
		ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	transcript, err := client.Transcriptions.SubmitAndWait(context.Background(), &ambient.TranscriptionRequest{
		Audio:       ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic audio")),
		PatientName: "Alex Example",
	}, ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.Status)
	for _, r := range server.RequestsTo("POST /transcribe") {
		fmt.Println(r.Status, r.Value("patient_name"), r.Files[0].Size)
	}

	// Output:
	// STT_COMPLETED
	// 503 Alex Example 19
	// 202 Alex Example 19
}

// The fake outside a test, as in a demonstration.
func ExampleNewServer() {
	server := ambienttest.NewServer(
		ambienttest.WithJobTime(10*time.Millisecond),
		ambienttest.WithTranscript("Synthetic visit."),
	)
	defer server.Close()

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: Synthetic visit.
}

// Client trusts the certificate of the server.
func ExampleNewTLSServer() {
	server := ambienttest.NewTLSServer()
	defer server.Close()

	if err := newClient(server).Authenticate(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Requests()[0].Proto)

	// Output: HTTP/2.0
}

func ExampleNewInMemory() {
	server := ambienttest.NewInMemory()
	defer server.Close()

	fmt.Println(newClient(server).Authenticate(context.Background()))

	// Output: <nil>
}

// What a test plans and its code never reaches is an error of the test: here
// the second submit was never made.
func ExampleStart() {
	t := &exampleT{} // a *testing.T
	server := ambienttest.Start(t)
	server.Fault("POST /transcribe", 2, ambienttest.Answer(503))

	submission, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("job", submission.ID)
	t.end()

	// Output:
	// job 101
	// ambienttest: never reached: fault on request 2 of "POST /transcribe": 1 arrived
}

// In a bubble of testing/synctest, jobs and rate limits of hours pass at once;
// see the package's documentation.
func ExampleStartInMemory() {
	t := &exampleT{} // the bubble's *testing.T
	server := ambienttest.StartInMemory(t)
	fmt.Println(newClient(server).Authenticate(context.Background()))
	t.end()

	// Output: <nil>
}

// Its transport reaches the server, and nothing else where that is in memory.
func ExampleServer_Client() {
	server := ambienttest.NewInMemory()
	defer server.Close()

	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithHTTPClient(server.Client()),
		ambient.WithCredentials(server.Username, server.Password),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Authenticate(context.Background()))

	// Output: <nil>
}

// A closed server refuses connections.
func ExampleServer_Close() {
	server := ambienttest.NewServer()
	server.Close()

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	network, ok := errors.AsType[*ambient.NetworkError](err)
	fmt.Println(ok && network.Sent == ambient.NotSent)

	// Output: true
}

// The API behind a server of the caller's own, which adds what a gateway does.
func ExampleServer_Handler() {
	fake := ambienttest.NewInMemory()
	defer fake.Close()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "0a1b2c3d4e5f6071")
		fake.Handler().ServeHTTP(w, r)
	}))
	defer gateway.Close()

	client, err := ambient.NewClient(
		ambient.WithBaseURL(gateway.URL+ambienttest.BasePath),
		ambient.WithCredentials(fake.Username, fake.Password),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Transcriptions.Get(context.Background(), 7)
	fmt.Println(err)

	// Output: ambient: GET /transcribe/7: 404 Not Found: Transcription not found (request id 0a1b2c3d4e5f6071)
}

// exampleT stands for a *testing.T, which an example has none of.
type exampleT struct{ cleanups []func() }

func (t *exampleT) Helper()                           {}
func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
