package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

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
	server.ScriptTranscription(ambienttest.TranscriptionCompletes(100*time.Millisecond, "A long visit.")...)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
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

// A gateway lost the answer to the first attempt, the second was taken too, and
// then the wait was refused: one visit, two jobs, one of them known.
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
