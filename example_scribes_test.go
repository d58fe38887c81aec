package ambient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// newNote is a request for a note of a synthetic transcript.
func newNote() *ambient.ScribeRequest {
	return &ambient.ScribeRequest{TemplateIDs: []int64{1}, Transcripts: []string{"Doctor: What brings you in today?"}}
}

// A visit may have several recordings, and its note follow several templates.
func ExampleScribesService_Create() {
	server, client := fakeAPI()
	defer server.Close()

	submission, err := client.Scribes.Create(context.Background(), &ambient.ScribeRequest{
		TemplateIDs:   []int64{1, 2},
		Audio:         []ambient.Audio{ambient.AudioFile("testdata/visit.wav"), ambient.AudioFile("testdata/visit.mp3")},
		PatientName:   "Alex Example",
		DateOfService: time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("store this id:", submission.ID)

	// Output: store this id: 101
}

func ExampleScribesService_Get() {
	server, client := fakeAPI()
	defer server.Close()
	submission, err := client.Scribes.Create(context.Background(), newNote())
	if err != nil {
		fmt.Println(err)
		return
	}

	scribe, err := client.Scribes.Get(context.Background(), submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scribe.Status)

	// Output: COMPLETED
}

// A new note replaces the old one, after the recording of a second microphone was
// found. The id stays the same.
func ExampleScribesService_RegenerateFromAudio() {
	server, client := fakeAPI()
	defer server.Close()
	ctx := context.Background()
	scribe, err := client.Scribes.CreateAndWait(ctx, newNote(), fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}

	submission, err := client.Scribes.RegenerateFromAudio(ctx, scribe.ID, []ambient.Audio{ambient.AudioFile("testdata/visit.mp3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := client.Scribes.Wait(ctx, submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("same id:", again.ID == scribe.ID)

	// Output: same id: true
}

func ExampleScribesService_Wait() {
	server, client := fakeAPI()
	defer server.Close()
	submission, err := client.Scribes.Create(context.Background(), newNote())
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	scribe, err := client.Scribes.Wait(ctx, submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", scribe.Extra["note"])

	// Output: {"plan":"Rest and ice."}
}

func ExampleScribesService_WaitAll() {
	server, client := fakeAPI()
	defer server.Close()
	server.ScriptScribe(ambienttest.ScribeCompletes(20*time.Millisecond, map[string]any{"plan": "See a specialist."})...)
	var ids []int64
	for range 2 {
		submission, err := client.Scribes.Create(context.Background(), newNote())
		if err != nil {
			fmt.Println(err)
			return
		}
		ids = append(ids, submission.ID)
	}

	for scribe, err := range client.Scribes.WaitAll(context.Background(), ids, fakePace) {
		if err != nil {
			fmt.Println(scribe.ID, err)
			continue
		}
		fmt.Printf("%d %s\n", scribe.ID, scribe.Extra["note"])
	}

	// Unordered output:
	// 102 {"plan":"Rest and ice."}
	// 101 {"plan":"See a specialist."}
}

func ExampleScribesService_CreateAndWait() {
	server, client := fakeAPI()
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	scribe, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{1},
		Transcripts: []string{"Doctor: What brings you in today?"},
	}, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", scribe.Extra["note"])

	// Output: {"plan":"Rest and ice."}
}

func ExampleScribeSubmission_PossibleDuplicate() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	defer server.Close()
	server.Fault("POST /scribe", 1, ambienttest.Fault{Process: true, Status: 504})

	submission, err := client.Scribes.Create(context.Background(), newNote())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(submission.PossibleDuplicate())

	// Output: true
}

// Decode reads the note into a type of yours. The vendor has not published its fields.
// Look at the Extra of a scribe of your account first.
func ExampleScribe_Decode() {
	server, client := fakeAPI()
	defer server.Close()
	scribe, err := client.Scribes.CreateAndWait(context.Background(), newNote(), fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}

	var answer struct {
		Note struct{ Plan string }
	}
	if err := scribe.Decode(&answer); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Note.Plan)

	// Output: Rest and ice.
}

func ExampleScribe_Done() {
	for _, status := range []ambient.ScribeStatus{"IN_PROGRESS", "COMPLETED", "FAILED"} {
		s := &ambient.Scribe{ID: 101, Status: status}
		fmt.Println(status, s.Done())
	}

	// Output:
	// IN_PROGRESS false
	// COMPLETED true
	// FAILED true
}

func ExampleScribe_Err() {
	stored := &ambient.Scribe{ID: 101, Status: ambient.ScribeFailed}
	fmt.Println(stored.Err())

	// Output: ambient: scribe 101 failed (FAILED)
}

// The JSON is the API's own, with every field that it sent.
func ExampleScribe_MarshalJSON() {
	scribe := ambient.Scribe{
		ID:     101,
		Status: ambient.ScribeCompleted,
		Extra:  map[string]json.RawMessage{"note": json.RawMessage(`"Rest and ice."`)},
	}
	fmt.Println(scribe)

	stored, err := json.Marshal(scribe)
	fmt.Println(string(stored), err)

	// Output:
	// Scribe(id 101, COMPLETED, 1 more fields)
	// {"note":"Rest and ice.","scribe_id":101,"status":"COMPLETED"} <nil>
}
