// Folder transcribes all recordings of a directory, several at a time. It prints
// one line of JSON for each, which is patient data.
//
//	go run ./examples/folder [-parallel 4] [-ids file] [directory] >transcripts.jsonl
//
// With -ids it keeps a journal of its submits. Started again with the same file, it
// waits for the jobs in it and submits only what is new. A recording whose submit
// was interrupted is not submitted again, since the service may have it. Failures
// are listed at the end, and the exit status is then 1. Without AMBIENT_USERNAME it
// starts a fake API. Without a directory it takes the synthetic visit in testdata.
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
	idsFile := flags.String("ids", "", "file of the submits of this run and earlier ones")
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

	b := &batch{client: client, progress: newProgress(stderr, len(recordings)), jobs: map[int64]string{}, unclear: map[string]bool{}}
	if *idsFile != "" {
		if err := b.resume(*idsFile); err != nil {
			return err
		}
		defer b.journal.Close()
	}
	b.submitAll(ctx, recordings, max(*parallel, 1))
	err = b.waitAll(ctx, stdout, waitOpts)
	b.progress.end()
	return errors.Join(err, b.report(stderr))
}

// recordingsIn lists the files of the documented audio types.
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

// A batch is the recordings of one run.
type batch struct {
	client   *ambient.Client
	progress *progress

	mu       sync.Mutex
	jobs     map[int64]string // recordings by the id of their job
	unclear  map[string]bool  // recordings whose submit an earlier run did not see end
	journal  *os.File         // nil without -ids
	failures []string
}

// The journal has a line for each event of a submit: the event, the id of the job
// or 0, and the recording.
const (
	submitting = "submitting" // comes first, so that a crash leaves a trace
	submitted  = "submitted"
	refused    = "refused" // the service does not have the recording
)

// resume reads the journal of earlier runs and keeps it open for this one.
func (b *batch) resume(name string) error {
	var err error
	if b.journal, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	lines := bufio.NewScanner(b.journal)
	for lines.Scan() {
		var event, recording string
		var id int64
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %q", &event, &id, &recording); err != nil {
			return fmt.Errorf("%s has a line that this program did not write", name)
		}
		b.unclear[recording] = event == submitting
		if event == submitted {
			b.jobs[id] = recording
		}
	}
	return lines.Err()
}

// submitAll uploads the recordings that have no job yet. All uploads share one
// client, so they share its token and its rate limit.
func (b *batch) submitAll(ctx context.Context, recordings []string, parallel int) {
	done := slices.Collect(maps.Values(b.jobs))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, recording := range recordings {
		if slices.Contains(done, recording) {
			continue
		}
		if b.unclear[recording] {
			b.fail(recording, errUnclear)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := b.submit(ctx, recording); err != nil {
				b.fail(recording, err)
			}
		})
	}
	wg.Wait()
}

var errUnclear = errors.New("an earlier run may have submitted it; ask the vendor, then remove its line from the -ids file")

func (b *batch) submit(ctx context.Context, recording string) error {
	if err := b.note(submitting, 0, recording); err != nil {
		return err
	}
	submission, err := b.client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(recording)})
	switch {
	case err == nil:
		return b.note(submitted, submission.ID, recording)
	case ambient.MaybeSubmitted(err):
		return err // the journal says that the submit has begun
	}
	return errors.Join(err, b.note(refused, 0, recording))
}

// note writes one line of the journal.
func (b *batch) note(event string, id int64, recording string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if event == submitted {
		b.jobs[id] = recording
		b.progress.step(event, id)
	}
	if b.journal == nil {
		return nil
	}
	_, err := fmt.Fprintf(b.journal, "%s %d %q\n", event, id, recording)
	return err
}

// waitAll prints each transcript when its job ends, and a partial one too.
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
		advice = "; the job goes on, and a run with the same -ids waits for it"
	} else if ambient.MaybeSubmitted(err) {
		advice = "; ask the vendor before you submit it again"
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
