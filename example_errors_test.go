package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// noRetry makes the examples of errors quick.
var noRetry = ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1})

// submitTo submits a visit to a server that always fails like this.
func submitTo(fault ambienttest.Fault) error {
	server, client := fakeAPI(noRetry)
	defer server.Close()
	server.FaultRange("POST /transcribe", 1, 9, fault)
	_, err := client.Transcriptions.Submit(context.Background(), newVisit())
	return err
}

// Every status is an APIError, and the documented ones have a type of their own.
func ExampleAPIError() {
	kind := func(err error) string {
		var (
			badRequest     *ambient.BadRequestError
			unauthorized   *ambient.UnauthorizedError
			forbidden      *ambient.ForbiddenError
			notFound       *ambient.NotFoundError
			conflict       *ambient.ConflictError
			validation     *ambient.ValidationError
			rateLimit      *ambient.RateLimitError
			internal       *ambient.InternalServerError
			badGateway     *ambient.BadGatewayError
			unavailable    *ambient.ServiceUnavailableError
			gatewayTimeout *ambient.GatewayTimeoutError
		)
		switch {
		case ambient.MaybeSubmitted(err):
			return "ask the vendor before submitting again"
		case errors.As(err, &badRequest), errors.As(err, &validation):
			return "fix the request"
		case errors.As(err, &conflict):
			return "ask the vendor what exists already"
		case errors.As(err, &unauthorized), errors.As(err, &forbidden):
			return "check the credentials and what they may do"
		case errors.As(err, &notFound):
			return "no such job"
		case errors.As(err, &rateLimit):
			return "wait for the rate limit"
		case errors.As(err, &internal), errors.As(err, &badGateway), errors.As(err, &unavailable), errors.As(err, &gatewayTimeout):
			return "try later"
		}
		return "look at the status"
	}
	for _, status := range []int{400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504} {
		err := submitTo(ambienttest.Answer(status))
		api, ok := errors.AsType[*ambient.APIError](err)
		fmt.Println(ok && api.StatusCode == status, status, kind(err))
	}

	// Output:
	// true 400 fix the request
	// true 401 check the credentials and what they may do
	// true 403 check the credentials and what they may do
	// true 404 no such job
	// true 409 ask the vendor what exists already
	// true 413 look at the status
	// true 422 fix the request
	// true 429 wait for the rate limit
	// true 500 ask the vendor before submitting again
	// true 502 ask the vendor before submitting again
	// true 503 try later
	// true 504 ask the vendor before submitting again
}

// The printed error masks what may be patient data. Detail and Body have it all.
func ExampleAPIError_Body() {
	err := submitTo(ambienttest.Fault{Status: 409, Body: `{"detail": "duplicate visit of Alex Example"}`})
	api, ok := errors.AsType[*ambient.APIError](err)
	if !ok {
		fmt.Println(err)
		return
	}
	fmt.Println(api)
	fmt.Println(api.Detail)
	fmt.Printf("%s\n", api.Body())

	// Output:
	// ambient: POST /transcribe: 409 Conflict: duplicate visit of … …
	// duplicate visit of Alex Example
	// {"detail": "duplicate visit of Alex Example"}
}

func ExampleUnauthorizedError() {
	server, client := fakeAPI(ambient.WithCredentials("clinic", "an-old-password"))
	defer server.Close()

	_, err := client.Transcriptions.Get(context.Background(), 7)
	if unauthorized, ok := errors.AsType[*ambient.UnauthorizedError](err); ok {
		fmt.Println(unauthorized.Route, unauthorized.Detail)
	}

	// Output: /auth/token Could not validate credentials
}

func ExampleValidationError() {
	err := submitTo(ambienttest.Fault{
		Status: 422,
		Body:   `{"detail": [{"loc": ["body", "template_ids", 0], "msg": "field required", "type": "value_error.missing"}]}`,
	})
	if validation, ok := errors.AsType[*ambient.ValidationError](err); ok {
		for _, field := range validation.Fields {
			fmt.Println(field.Path, field.Message)
		}
	}

	// Output: body.template_ids[0] field required
}

// Calls wait for the rate limit by themselves. The error comes if the wait would pass
// MaxLimitWait or the context's deadline.
func ExampleRateLimitError() {
	server, client := fakeAPI()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.RetryAfter(429, "60"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	_, err := client.Transcriptions.Submit(ctx, newVisit())
	if limited, ok := errors.AsType[*ambient.RateLimitError](err); ok {
		fmt.Println("come back in", time.Until(limited.ResetAt).Round(time.Minute))
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
	}

	// Output:
	// come back in 1m0s
	// true
}

// The connection broke after the whole visit was sent, so the service may have
// it.
func ExampleNetworkError() {
	err := submitTo(ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
	if network, ok := errors.AsType[*ambient.NetworkError](err); ok {
		fmt.Println(network.Route, network.Sent)
	}

	// Output: /transcribe fully sent
}

// What came in place of a receipt can be looked at.
func ExampleDecodeError_Body() {
	err := submitTo(ambienttest.Fault{Status: 202, Body: "<html>Synthetic login page</html>"})
	if decode, ok := errors.AsType[*ambient.DecodeError](err); ok {
		fmt.Println(decode)
		fmt.Println(len(decode.Body()), "bytes to look at")
	}

	// Output:
	// ambient: POST /transcribe: 202 with an unusable body of 33 bytes: no transcription_id (may have been submitted)
	// 33 bytes to look at
}

// The recording is missing, so nothing was sent.
func ExampleRequestError() {
	server, client := fakeAPI()
	defer server.Close()

	_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{
		Audio: ambient.AudioFile("testdata/no-such-visit.mp3"),
	})
	if request, ok := errors.AsType[*ambient.RequestError](err); ok {
		fmt.Println(request.Field, "exists:", !errors.Is(err, fs.ErrNotExist))
	}

	// Output: audio_file exists: false
}

// The recording ended before its time. The service has no part of it.
func ExampleAudioError() {
	server, client := fakeAPI()
	defer server.Close()

	_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{
		Audio: ambient.AudioReaderAt("visit.mp3", strings.NewReader("ID3 synthetic"), 100),
	})
	if audio, ok := errors.AsType[*ambient.AudioError](err); ok {
		fmt.Println(audio)
	}

	// Output: ambient: POST /transcribe: audio 1 failed at byte 13: source ended before its size
}

