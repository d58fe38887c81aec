package ambienttest_test

import (
	"context"
	"fmt"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// note is a request for a note.
var note = &ambient.ScribeRequest{TemplateIDs: []int64{1}, Transcripts: []string{"Synthetic visit."}}

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

// The steps are queued, at work, and done.
func ExampleTranscriptionCompletes() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionCompletes(30*time.Millisecond, "Synthetic visit.")...)

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	fmt.Println(transcript, err)

	// Output: Transcription(id 101, STT_COMPLETED, 16 bytes of text, 0 more fields) <nil>
}

// The message is in the result, since it may hold patient data.
func ExampleTranscriptionFails() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionFails(10*time.Millisecond, "no speech found")...)

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	fmt.Println(err)
	fmt.Println(transcript.ErrorMessage)

	// Output:
	// ambient: transcription 101 failed (STT_ERROR)
	// no speech found
}

// A part of the text is better than none.
func ExampleTranscriptionIncomplete() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptTranscription(ambienttest.TranscriptionIncomplete(10*time.Millisecond, "Synthetic vi")...)

	transcript, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace)
	fmt.Println(err)
	fmt.Println(transcript.RawText)

	// Output:
	// ambient: transcription 101 ended with a partial transcript (STT_INCOMPLETE)
	// Synthetic vi
}

// The note comes in the field "note".
func ExampleScribeCompletes() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptScribe(ambienttest.ScribeCompletes(10*time.Millisecond, map[string]any{"plan": "Rest."})...)

	scribe, err := newClient(server).Scribes.CreateAndWait(context.Background(), note, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", scribe.Extra["note"])

	// Output: {"plan":"Rest."}
}

// No reason is published for a scribe that failed.
func ExampleScribeFails() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptScribe(ambienttest.ScribeFails(10 * time.Millisecond)...)

	_, err := newClient(server).Scribes.CreateAndWait(context.Background(), note, fakePace)
	fmt.Println(err)

	// Output: ambient: scribe 101 failed (FAILED)
}
