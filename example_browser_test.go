package ambient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

// A handler that passes the upload of a browser on while it arrives. See "Streaming a
// browser's upload" in the package documentation.
func ExampleAudioReader_browser() {
	service, client := fakeAPI()
	defer service.Close()
	server := httptest.NewServer(passOn(client))
	defer server.Close()

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("patient", "Alex Example (synthetic)")
	file, _ := form.CreateFormFile("audio", "visit.webm")
	file.Write([]byte("\x1aE\xdf\xa3 synthetic audio"))
	form.Close()
	resp, err := http.Post(server.URL, form.FormDataContentType(), &body)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)

	// Output:
	// stored id 101
	// 202 Accepted
}

func passOn(client *ambient.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// nil, since a Read may still run when the handler sets headers.
		r.Body = http.MaxBytesReader(nil, r.Body, 1<<30)
		request, err := requestOf(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// A browser that leaves after the last byte must not cost the id. A browser that
		// leaves before breaks the reader, which ends the upload.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Hour)
		defer cancel()
		submission, err := client.Transcriptions.Submit(ctx, request, ambient.WithMaxLimitWait(20*time.Second))
		if err != nil {
			fmt.Println("maybe submitted:", ambient.MaybeSubmitted(err))
			// The answer needs a lock that a Read which still runs holds.
			http.NewResponseController(w).SetReadDeadline(time.Now())
			http.Error(w, "the upload failed", http.StatusBadGateway)
			return
		}
		fmt.Println("stored id", submission.ID) // before the browser hears of it
		w.WriteHeader(http.StatusAccepted)
	}
}

// requestOf reads the form up to the audio, which comes last.
func requestOf(r *http.Request) (*ambient.TranscriptionRequest, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, errors.New("a multipart form is required")
	}
	request := &ambient.TranscriptionRequest{}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, errors.New("the form has no audio")
		}
		switch part.FormName() {
		case "patient":
			name, err := io.ReadAll(http.MaxBytesReader(nil, part, 1<<10))
			if err != nil {
				return nil, errors.New("the name is too long")
			}
			request.PatientName = string(name)
		case "audio":
			request.Audio = ambient.AudioReader("visit.webm", part)
			return request, nil
		}
	}
}
