package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func ExampleTranscriptionsService_Submit() {
	server, client := fakeAPI()
	defer server.Close()

	submission, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{
		Audio:             ambient.AudioFile("testdata/visit.mp3"),
		DateOfService:     time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC),
		AdditionalContext: map[string]any{"age": 47, "gender": "female"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("store this id:", submission.ID)

	// Output: store this id: 101
}

// Get, Done and Err are the steps of a wait, for a workflow engine that does its
// own waiting.
func ExampleTranscriptionsService_Get() {
	server, client := fakeAPI()
	defer server.Close()
	submission, err := client.Transcriptions.Submit(context.Background(), newVisit())
	if err != nil {
		fmt.Println(err)
		return
	}

	t, err := client.Transcriptions.Get(context.Background(), submission.ID)
	switch {
	case err != nil:
		fmt.Println(err)
	case !t.Done():
		fmt.Println("ask again later")
	case t.Err() != nil:
		fmt.Println(t.Err())
	default:
		fmt.Println(t.RawText)
	}

	// Output: Doctor: What brings you in today?
}

func ExampleTranscriptionsService_Wait() {
	server, client := fakeAPI()
	defer server.Close()
	submission, err := client.Transcriptions.Submit(context.Background(), newVisit())
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	transcript, err := client.Transcriptions.Wait(ctx, submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: Doctor: What brings you in today?
}

// Each job is yielded as it ends, whichever comes first. One that ended badly
// does not stop the others.
func ExampleTranscriptionsService_WaitAll() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionCompletes(20*time.Millisecond, "A long visit.")...)
	server.ScriptTranscription(ambienttest.TranscriptionFails(0, "no speech found")...)
	var ids []int64
	for range 2 {
		submission, err := client.Transcriptions.Submit(context.Background(), newVisit())
		if err != nil {
			fmt.Println(err)
			return
		}
		ids = append(ids, submission.ID)
	}

	for transcript, err := range client.Transcriptions.WaitAll(context.Background(), ids, fakePace) {
		if err != nil {
			fmt.Println(transcript.ID, err)
			continue
		}
		fmt.Println(transcript.ID, transcript.RawText)
	}

	// Unordered output:
	// 102 ambient: transcription 102 failed (STT_ERROR)
	// 101 A long visit.
}

func ExampleTranscriptionsService_SubmitAndWait() {
	server, client := fakeAPI()
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
		Audio: ambient.AudioFile("testdata/visit.mp3"),
	}, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.Submission.ID, transcript.RawText)

	// Output: 101 Doctor: What brings you in today?
}

// A gateway lost the answer to the first attempt, and the second was taken as well. The
// service may have the visit twice.
func ExampleTranscriptionSubmission_PossibleDuplicate() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Status: 502})

	submission, err := client.Transcriptions.Submit(context.Background(), newVisit())
	if err != nil {
		fmt.Println(err)
		return
	}
	if submission.PossibleDuplicate() {
		fmt.Println("ask the vendor for another transcription than", submission.ID)
	}

	// Output: ask the vendor for another transcription than 102
}

// Decode reads a field that this SDK does not know into a type of yours.
func ExampleTranscription_Decode() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"language": "en"}})

	transcript, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	var more struct{ Language string }
	if err := transcript.Decode(&more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(more.Language)

	// Output: en
}

// A job has ended, well or badly, or it goes on, also in a state that is new.
func ExampleTranscription_Done() {
	for _, status := range []ambient.TranscriptionStatus{"STT_COMPLETED", "STT_ERROR", "STT_PROCESSING", "STT_POLISHING"} {
		t := &ambient.Transcription{ID: 101, Status: status}
		fmt.Println(status, t.Done())
	}

	// Output:
	// STT_COMPLETED true
	// STT_ERROR true
	// STT_PROCESSING false
	// STT_POLISHING false
}

// Err works for a stored job too.
func ExampleTranscription_Err() {
	stored := &ambient.Transcription{ID: 101, Status: ambient.TranscriptionIncomplete, RawText: "Doctor: What"}
	fmt.Println(stored.Err())

	// Output: ambient: transcription 101 ended with a partial transcript (STT_INCOMPLETE)
}

