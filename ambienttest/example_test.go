package ambienttest_test

import (
	"context"
	"errors"
	"fmt"
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

// The first submit meets a service that is down, the second is taken.
func ExampleServer_Fault() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))

	submission, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, attempt := range submission.Call.Attempts {
		fmt.Println(attempt.StatusCode)
	}

	// Output:
	// 503
	// 202
}

// A gateway loses every answer.
func ExampleServer_FaultRange() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.FaultRange("POST /transcribe", 1, 4, ambienttest.ProxyHTML(502))

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	gateway, ok := errors.AsType[*ambient.BadGatewayError](err)
	fmt.Println(ok && len(gateway.Attempts) == 4)

	// Output: true
}

// The job is made and its answer lost: what happens when a gateway times out.
func ExampleFault() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	fmt.Println(ambient.MaybeSubmitted(err))

	// Output: true
}

func ExampleServer_ScriptTranscription() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptTranscription(
		ambienttest.Step{Status: "DETECTED_FILE", For: 10 * time.Millisecond},
		ambienttest.Step{Status: "STT_PROCESSING", For: 10 * time.Millisecond},
		ambienttest.Step{Status: "STT_ERROR", Fields: map[string]any{"error_message": "no speech found"}},
	)

	_, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	fmt.Println(err)

	// Output: ambient: transcription 101 failed (STT_ERROR)
}

// The vendor has not published the field in which a note comes: a script can put
// it in any.
func ExampleServer_ScriptScribe() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptScribe(ambienttest.Step{Status: "COMPLETED", Fields: map[string]any{"sections": []string{"Plan"}}})

	scribe, err := newClient(server).Scribes.CreateAndWait(context.Background(), &ambient.ScribeRequest{
		TemplateIDs: []int64{1},
		Transcripts: []string{"Synthetic visit."},
	}, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", scribe.Extra["sections"])

	// Output: ["Plan"]
}

// What arrived can be looked at, the digests of files included.
func ExampleServer_RequestsTo() {
	server := ambienttest.NewServer()
	defer server.Close()

	if _, err := newClient(server).Transcriptions.Submit(context.Background(), visit); err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range server.RequestsTo("POST /transcribe")[0].Files {
		fmt.Println(file.Field, file.Filename, file.ContentType, file.Size)
	}

	// Output: audio_file audio-1.mp3 audio/mpeg 19
}

// A token that the service no longer takes is renewed once.
func ExampleServer_RevokeTokens() {
	server := ambienttest.NewServer()
	defer server.Close()
	client := newClient(server)
	if err := client.Authenticate(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	server.RevokeTokens()

	_, err := client.Transcriptions.Submit(context.Background(), visit)
	fmt.Println(err, "after", len(server.RequestsTo("POST /auth/token")), "token calls")

	// Output: <nil> after 2 token calls
}

// Two requests a minute, told in the headers that most services use.
func ExampleServer_SetRateLimit() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.SetRateLimit(ambienttest.RateLimit{
		Algorithm: ambienttest.TokenBucket,
		Limit:     2,
		Window:    time.Minute,
		Dialect:   ambienttest.XRateLimit,
	})

	var info ambient.CallInfo
	if _, err := newClient(server).Transcriptions.Submit(context.Background(), visit, ambient.WithCallInfo(&info)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.RateLimit.Remaining, "of", info.RateLimit.Limit, "left")

	// Output: 1 of 2 left
}
