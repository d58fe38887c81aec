package ambient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// fakeAPI starts a fake API and returns it with a client of it. Its jobs are
// done at once; what it says is synthetic.
func fakeAPI(opts ...ambient.Option) (*ambienttest.Server, *ambient.Client) {
	server := ambienttest.NewServer(
		ambienttest.WithJobTime(0),
		ambienttest.WithTranscript("Doctor: What brings you in today?"),
		ambienttest.WithNote(map[string]any{"plan": "Rest and ice."}),
	)
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return server, client
}

// fakePace suits jobs that take milliseconds. For those of the real API leave it
// out.
var fakePace = ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond)

// A recording becomes a transcript, and the transcript a note.
func Example() {
	server, client := fakeAPI() // in real life: ambient.NewClient()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
		Audio:             ambient.AudioFile("testdata/visit.mp3"),
		PatientName:       "Alex Example",
		DateOfService:     time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC),
		AdditionalContext: map[string]any{"age": 47},
	}, fakePace)
	if err != nil {
		fmt.Println(err) // safe to log
		return
	}
	fmt.Println(transcript.RawText)

	scribe, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{1},
		Transcripts: []string{transcript.RawText},
	}, fakePace)
	if err != nil {
		fmt.Println(err)
		return
	}
	for field, value := range scribe.Extra { // the vendor has not published the note's shape
		fmt.Printf("%s: %s\n", field, value)
	}

	// Output:
	// Doctor: What brings you in today?
	// note: {"plan":"Rest and ice."}
}

// A job needs no process that waits for it: its id can be queued, and a worker,
// here or elsewhere, asks for its state when it likes.
func Example_queue() {
	server, client := fakeAPI()
	defer server.Close()
	ctx := context.Background()

	// A web server takes the recording in and queues a receipt.
	submission, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/visit.mp3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	queued, err := json.Marshal(submission)
	if err != nil {
		fmt.Println(err)
		return
	}

	// A worker goes on from there.
	var received ambient.TranscriptionSubmission
	if err := json.Unmarshal(queued, &received); err != nil {
		fmt.Println(err)
		return
	}
	transcript, err := client.Transcriptions.Wait(ctx, received.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.RawText)

	// Output: Doctor: What brings you in today?
}

// All bad options are reported at once.
func ExampleNewClient() {
	_, err := ambient.NewClient(
		ambient.WithBaseURL("http://ambient.example.com"),
		ambient.WithCredentials("clinic", "synthetic"),
		ambient.WithRateLimit(0, 1),
	)
	fmt.Println(err)

	// Output:
	// ambient: WithBaseURL: must begin with https://, since patient data and the password travel there; http:// goes to loopback addresses only
	// ambient: WithRateLimit: perSecond must be above 0 and burst at least 1
}

// Without options, the credentials and the base URL come from the environment.
func ExampleNewClient_environment() {
	os.Setenv("AMBIENT_USERNAME", "clinic")
	os.Setenv("AMBIENT_PASSWORD", "synthetic")
	defer os.Unsetenv("AMBIENT_USERNAME")
	defer os.Unsetenv("AMBIENT_PASSWORD")

	client, err := ambient.NewClient()
	fmt.Println(client != nil, err)

	// Output: true <nil>
}

// At start-up, wrong credentials are better found at once than at the first
// visit.
func ExampleClient_Authenticate() {
	server := ambienttest.NewServer()
	defer server.Close()
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, "wrong"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Authenticate(context.Background()))

	// Output: ambient: POST /auth/token: 401 Unauthorized: Could not validate credentials
}

// An endpoint that this SDK has no method for is called by its path, with the
// token, retries and rate limit of every other call.
func ExampleClient_Do() {
	server, client := fakeAPI()
	defer server.Close()
	server.Fault("*", 2, ambienttest.Fault{Status: 200, Body: `{"used": 12, "left": 88}`}) // 1 is the token call

	var quota struct{ Used, Left int }
	if err := client.Do(context.Background(), "GET", "/quota?month=2025-11", nil, &quota); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(quota.Used, "used,", quota.Left, "left")

	// Output: 12 used, 88 left
}

