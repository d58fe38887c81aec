// Folder transcribes all recordings of a directory, several at a time, and
// prints one line of JSON for each: redirect it to where patient data may be.
//
//	go run ./examples/folder [-parallel 4] [-ids file] [directory] >transcripts.jsonl
//
// With -ids it notes each job as it is submitted. Started again with the same
// file, it waits for those jobs and submits only what is new. Failures are
// listed at the end, and the exit status is 1 then. Without AMBIENT_USERNAME
// it talks to a fake API that it starts itself; without a directory it takes
// the synthetic visit in testdata.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("folder", flag.ExitOnError)
	parallel := flags.Int("parallel", 4, "uploads at a time")
	idsFile := flags.String("ids", "", "file of the ids of submitted jobs")
	flags.Parse(args)
	directory := "testdata"
	if flags.NArg() > 0 {
		directory = flags.Arg(0)
	}
	recordings, err := recordingsIn(directory)
	if err != nil {
		return err
	}

	var opts []ambient.Option
	var waitOpts []ambient.WaitOption
	if os.Getenv("AMBIENT_USERNAME") == "" {
		server := ambienttest.NewServer(ambienttest.WithJobTime(100 * time.Millisecond))
		defer server.Close()
		fmt.Fprintln(stderr, "AMBIENT_USERNAME is not set: talking to an embedded fake API, with synthetic data")
		opts = append(opts, ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password))
		waitOpts = append(waitOpts, ambient.WithPollInterval(20*time.Millisecond, time.Second))
	}
	client, err := ambient.NewClient(opts...)
	if err != nil {
		return err
	}

	b := &batch{client: client, progress: newProgress(stderr, len(recordings)), jobs: map[int64]string{}}
	if *idsFile != "" {
		if err := b.resume(*idsFile); err != nil {
			return err
		}
		defer b.notes.Close()
	}
	b.submitAll(ctx, recordings, max(*parallel, 1))
	err = b.waitAll(ctx, stdout, waitOpts)
	b.progress.end()
	return errors.Join(err, b.report(stderr))
}

// recordingsIn lists the files of the documented types.
func recordingsIn(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var recordings []string
	for _, entry := range entries {
		switch strings.ToLower(filepath.Ext(entry.Name())) {
		case ".mp3", ".mp4", ".mpeg", ".mpga", ".m4a", ".wav", ".webm":
			recordings = append(recordings, filepath.Join(directory, entry.Name()))
		}
	}
	if recordings == nil {
		return nil, fmt.Errorf("no recordings in %s", directory)
	}
	return recordings, nil
}

// A batch is the recordings on their way.
type batch struct {
	client   *ambient.Client
	progress *progress

	mu       sync.Mutex
	jobs     map[int64]string // recordings by the id of their job
	notes    *os.File         // where the ids are noted; nil without -ids
	failures []string
}

// resume reads the ids of an earlier run, and notes those of this one.
func (b *batch) resume(name string) error {
	var err error
	if b.notes, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	lines := bufio.NewScanner(b.notes)
	for lines.Scan() {
		var id int64
		var recording string
		if _, err := fmt.Sscanf(lines.Text(), "%d %q", &id, &recording); err != nil {
			return fmt.Errorf("%s has a line that is not an id and a file name", name)
		}
		b.jobs[id] = recording
	}
	return lines.Err()
}

// submitAll uploads what has no job yet. All uploads share one client, so they
// share its token and wait for its rate limit together.
func (b *batch) submitAll(ctx context.Context, recordings []string, parallel int) {
	submitted := slices.Collect(maps.Values(b.jobs))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, recording := range recordings {
		if slices.Contains(submitted, recording) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			submission, err := b.client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(recording)})
			if err == nil {
				err = b.note(submission.ID, recording)
			}
			if err != nil {
				b.fail(recording, err)
			}
		})
	}
	wg.Wait()
}

// note makes sure that a submitted recording is not submitted again.
func (b *batch) note(id int64, recording string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jobs[id] = recording
	b.progress.step("submitted", id)
	if b.notes == nil {
		return nil
	}
	_, err := fmt.Fprintf(b.notes, "%d %q\n", id, recording)
	return err
}

// waitAll prints the transcripts as they come, a partial one too.
func (b *batch) waitAll(ctx context.Context, stdout io.Writer, opts []ambient.WaitOption) error {
	out := json.NewEncoder(stdout)
	for transcript, err := range b.client.Transcriptions.WaitAll(ctx, slices.Collect(maps.Keys(b.jobs)), opts...) {
		recording := b.jobs[transcript.ID]
		if err != nil {
			b.fail(recording, err)
		}
		if transcript.RawText == "" {
			continue
		}
		b.progress.step("transcribed", transcript.ID)
		if err := out.Encode(map[string]any{"recording": recording, "transcription": transcript}); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) fail(recording string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	advice := ""
	if _, ok := errors.AsType[*ambient.WaitError](err); ok {
		advice = "; it goes on, and a run with the same -ids waits for it"
	} else if ambient.MaybeSubmitted(err) {
		advice = "; look before submitting it again"
	}
	b.failures = append(b.failures, fmt.Sprintf("%s: %v%s", recording, err, advice))
}

// report lists what failed.
func (b *batch) report(stderr io.Writer) error {
	for _, failure := range slices.Sorted(slices.Values(b.failures)) {
		fmt.Fprintln(stderr, failure)
	}
	if n := len(b.failures); n > 0 {
		return fmt.Errorf("%d recordings failed", n)
	}
	return nil
}
