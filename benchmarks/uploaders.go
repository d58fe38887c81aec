package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"os"

	"github.com/ambient-scribe/ambient-go"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-github/v93/github"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"
)

// An uploader sends a file in the way that its documentation shows first.
type uploader struct {
	name, note string
	streams    bool // it does not hold the file in memory
	upload     func(ctx context.Context, url, path string) error
}

const (
	nameRetryableReader = nameRetryable + ", io.Reader"
	nameRetryableFunc   = nameRetryable + ", ReaderFunc"
	nameOpenAIBody      = nameOpenAI + ", WithRequestBody"
	nameAzureForm       = nameAzure + ", SetMultipartFormData"
)

// bare is the type of an upload that is no form.
const bare = "application/octet-stream"

func uploaders() []uploader {
	return []uploader{
		{nameOurs, "form; repeats after a 503", true, uploadOurs},
		{nameNetHTTP, "form, streamed with a known length; no retry", true, uploadByHand},
		{nameRetryableFunc, "form made again for each attempt, as its documentation advises for large bodies", true, uploadRetryableFunc},
		{nameRetryableReader, "form as an io.Reader, which it buffers to be able to repeat it", false, uploadRetryableReader},
		{nameGitHub, "bare file; no retry", true, uploadGitHub},
		{nameAssembly, "bare file; no retry", true, uploadAssembly},
		{nameOpenAI, "form", false, uploadOpenAI},
		{nameOpenAIBody, "form, streamed; not repeated", true, uploadOpenAIBody},
		{nameStripe, "form", false, uploadStripe},
		{nameResty, "form", false, uploadResty},
		{nameResty3, "form, streamed with an unknown length; its repeat finds the file closed", true, uploadResty3},
		{nameAzure, "bare file; repeats after a 503", true, uploadAzure},
		{nameAzureForm, "form", false, uploadAzureForm},
		{nameAWS, "bare file; repeats after a 503", true, uploadAWS},
	}
}

func uploadOurs(ctx context.Context, url, path string) error {
	_, err := ours(url, nil).Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(path)})
	return err
}

// formEnds are what stands before and after the file in a multipart body.
func formEnds() (head, tail []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	must(w.CreateFormFile("audio_file", "visit.mp3"))
	n := b.Len()
	_ = w.Close() // a buffer takes everything
	return b.Bytes()[:n], b.Bytes()[n:], w.FormDataContentType()
}

// formAround is a multipart body that is streamed.
func formAround(head []byte, f *os.File, tail []byte) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), f, bytes.NewReader(tail)), f}
}

func uploadByHand(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	head, tail, contentType := formEnds()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/transcribe", formAround(head, f, tail))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(head)+len(tail)) + info.Size()
	req.Header.Set("Content-Type", contentType)
	return checkUpload(http.DefaultClient.Do(req))
}

func uploadRetryableReader(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, tail, contentType := formEnds()
	return uploadRetryable(ctx, url, contentType, formAround(head, f, tail))
}

func uploadRetryableFunc(ctx context.Context, url, path string) error {
	head, tail, contentType := formEnds()
	return uploadRetryable(ctx, url, contentType, retryablehttp.ReaderFunc(func() (io.Reader, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return formAround(head, f, tail), nil
	}))
}

func uploadRetryable(ctx context.Context, url, contentType string, body any) error {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, url+"/transcribe", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	return checkUpload(retryable(nil).Do(req))
}

func checkUpload(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	var submission struct {
		ID int64 `json:"transcription_id"`
	}
	return decode(resp, &submission)
}

func uploadOpenAI(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	client := openAI(url, nil)
	_, err = client.Files.New(ctx, openai.FileNewParams{File: f, Purpose: openai.FilePurposeUserData})
	return err
}

// uploadOpenAIBody takes the form in place of the one that the client would make.
func uploadOpenAIBody(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, tail, contentType := formEnds()
	client := openAI(url, nil)
	_, err = client.Files.New(ctx, openai.FileNewParams{}, option.WithRequestBody(contentType, formAround(head, f, tail)))
	return err
}

func uploadStripe(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = stripeClient(url, nil).V1Files.Create(ctx, &stripe.FileCreateParams{
		FileReader: f, Filename: stripe.String("visit.mp3"), Purpose: stripe.String("dispute_evidence"),
	})
	return err
}

func uploadResty(ctx context.Context, url, path string) error {
	resp, err := restyClient(url, 3).R().SetContext(ctx).SetFile("audio_file", path).Post("/transcribe")
	if err == nil && resp.IsError() {
		err = statusError(resp.StatusCode())
	}
	return err
}

func uploadResty3(ctx context.Context, url, path string) error {
	resp, err := restyClient3(url, 3).R().SetContext(ctx).SetFile("audio_file", path).Post("/transcribe")
	if err == nil && resp.IsStatusFailure() {
		err = statusError(resp.StatusCode())
	}
	return err
}

func uploadAzure(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	var submission map[string]any
	return newAzure(nil, 0, "synthetic").do(ctx, http.MethodPost, url+"/transcribe", bodyOf(f, bare), &submission) // which closes f
}

func uploadAzureForm(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var submission map[string]any
	return newAzure(nil, 0, "synthetic").do(ctx, http.MethodPost, url+"/transcribe", formOf(f), &submission)
}

func uploadAWS(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var submission map[string]any
	return newAWS(nil, retry.NewStandard(), "synthetic").do(ctx, http.MethodPost, url+"/transcribe", f, bare, &submission)
}

func uploadGitHub(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = gitHub(url, nil).Repositories.UploadReleaseAsset(ctx, "synthetic", "visits", 7, &github.UploadOptions{Name: "visit.mp3"}, f)
	return err
}

func uploadAssembly(ctx context.Context, url, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = assemblyAI(url, nil).Upload(ctx, f)
	return err
}
