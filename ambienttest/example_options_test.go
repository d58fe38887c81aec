package ambienttest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func ExampleWithCredentials() {
	server := ambienttest.NewServer(ambienttest.WithCredentials("clinic", "synthetic"))
	defer server.Close()

	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentials("clinic", "wrong"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Authenticate(context.Background()))

	// Output: ambient: POST /auth/token: 401 Unauthorized: Could not validate credentials
}

// Tokens that have expired when they are issued: a client must give up, not ask
// for ever.
func ExampleWithTokenLifetime() {
	server := ambienttest.NewServer(ambienttest.WithTokenLifetime(0))
	defer server.Close()

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	_, refused := errors.AsType[*ambient.UnauthorizedError](err)
	fmt.Println(refused, len(server.RequestsTo("POST /auth/token")))

	// Output: true 2
}

func ExampleWithTokenDelay() {
	server := ambienttest.NewServer(ambienttest.WithTokenDelay(time.Minute))
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()

	err := newClient(server).Authenticate(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	// Output: true
}

func ExampleWithTemplates() {
	server := ambienttest.NewServer(ambienttest.WithTemplates(1, 2))
	defer server.Close()

	_, err := newClient(server).Scribes.Create(context.Background(), &ambient.ScribeRequest{
		TemplateIDs: []int64{2, 3},
		Transcripts: []string{"Synthetic visit."},
	})
	fmt.Println(err)

	// Output: ambient: POST /scribe: 422 Unprocessable Entity: You do not have access to these template_ids [3]
}

// One request an hour, and a client that will not wait for the next.
func ExampleWithRateLimit() {
	server := ambienttest.NewServer(ambienttest.WithRateLimit(ambienttest.RateLimit{
		Algorithm: ambienttest.SlidingLog,
		Limit:     1,
		Window:    time.Hour,
		Dialect:   ambienttest.IETF,
	}))
	defer server.Close()
	client := newClient(server)
	if _, err := client.Transcriptions.Submit(context.Background(), visit); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	_, err := client.Transcriptions.Submit(ctx, visit)
	_, limited := errors.AsType[*ambient.RateLimitError](err)
	fmt.Println(limited)

	// Output: true
}

func ExampleWithTranscript() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0), ambienttest.WithTranscript("Synthetic visit."))
	defer server.Close()

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: Synthetic visit.
}

func ExampleWithNote() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0), ambienttest.WithNote(map[string]any{"plan": "Rest."}))
	defer server.Close()

	scribe, err := newClient(server).Scribes.CreateAndWait(context.Background(), note, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", scribe.Extra["note"])

	// Output: {"plan":"Rest."}
}

// Jobs that are done at once suit tests in real time.
func ExampleWithJobTime() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.Done(), len(server.RequestsTo("GET /transcribe/{id}")))

	// Output: true 1
}
