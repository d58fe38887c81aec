package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// fakeAPI is what the environment points to.
func fakeAPI(t *testing.T, opts ...ambienttest.Option) *ambienttest.Server {
	t.Helper()
	server := ambienttest.Start(t, append(opts, ambienttest.WithJobTime(0), ambienttest.WithTranscript("Synthetic visit."))...)
	t.Setenv("AMBIENT_BASE_URL", server.URL)
	t.Setenv("AMBIENT_USERNAME", server.Username)
	t.Setenv("AMBIENT_PASSWORD", server.Password)
	return server
}

// folder has synthetic recordings and a file that is none.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append(names, "notes.txt") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("ID3 synthetic audio"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// transcripts reads what was printed, by the name of the recording.
func transcripts(t *testing.T, out string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for line := range strings.Lines(out) {
		var entry struct {
			Recording     string
			Transcription struct {
				RawText string `json:"raw_text"`
			}
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(entry.Recording)] = entry.Transcription.RawText
	}
	return texts
}

func TestWithoutAccount(t *testing.T) {
	t.Chdir("../..") // where testdata is
	t.Setenv("AMBIENT_USERNAME", "")
	var out, log strings.Builder
	if err := run(t.Context(), nil, &out, &log); err != nil {
		t.Fatal(err)
	}
	if got := transcripts(t, out.String()); len(got) != 2 || got["visit.mp3"] == "" || got["visit.wav"] == "" {
		t.Error(got)
	}
	for _, want := range []string{"embedded fake API", "submitted, 2 of 2", "transcribed, 2 of 2"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in:\n%s", want, log.String())
		}
	}
}

func TestFailuresAreListed(t *testing.T) {
	server := fakeAPI(t)
	server.Fault("POST /transcribe", 1, ambienttest.Answer(422))
	server.ScriptTranscription(ambienttest.TranscriptionFails(0, "no speech found")...)
	server.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "Synthetic vi")...)
	var out, log strings.Builder
	err := run(t.Context(), []string{"-parallel", "1", folder(t, "a.mp3", "b.wav", "c.m4a", "d.MP3")}, &out, &log)
	if err == nil || err.Error() != "3 recordings failed" {
		t.Error(err)
	}
	if got := transcripts(t, out.String()); len(got) != 2 || got["c.m4a"] != "Synthetic vi" || got["d.MP3"] != "Synthetic visit." {
		t.Error(got)
	}
	for _, want := range []string{"a.mp3: ambient: POST /transcribe: 422", "b.wav: ambient: transcription 101 failed", "c.m4a: ambient: transcription 102 ended"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in:\n%s", want, log.String())
		}
	}
}

// The first run is stopped after the upload; the second only waits.
func TestResume(t *testing.T) {
	server := fakeAPI(t)
	ids := filepath.Join(t.TempDir(), "ids")
	args := []string{"-ids", ids, folder(t, "a.mp3", "b.mp3")}
	ctx, stop := context.WithCancel(t.Context())
	log := &stopper{after: 2, stop: stop}
	if err := run(ctx, args, io.Discard, log); err == nil || !strings.Contains(log.String(), "a run with the same -ids") {
		t.Errorf("%v\n%s", err, log)
	}

	var out strings.Builder
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if got := transcripts(t, out.String()); len(got) != 2 {
		t.Error(got)
	}
	server.AssertCount(t, "POST /transcribe", 2)
}

// A submit without an answer is not repeated by the next run, since the service may
// have the recording.
func TestUnclearSubmitIsNotRepeated(t *testing.T) {
	server := fakeAPI(t)
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
	server.Fault("POST /transcribe", 2, ambienttest.Answer(422))
	args := []string{"-parallel", "1", "-ids", filepath.Join(t.TempDir(), "ids"), folder(t, "a.mp3", "b.mp3")}
	var log strings.Builder
	if err := run(t.Context(), args, io.Discard, &log); err == nil || !strings.Contains(log.String(), "ask the vendor before") {
		t.Errorf("%v\n%s", err, log.String())
	}

	var out strings.Builder
	log.Reset()
	if err := run(t.Context(), args, &out, &log); err == nil || !strings.Contains(log.String(), "a.mp3: an earlier run may have submitted it") {
		t.Errorf("%v\n%s", err, log.String())
	}
	if got := transcripts(t, out.String()); len(got) != 1 || got["b.mp3"] == "" {
		t.Error(got)
	}
	server.AssertCount(t, "POST /transcribe", 3)
}

// A stopper is a log that ends the program's context after some lines.
type stopper struct {
	strings.Builder
	after int
	stop  func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if s.after--; s.after == 0 {
		s.stop()
	}
	return s.Builder.Write(p)
}

func TestNoRecordings(t *testing.T) {
	for _, dir := range []string{folder(t), "no-such-directory"} {
		if err := run(t.Context(), []string{dir}, io.Discard, io.Discard); err == nil {
			t.Errorf("%s: no error", dir)
		}
	}
}
