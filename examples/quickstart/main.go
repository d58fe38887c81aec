// Quickstart uploads the recording of a visit and waits for the transcript. Then
// it asks for a note and prints both.
//
//	go run ./examples/quickstart [flags] [recording]
//
// With AMBIENT_USERNAME and AMBIENT_PASSWORD set, it calls the real API, or the
// API at AMBIENT_BASE_URL. The flag -template then gives the template of the note.
// Without them, it starts a fake API and uploads the synthetic visit in testdata.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("quickstart", flag.ExitOnError)
	template := flags.Int64("template", 0, "id of the note's template (of your account)")
	transcription := flags.Int64("transcription", 0, "resume: wait for this transcription instead of uploading")
	scribe := flags.Int64("scribe", 0, "resume: wait for this scribe and print its note")
	flags.Parse(args)
	recording := "testdata/visit.mp3"
	if flags.NArg() > 0 {
		recording = flags.Arg(0)
	}

	var opts []ambient.Option
	if !hasAccount() {
		server, err := fakeAPI()
		if err != nil {
			return err
		}
		defer server.Close()
		fmt.Fprintln(os.Stderr, "AMBIENT_USERNAME is not set: talking to an embedded fake API, with synthetic data")
		opts = append(opts, ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password))
		*template = 1
	}
	client, err := ambient.NewClient(opts...)
	if err != nil {
		return err
	}
	if *scribe != 0 {
		return printNote(client.Scribes.Wait(ctx, *scribe, showStates("scribe")))
	}

	transcript, err := transcribe(ctx, client, recording, *transcription)
	if err != nil {
		return err
	}
	fmt.Printf("Transcript\n==========\n%s\n", transcript.RawText)
	if *template == 0 {
		fmt.Fprintln(os.Stderr, "no -template given: no note is written")
		return nil
	}
	return printNote(client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{*template},
		Transcripts: []string{transcript.RawText},
	}, showStates("scribe")))
}

func hasAccount() bool { return os.Getenv("AMBIENT_USERNAME") != "" }

// transcribe uploads a recording and waits for its transcript. With an id it only
// waits.
func transcribe(ctx context.Context, client *ambient.Client, recording string, id int64) (t *ambient.Transcription, err error) {
	if id != 0 {
		t, err = client.Transcriptions.Wait(ctx, id, showStates("transcription"))
	} else {
		t, err = client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
			Audio: ambient.AudioFile(recording),
		}, ambient.WithProgress(showUpload()), showStates("transcription"))
	}
	return t, howToGoOn("transcription", err)
}

// printNote prints all fields of the note, since the vendor has not published
// their names.
func printNote(scribe *ambient.Scribe, err error) error {
	if err != nil {
		return howToGoOn("scribe", err)
	}
	note, err := json.MarshalIndent(scribe.Extra, "", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("\nNote\n====\n%s\n", note)
	return nil
}

// howToGoOn adds to an error what the user can do next. The job of an interrupted
// wait goes on, but the fake API ends with this program.
func howToGoOn(kind string, err error) error {
	if wait, ok := errors.AsType[*ambient.WaitError](err); ok {
		if !hasAccount() {
			return err
		}
		return fmt.Errorf("%w\nresume with: go run ./examples/quickstart -%s %d", err, kind, wait.ID)
	}
	if ambient.MaybeSubmitted(err) {
		return fmt.Errorf("%w\nthe service may have the visit; ask the vendor before you submit it again:\n%s", err, ambient.SupportReport(err))
	}
	return err
}

// showUpload prints a line at each quarter of the upload.
func showUpload() func(sent, total int64) {
	printed := int64(-1)
	return func(sent, total int64) {
		if quarter := 4 * sent / total; quarter != printed {
			printed = quarter
			fmt.Fprintf(os.Stderr, "upload: %d of %d bytes\n", sent, total)
		}
	}
}

func showStates(kind string) ambient.WaitOption {
	return ambient.WithOnPoll(func(e ambient.PollEvent) {
		if e.Err != nil {
			fmt.Fprintf(os.Stderr, "%s %d: %v\n", kind, e.ID, e.Err)
			return
		}
		fmt.Fprintf(os.Stderr, "%s %d: %s\n", kind, e.ID, e.Status)
	})
}

// fakeAPI starts an API whose transcript of every recording is the visit in
// testdata.
func fakeAPI() (*ambienttest.Server, error) {
	text, err := os.ReadFile("testdata/visit.txt")
	if err != nil {
		return nil, fmt.Errorf("run this at the top of the repository: %w", err)
	}
	noteJSON, err := os.ReadFile("testdata/note.json")
	if err != nil {
		return nil, err
	}
	var note map[string]any
	if err := json.Unmarshal(noteJSON, &note); err != nil {
		return nil, err
	}
	return ambienttest.NewServer(ambienttest.WithTranscript(string(text)), ambienttest.WithNote(note)), nil
}