// The two questions before a visit is submitted again.
func ExampleRetryable() {
	for _, fault := range []ambienttest.Fault{
		ambienttest.Answer(422),
		ambienttest.Answer(503),
		{Reset: ambienttest.ResetAfterRead},
	} {
		err := submitTo(fault)
		fmt.Println("may succeed later:", ambient.Retryable(err), "- may be there already:", ambient.MaybeSubmitted(err))
	}

	// Output:
	// may succeed later: false - may be there already: false
	// may succeed later: true - may be there already: false
	// may succeed later: true - may be there already: true
}

// The API has no list of jobs. A person asks the vendor before the visit is
// submitted again, so that no visit is billed twice.
func ExampleMaybeSubmitted() {
	err := submitTo(ambienttest.ProxyHTML(504))
	if ambient.MaybeSubmitted(err) {
		fmt.Println("do not submit again, ask the vendor:", err)
	}

	// Output: do not submit again, ask the vendor: ambient: POST /transcribe: 504 Gateway Timeout (may have been submitted)
}

// What the vendor's support asks for, safe to paste into a ticket.
func ExampleSupportReport() {
	server, client := fakeAPI()
	defer server.Close()
	server.Fault("POST /scribe", 1, ambienttest.Answer(403))

	_, err := client.Scribes.Create(context.Background(), &ambient.ScribeRequest{
		TemplateIDs: []int64{234234},
		Audio:       []ambient.Audio{ambient.AudioFile("testdata/visit.mp3")},
	})
	for line := range strings.Lines(ambient.SupportReport(err)) {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Error", "Status", "Message", "Sent field", "May have been submitted": // and more, with times
			fmt.Print(line)
		}
	}

	// Output:
	// Error:      ambient: POST /scribe: 403 Forbidden: You do not have access to these template_ids [234234]
	// Status:     403 Forbidden
	// Message:    You do not have access to these template_ids [234234]
	// Sent field: template_ids, 6 bytes
	// Sent field: audio_files, 216540 bytes
	// May have been submitted: false
}

func ExampleTranscriptionFailedError() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionFails(0, "no speech found")...)

	_, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace)
	if failed, ok := errors.AsType[*ambient.TranscriptionFailedError](err); ok {
		fmt.Println(failed.Transcription.ID, failed.Transcription.ErrorMessage)
	}

	// Output: 101 no speech found
}

func ExampleTranscriptionIncompleteError() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "Doctor: Good morning. What")...)

	_, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace)
	if incomplete, ok := errors.AsType[*ambient.TranscriptionIncompleteError](err); ok {
		fmt.Println(incomplete.Transcription.RawText)
	}

	// Output: Doctor: Good morning. What
}

func ExampleScribeFailedError() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptScribe(ambienttest.ScribeFails(0)...)

	_, err := client.Scribes.CreateAndWait(context.Background(), newNote(), fakePace)
	if failed, ok := errors.AsType[*ambient.ScribeFailedError](err); ok {
		fmt.Println(failed.Scribe.ID, failed.Scribe.Status)
	}

	// Output: 101 FAILED
}

// The wait ended, the job goes on, and its id is in the error.
func ExampleWaitError() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Second, "A long visit.")...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
	defer cancel()

	_, err := client.Transcriptions.SubmitAndWait(ctx, newVisit(), fakePace)
	wait, ok := errors.AsType[*ambient.WaitError](err)
	if !ok {
		fmt.Println(err)
		return
	}
	fmt.Println("job", wait.ID, "goes on:", errors.Is(err, context.DeadlineExceeded))

	transcript, err := client.Transcriptions.Wait(context.Background(), wait.ID, fakePace) // later
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output:
	// job 101 goes on: true
	// A long visit.
}

// A gateway lost the answer to the first attempt, and the second was taken as well.
// Then the wait was refused. The visit may have two jobs, and one id is known.
func ExampleWaitError_PossibleDuplicate() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Status: 502})
	server.Fault("GET /transcribe/{id}", 1, ambienttest.Answer(403))

	_, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace)
	if wait, ok := errors.AsType[*ambient.WaitError](err); ok {
		fmt.Println(wait.ID, wait.PossibleDuplicate())
	}

	// Output: 102 true
}
