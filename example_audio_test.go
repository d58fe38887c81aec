package ambient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

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

// A stream is sent once: nothing repeats the call after a failure.
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
