package ambient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// fakeAPI starts a fake API and returns it with a client of it. Its jobs are
// done at once; what it says is synthetic.
func fakeAPI(opts ...ambient.Option) (*ambienttest.Server, *ambient.Client) {
	server := ambienttest.NewServer(
		ambienttest.WithJobTime(0),
		ambienttest.WithTranscript("Doctor: What brings you in today?"),
		ambienttest.WithNote(map[string]any{"plan": "Rest and ice."}),
	)
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return server, client
}

// fakePace suits jobs that take milliseconds. For those of the real API leave it
// out.
var fakePace = ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond)

// A recording becomes a transcript, and the transcript a note.
func Example() {
	server, client := fakeAPI() // in real life: ambient.NewClient()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
		Audio:             ambient.AudioFile("testdata/visit.mp3"),
		PatientName:       "Alex Example",
		DateOfService:     time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC),
		AdditionalContext: map[string]any{"age": 47},
	}, fakePace)
	if err != nil {
		fmt.Println(err) // safe to log
		return
	}
	fmt.Println(transcript.RawText)

	scribe, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{1},
		Transcripts: []string{transcript.RawText},
	}, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	for field, value := range scribe.Extra { // the vendor has not published the note's shape
		fmt.Printf("%s: %s\n", field, value)
	}

	// Output:
	// Doctor: What brings you in today?
	// note: {"plan":"Rest and ice."}
}

// A job needs no process that waits for it: its id can be queued, and a worker,
// here or elsewhere, asks for its state when it likes.
func Example_queue() {
	server, client := fakeAPI()
	defer server.Close()
	ctx := context.Background()

	// A web server takes the recording in and queues a receipt.
	submission, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/visit.mp3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	queued, err := json.Marshal(submission)
	if err != nil {
		fmt.Println(err)
		return
	}

	// A worker goes on from there.
	var received ambient.TranscriptionSubmission
	if err := json.Unmarshal(queued, &received); err != nil {
		fmt.Println(err)
		return
	}
	transcript, err := client.Transcriptions.Wait(ctx, received.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: Doctor: What brings you in today?
}

// All bad options are reported at once.
func ExampleNewClient() {
	_, err := ambient.NewClient(
		ambient.WithBaseURL("http://ambient.example.com"),
		ambient.WithCredentials("clinic", "synthetic"),
		ambient.WithRateLimit(0, 1),
	)
	fmt.Println(err)

	// Output:
	// ambient: WithBaseURL: must begin with https://, since patient data and the password travel there; http:// goes to loopback addresses only
	// ambient: WithRateLimit: perSecond must be above 0 and burst at least 1
}

// Without options, the credentials and the base URL come from the environment.
func ExampleNewClient_environment() {
	os.Setenv("AMBIENT_USERNAME", "clinic")
	os.Setenv("AMBIENT_PASSWORD", "synthetic")
	defer os.Unsetenv("AMBIENT_USERNAME")
	defer os.Unsetenv("AMBIENT_PASSWORD")

	client, err := ambient.NewClient()
	fmt.Println(client != nil, err)

	// Output: true <nil>
}

// At start-up, wrong credentials are better found at once than at the first
// visit.
func ExampleClient_Authenticate() {
	server := ambienttest.NewServer()
	defer server.Close()
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, "wrong"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Authenticate(context.Background()))

	// Output: ambient: POST /auth/token: 401 Unauthorized: Could not validate credentials
}

// An endpoint that this SDK has no method for is called by its path, with the
// token, retries and rate limit of every other call.
func ExampleClient_Do() {
	server, client := fakeAPI()
	defer server.Close()
	server.Fault("*", 2, ambienttest.Fault{Status: 200, Body: `{"used": 12, "left": 88}`}) // 1 is the token call

	var quota struct{ Used, Left int }
	if err := client.Do(context.Background(), "GET", "/quota?month=2025-11", nil, &quota); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(quota.Used, "used,", quota.Left, "left")

	// Output: 12 used, 88 left
}

// Connections that wait for the next call are closed, as before a long pause.
// The client can be used as before.
func ExampleClient_CloseIdleConnections() {
	server, client := fakeAPI()
	defer server.Close()
	ctx := context.Background()

	submission, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/visit.mp3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	client.CloseIdleConnections()

	transcript, err := client.Transcriptions.Get(ctx, submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connection reused:", transcript.Call.Attempts[0].ConnReused)

	// Output: connection reused: false
}
