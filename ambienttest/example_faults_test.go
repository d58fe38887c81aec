package ambienttest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

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

// One visit of many fails, whichever request that is.
func ExampleServer_FaultWhere() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()
	server.FaultWhere(func(r ambienttest.Request) bool { return r.ID == 102 }, ambienttest.Answer(403))

	client := newClient(server)
	for range 3 {
		_, err := client.Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
		fmt.Println(err)
	}

	// Output:
	// <nil>
	// ambient: waiting for job 102 ended after 1 poll, no status yet: GET /transcribe/102: 403 Forbidden: You do not have access to these template_ids […]
	// <nil>
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

// The documented body of a status comes with it.
func ExampleAnswer() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(422))

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	if invalid, ok := errors.AsType[*ambient.ValidationError](err); ok {
		fmt.Println(invalid.Fields)
	}

	// Output: [body.audio_file: field required]
}

// Ten minutes are more than this caller waits.
func ExampleRetryAfter() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.RetryAfter(429, "600"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	_, err := newClient(server).Transcriptions.Submit(ctx, visit)
	if limited, ok := errors.AsType[*ambient.RateLimitError](err); ok {
		fmt.Println("again in", limited.RetryAfter.Round(time.Minute))
	}

	// Output: again in 10m0s
}

// A proxy's page is no JSON.
func ExampleProxyHTML() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.ProxyHTML(413))

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	if api, ok := errors.AsType[*ambient.APIError](err); ok {
		fmt.Printf("%d %q %.6s\n", api.StatusCode, api.Detail, api.Body())
	}

	// Output: 413 "" <html>
}

// A client must not take a recording elsewhere.
func ExampleRedirect() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Redirect("https://elsewhere.example.com/"))

	_, err := newClient(server).Transcriptions.Submit(context.Background(), visit)
	fmt.Println(err)

	// Output: ambient: POST /transcribe: 307 Temporary Redirect
}