// Connections that wait for the next call are closed, as before a long pause.
// The client can be used as before.
func ExampleClient_CloseIdleConnections() {
	server, client := fakeAPI()
	defer server.Close()
	ctx := context.Background()

	submission, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/visit.mp3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	client.CloseIdleConnections()

	transcript, err := client.Transcriptions.Get(ctx, submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connection reused:", transcript.Call.Attempts[0].ConnReused)

	// Output: connection reused: false
}

// upload submits a recording and shows what arrived.
func upload(audio ambient.Audio) {
	server, client := fakeAPI()
	defer server.Close()
	if _, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: audio}); err != nil {
		fmt.Println(err)
		return
	}
	file := server.RequestsTo("POST /transcribe")[0].Files[0]
	fmt.Printf("%s, %s\n", file.Filename, file.ContentType)
}

// The name on disk, which may be a patient's, is not sent.
func ExampleAudioFile() {
	upload(ambient.AudioFile("testdata/visit.mp3"))

	// Output: audio-1.mp3, audio/mpeg
}

func ExampleAudioFS() {
	recordings := os.DirFS("testdata") // or an embed.FS, or a zip file
	upload(ambient.AudioFS(recordings, "visit.wav"))

	// Output: audio-1.wav, audio/wav
}

func ExampleAudioBytes() {
	recording, err := os.ReadFile("testdata/visit.mp3")
	if err != nil {
		fmt.Println(err)
		return
	}
	upload(ambient.AudioBytes("visit.mp3", recording))

	// Output: audio-1.mp3, audio/mpeg
}

// Storage that reads at any offset can be read again for another attempt.
func ExampleAudioReaderAt() {
	recording, err := os.Open("testdata/visit.wav")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer recording.Close()
	info, err := recording.Stat()
	if err != nil {
		fmt.Println(err)
		return
	}
	upload(ambient.AudioReaderAt("visit.wav", recording, info.Size()))

	// Output: audio-1.wav, audio/wav
}

// A stream is sent once. The call is not repeated after a failure.
func ExampleAudioReader() {
	server, client := fakeAPI()
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))

	recording := bytes.NewBufferString("ID3 synthetic audio")
	_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{
		Audio: ambient.AudioReader("visit.mp3", recording),
	})
	fmt.Println(err)

	// Output: ambient: POST /transcribe: 503 Service Unavailable (not repeated: the audio cannot be read twice)
}

// The size of a stream is known where it comes with a Content-Length.
func ExampleAudioReaderSize() {
	stream := strings.NewReader("ID3 synthetic audio")
	upload(ambient.AudioReaderSize("visit.mp3", stream, stream.Size()))

	// Output: audio-1.mp3, audio/mpeg
}

// For a recording whose type is not recognised.
func ExampleAudio_WithContentType() {
	recording := []byte("synthetic audio without a header")
	upload(ambient.AudioBytes("visit.webm", recording).WithContentType("audio/webm;codecs=opus"))

	// Output: audio-1.webm, audio/webm;codecs=opus
}

// For a name that helps to find the recording at the service and is no
// patient's.
func ExampleAudio_WithUploadName() {
	upload(ambient.AudioFile("testdata/visit.mp3").WithUploadName("encounter-4711.mp3"))

	// Output: encounter-4711.mp3, audio/mpeg
}

// A whole request can be queued, its recording as a path.
func ExampleAudio_MarshalJSON() {
	queued, err := json.Marshal(&ambient.TranscriptionRequest{
		Audio:             ambient.AudioFile("testdata/visit.mp3"),
		AdditionalContext: map[string]any{"age": 47},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var request ambient.TranscriptionRequest
	if err := json.Unmarshal(queued, &request); err != nil {
		fmt.Println(err)
		return
	}
	upload(request.Audio)

	// Output: audio-1.mp3, audio/mpeg
}
