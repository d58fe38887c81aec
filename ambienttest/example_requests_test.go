package ambienttest_test

import (
	"context"
	"fmt"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

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

// Token calls and polls are requests too.
func ExampleServer_Requests() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()

	if _, err := newClient(server).Transcriptions.SubmitAndWait(context.Background(), visit, fakePace); err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range server.Requests() {
		fmt.Println(r.Route, r.Status)
	}

	// Output:
	// POST /auth/token 200
	// POST /transcribe 202
	// GET /transcribe/{id} 200
}

func ExampleRequest_Value() {
	server := ambienttest.NewServer()
	defer server.Close()

	_, err := newClient(server).Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{
		Audio:             visit.Audio,
		AdditionalContext: map[string]any{"age": 47},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.RequestsTo("POST /transcribe")[0].Value("additional_context"))

	// Output: {"age":47}
}

// A form may have a field more than once.
func ExampleRequest_Values() {
	server := ambienttest.NewServer()
	defer server.Close()

	_, err := newClient(server).Scribes.Create(context.Background(), &ambient.ScribeRequest{
		TemplateIDs: []int64{3, 5},
		Transcripts: []string{"Synthetic visit."},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.RequestsTo("POST /scribe")[0].Values("template_ids"))

	// Output: [3 5]
}

func ExampleServer_AssertCount() {
	t := &exampleT{} // a *testing.T
	server := ambienttest.NewServer()
	defer server.Close()

	if _, err := newClient(server).Transcriptions.Submit(context.Background(), visit); err != nil {
		fmt.Println(err)
		return
	}
	server.AssertCount(t, "POST /auth/token", 1)
	server.AssertCount(t, "POST /transcribe", 2) // reported, with what did arrive

	// Output:
	// ambienttest: 1 requests to "POST /transcribe", want 2; arrived:
	// 	POST /v1/ambient/api/auth/token, 2 fields, 0 files, 62 bytes: 200
	// 	POST /v1/ambient/api/transcribe, 0 fields, 1 files, 254 bytes: 202
}

func ExampleServer_AssertRoutes() {
	t := &exampleT{} // a *testing.T
	server := ambienttest.NewServer()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))

	if _, err := newClient(server).Transcriptions.Submit(context.Background(), visit); err != nil {
		fmt.Println(err)
		return
	}
	server.AssertRoutes(t, "POST /auth/token", "POST /transcribe", "POST /transcribe")
	fmt.Println("asserted")

	// Output: asserted
}

// Start and StartInMemory report it at the end of a test.
func ExampleServer_Unreached() {
	server := ambienttest.NewServer()
	defer server.Close()
	server.ScriptScribe(ambienttest.ScribeFails(0)...)

	fmt.Println(server.Unreached())

	// Output: [ScriptScribe no. 1 (IN_PROGRESS, FAILED): no job was submitted for it]
}
