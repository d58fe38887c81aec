// Errors provokes each documented error on a fake API and prints what to do about
// it.
//
//	go run ./examples/errors
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// advise says what to do about an error. This function is the part to copy. It
// follows the table in the package documentation, and the order of the cases
// matters: a WaitError, for instance, wraps the error of its last poll.
func advise(err error) string {
	var (
		wait     *ambient.WaitError
		partial  *ambient.TranscriptionIncompleteError
		failed   *ambient.TranscriptionFailedError
		scribe   *ambient.ScribeFailedError
		limited  *ambient.RateLimitError
		source   *ambient.CredentialsError
		notFound *ambient.NotFoundError
	)
	switch {
	case errors.As(err, &wait) && errors.As(err, &notFound):
		return fmt.Sprintf("check the account, then Wait(ctx, %d)", wait.ID)
	case errors.As(err, &wait):
		return fmt.Sprintf("it goes on: Wait(ctx, %d) later", wait.ID)
	case ambient.MaybeSubmitted(err):
		return "ask the vendor, with SupportReport, before submitting again"
	case errors.Is(err, context.Canceled):
		return "nothing, since this program ended the call"
	case errors.As(err, &partial):
		return fmt.Sprintf("use the %d bytes of text there are", len(partial.Transcription.RawText))
	case errors.As(err, &failed), errors.As(err, &scribe):
		return "see what the service says of the job"
	case errors.As(err, &limited):
		return fmt.Sprintf("call again in %v", limited.RetryAfter.Round(time.Second))
	case errors.As(err, &source):
		return "see to the source that " + source.Source + " set, call again"
	case ambient.Retryable(err):
		return "call again later"
	}
	return adviseOnRefusal(err)
}

// adviseOnRefusal advises on errors that come again until somebody does something.
func adviseOnRefusal(err error) string {
	var (
		unauthorized *ambient.UnauthorizedError
		forbidden    *ambient.ForbiddenError
		notFound     *ambient.NotFoundError
		conflict     *ambient.ConflictError
		invalid      *ambient.ValidationError
		request      *ambient.RequestError
		audio        *ambient.AudioError
		api          *ambient.APIError
	)
	switch {
	case errors.As(err, &unauthorized):
		return "renew the user name, password or token"
	case errors.As(err, &forbidden):
		return "ask the administrator for access"
	case errors.As(err, &notFound):
		return "check the id and the account"
	case errors.As(err, &conflict):
		return "ask the vendor what exists already"
	case errors.As(err, &invalid):
		var paths []string
		for _, field := range invalid.Fields {
			paths = append(paths, field.Path)
		}
		return "fix the request: " + strings.Join(paths, ", ")
	case errors.As(err, &request):
		return "fix the request: " + request.Field
	case errors.As(err, &audio):
		return "fix the recording's source, then submit again"
	case errors.As(err, &api):
		return "fix the request or the set-up, see the status"
	}
	return "report it"
}

// A trial is one way to get an error.
type trial struct {
	name    string
	fault   ambienttest.Fault // of every submit
	prepare func(*ambienttest.Server)
	options []ambient.Option
	call    func(context.Context, *ambient.Client) error // submit, unless set
}

var recording = ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic audio"))

func submit(ctx context.Context, client *ambient.Client) error {
	_, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: recording},
		ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond)) // the fake's jobs are as short
	return err
}

var trials = []trial{
	{name: "malformed request", fault: ambienttest.Answer(400)},
	{name: "wrong password", options: []ambient.Option{ambient.WithCredentials("clinic", "wrong")}},
	{name: "invalid token", options: []ambient.Option{ambient.WithToken("invalid")}},
	{name: "no access", fault: ambienttest.Answer(403)},
	{name: "unknown id", call: func(ctx context.Context, client *ambient.Client) error {
		_, err := client.Transcriptions.Get(ctx, 999)
		return err
	}},
	{name: "duplicate", fault: ambienttest.Answer(409)},
	{name: "missing parameter", fault: ambienttest.Answer(422)},
	{name: "too many requests", fault: ambienttest.RetryAfter(429, "120")},
	{name: "service failed", fault: ambienttest.Answer(500)},
	{name: "gateway failed", fault: ambienttest.ProxyHTML(502)},
	{name: "service is down", fault: ambienttest.Answer(503)},
	{name: "gateway timed out", fault: ambienttest.ProxyHTML(504)},
	{name: "redirect", fault: ambienttest.Redirect("https://elsewhere.example.com")},
	{name: "no connection", prepare: (*ambienttest.Server).Close},
	{name: "connection lost", fault: ambienttest.Fault{Reset: ambienttest.ResetAfterRead}},
	{name: "unusable answer", fault: ambienttest.Fault{Status: 202, Body: "<html>"}},
	{name: "vault is sealed", options: []ambient.Option{ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
		return "", "", errors.New("the vault is sealed")
	})}},
	{name: "no recording", call: func(ctx context.Context, client *ambient.Client) error {
		_, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{})
		return err
	}},
	{name: "recording cut off", call: func(ctx context.Context, client *ambient.Client) error {
		short := ambient.AudioReaderAt("visit.mp3", strings.NewReader("ID3 synthetic audio"), 1000)
		_, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: short})
		return err
	}},
	{name: "transcription failed", prepare: func(server *ambienttest.Server) {
		server.ScriptTranscription(ambienttest.TranscriptionFails(0, "no speech found")...)
	}},
	{name: "partial transcript", prepare: func(server *ambienttest.Server) {
		server.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "Synthetic vi")...)
	}},
	{name: "note failed", prepare: func(server *ambienttest.Server) {
		server.ScriptScribe(ambienttest.ScribeFails(0)...)
	}, call: func(ctx context.Context, client *ambient.Client) error {
		_, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{1}, Audio: []ambient.Audio{recording}},
			ambient.WithPollInterval(time.Millisecond, 10*time.Millisecond))
		return err
	}},
	{name: "job is not found", prepare: func(server *ambienttest.Server) {
		server.FaultRange("GET /transcribe/{id}", 1, 99, ambienttest.Answer(404))
	}, call: func(ctx context.Context, client *ambient.Client) error {
		_, err := client.Transcriptions.Wait(ctx, 101)
		return err
	}},
	{name: "deadline", call: func(ctx context.Context, client *ambient.Client) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := client.Transcriptions.Wait(ctx, 101)
		return err
	}, prepare: func(server *ambienttest.Server) {
		server.FaultRange("GET /transcribe/{id}", 1, 99, ambienttest.Fault{Status: 200, Body: `{"id": 101, "task_status": "STT_PROCESSING"}`})
	}},
}

// try returns the error of one trial.
func try(ctx context.Context, t trial) error {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()
	if t.prepare != nil {
		t.prepare(server)
	}
	server.FaultRange("POST /transcribe", 1, 9, t.fault)
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
		// Without retries and waits the table appears at once.
		ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1}),
	}, t.options...)...)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if t.call == nil {
		t.call = submit
	}
	return t.call(ctx, client)
}

func run(ctx context.Context, stdout io.Writer) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT HAPPENED\tTYPE\tWHAT TO DO")
	var last error
	for _, t := range trials {
		err := try(ctx, t)
		fmt.Fprintf(table, "%s\t%s\t%s\n", t.name, strings.TrimPrefix(fmt.Sprintf("%T", err), "*ambient."), advise(err))
		if t.name == "gateway timed out" {
			last = err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "\nThe support report of the gateway's timeout:\n\n%s", ambient.SupportReport(last))
	return err
}
