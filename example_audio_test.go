package ambient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

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

// A handler that passes the upload of a browser on while it arrives. See "Streaming a
// browser's upload" in the package documentation.
func ExampleAudioReader_browser() {
	server, client := fakeAPI()
	defer server.Close()

	handler := func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			http.Error(w, "a multipart form is required", http.StatusBadRequest)
			return
		}
		request := &ambient.TranscriptionRequest{}
		for {
			part, err := form.NextPart()
			if err != nil {
				http.Error(w, "the form has no audio", http.StatusBadRequest)
				return
			}
			if part.FormName() == "audio" {
				request.Audio = ambient.AudioReader("visit.webm", part)
				break // the form fields come first
			}
			value, _ := io.ReadAll(io.LimitReader(part, 1<<10))
			request.PatientName = string(value)
		}
		// A browser that leaves after the last byte must not cost the id. One that leaves
		// before that breaks the reader, which ends the upload.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Hour)
		defer cancel()
		submission, err := client.Transcriptions.Submit(ctx, request)
		if err != nil {
			fmt.Println("maybe submitted:", ambient.MaybeSubmitted(err))
			http.Error(w, "the upload failed", http.StatusBadGateway)
			return
		}
		fmt.Println("stored id", submission.ID) // before the browser hears of it
		w.WriteHeader(http.StatusAccepted)
	}

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("patient", "Alex Example (synthetic)")
	file, _ := form.CreateFormFile("audio", "visit.webm")
	file.Write([]byte("\x1aE\xdf\xa3 synthetic audio"))
	form.Close()
	r := httptest.NewRequest("POST", "/visits", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	handler(w, r)
	fmt.Println(w.Code)

	// Output:
	// stored id 101
	// 202
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
