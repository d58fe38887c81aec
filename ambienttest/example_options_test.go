package ambienttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
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

// Each account has its own jobs.
func ExampleWithAccount() {
	server := ambienttest.NewServer(ambienttest.WithAccount("other clinic", "synthetic"))
	defer server.Close()
	other, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentials("other clinic", "synthetic"))
	if err != nil {
		fmt.Println(err)
		return
	}

	submission, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = other.Transcriptions.Get(context.Background(), submission.ID)
	fmt.Println(err)
	for _, r := range server.Requests() {
		fmt.Println(r.Route, r.Account)
	}

	// Output:
	// ambient: GET /transcribe/101: 404 Not Found: Transcription not found
	// POST /auth/token synthetic-service-account
	// POST /transcribe synthetic-service-account
	// POST /auth/token other clinic
	// GET /transcribe/{id} other clinic
}

// A token that its verifier takes for one of the future.
func ExampleWithTokenNotBefore() {
	server := ambienttest.NewServer(ambienttest.WithTokenNotBefore(time.Hour))
	defer server.Close()

	// The clock that a client goes by is its own, so this one is refused.
	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()
	_, err = client.Transcriptions.Get(ctx, 101)
	fmt.Println(err != nil)

	// Output: true
}

// A token that says nothing, and lasts as long as its call's answer says.
func ExampleWithOpaqueTokens() {
	server := ambienttest.NewServer(ambienttest.WithOpaqueTokens(), ambienttest.WithTokenLifetime(time.Hour))
	defer server.Close()

	form := url.Values{"username": {server.Username}, "password": {server.Password}}
	answer, err := server.Client().PostForm(server.URL+"/auth/token", form)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	var token struct {
		ExpiresIn int `json:"expires_in"`
	}
	fmt.Println(json.NewDecoder(answer.Body).Decode(&token), token.ExpiresIn)

	// Output: <nil> 3600
}

// A service that limits submits more than polls.
func ExampleServer_SetRateLimitOf() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()
	server.SetRateLimitOf("POST /transcribe", ambienttest.RateLimit{Limit: 1, Window: time.Hour, Dialect: ambienttest.RetryAfterOnly})

	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password),
		ambient.WithRetryPolicy(ambient.RetryPolicy{MaxLimitWait: -1}))
	if err != nil {
		fmt.Println(err)
		return
	}
	submission, err := client.Transcriptions.Submit(context.Background(), visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Transcriptions.Submit(context.Background(), visit)
	_, limited := errors.AsType[*ambient.RateLimitError](err)
	_, err = newClient(server).Transcriptions.Get(context.Background(), submission.ID)
	fmt.Println(limited, err, server.RequestsTo("GET /transcribe/{id}")[0].Status)

	// Output: true <nil> 200
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