// Printing shows no patient data. Marshalling keeps all of it, for the database.
func ExampleTranscription_MarshalJSON() {
	transcript := ambient.Transcription{ID: 101, Status: ambient.TranscriptionCompleted, RawText: "Doctor: Good morning."}
	fmt.Println(transcript)

	stored, err := json.Marshal(transcript)
	fmt.Println(string(stored), err)

	// Output:
	// Transcription(id 101, STT_COMPLETED, 21 bytes of text, 0 more fields)
	// {"id":101,"raw_text":"Doctor: Good morning.","task_status":"STT_COMPLETED"} <nil>
}

func ExampleTranscription_UnmarshalJSON() {
	stored := `{"id": 101, "task_status": "STT_COMPLETED", "raw_text": "Doctor: Good morning."}`

	var transcript ambient.Transcription
	if err := json.Unmarshal([]byte(stored), &transcript); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.ID, transcript.Done(), transcript.RawText)

	// Output: 101 true Doctor: Good morning.
}

func ExampleWithProgress() {
	server, client := fakeAPI()
	defer server.Close()

	var percent []int64
	_, err := client.Transcriptions.Submit(context.Background(), newVisit(),
		ambient.WithProgress(func(sent, total int64) { percent = append(percent, 100*sent/total) }))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rising:", slices.IsSorted(percent), "to", percent[len(percent)-1])

	// Output: rising: true to 100
}

// A program that keeps a ledger writes "sent" at the last moment. If it stops before that,
// the service cannot have the visit.
func ExampleWithCommit() {
	server, client := fakeAPI()
	defer server.Close()

	ledger := map[string]string{"visit 1": "todo"}
	_, err := client.Transcriptions.Submit(context.Background(), newVisit(),
		ambient.WithCommit(func(context.Context) error {
			if ledger["visit 1"] != "todo" {
				return errors.New("another process has this visit")
			}
			ledger["visit 1"] = "sent"
			return nil
		}))
	switch {
	case err == nil:
		ledger["visit 1"] = "waiting"
	case !ambient.MaybeSubmitted(err):
		ledger["visit 1"] = "todo"
	}
	fmt.Println(ledger["visit 1"])

	// Output: waiting
}

// How a call went, also one that failed.
func ExampleWithCallInfo() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	defer server.Close()
	server.Fault("GET /transcribe/{id}", 1, ambienttest.Answer(503))

	var info ambient.CallInfo
	_, err := client.Transcriptions.Get(context.Background(), 7, ambient.WithCallInfo(&info))
	_, notFound := errors.AsType[*ambient.NotFoundError](err)
	fmt.Println("not found:", notFound)
	for _, attempt := range info.Attempts {
		fmt.Println(attempt.StatusCode, attempt.Sent)
	}

	// Output:
	// not found: true
	// 503 answered
	// 404 answered
}

// Visits of a minute are worth asking for more often than visits of hours.
func ExampleWithPollInterval() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionCompletes(20*time.Millisecond, "A short visit.")...)

	transcript, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(),
		ambient.WithPollInterval(5*time.Millisecond, 10*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: A short visit.
}

// A program that has other work waits for no long outage, and asks again later.
func ExampleWithMaxOutage() {
	server, client := fakeAPI()
	defer server.Close()
	server.FaultRange("GET /transcribe/{id}", 1, 100, ambienttest.Answer(521))

	_, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace,
		ambient.WithMaxOutage(20*time.Millisecond))
	if wait, ok := errors.AsType[*ambient.WaitError](err); ok {
		fmt.Println("later: Wait with id", wait.ID, ambient.Retryable(err))
	}

	// Output: later: Wait with id 101 true
}

// What a user of the application sees while a visit is transcribed.
func ExampleWithOnPoll() {
	server, client := fakeAPI()
	defer server.Close()

	_, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace,
		ambient.WithOnPoll(func(e ambient.PollEvent) {
			if e.Err != nil {
				fmt.Println(e.ID, e.Err) // the wait goes on if e.Next is not 0
				return
			}
			fmt.Println(e.ID, e.Status)
		}))
	if err != nil {
		fmt.Println(err)
	}

	// Output: 101 STT_COMPLETED
}
