package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func allCommands() []*cobra.Command {
	a := &app{process: process{stdout: io.Discard, stderr: io.Discard}, reporter: &reporter{w: io.Discard}}
	root := a.rootCommand()
	return append(root.Commands(), root)
}

func TestTranscribe(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTranscript("A synthetic <visit>."))
	mp3 := newRecording(t)
	got := testRun{server: srv}.run(t, "transcribe", mp3)
	assert.Equal(t, "A synthetic <visit>.\n", got.stdout)
	assert.Zero(t, got.code)
	assert.Contains(t, got.stderr, "submitted: transcription 101\n")

	got = testRun{server: srv}.run(t, "transcribe", mp3, "--json", "-q")
	var answer struct {
		ID      int64
		RawText string `json:"raw_text"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.stdout), &answer))
	assert.EqualValues(t, 102, answer.ID)
	assert.Equal(t, "A synthetic <visit>.", answer.RawText)
	assert.Equal(t, 1, strings.Count(got.stdout, "\n"))
	assert.Empty(t, got.stderr)

	got = testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	assert.Equal(t, "103\n", got.stdout)
	got = testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait", "--json")
	assert.Contains(t, got.stdout, `"transcription_id":104`)
}

// What ps and a shell's history would show of a patient comes from a file.
func TestVisitFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	file := filepath.Join(t.TempDir(), "visit.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"patient_name": "`+canary+`", "date_of_service": "2025-11-06T14:05:00Z", "additional_context": {"age": 47}}`), 0o600))
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "--visit", file, "-v")
	require.Zero(t, got.code, got.stderr)
	assert.NotContains(t, got.stderr, canary)
	r := srv.RequestsTo("POST /transcribe")[0]
	assert.Equal(t, canary, r.Value("patient_name"))
	assert.Equal(t, "2025-11-06T14:05:00Z", r.Value("date_of_service"))
	assert.JSONEq(t, `{"age": 47}`, r.Value("additional_context"))

	require.NoError(t, os.WriteFile(file, []byte(`{"patient": "`+canary+`"}`), 0o600))
	testRun{server: srv}.run(t, "transcribe", newRecording(t), "--visit", file).assertFailed(t, exitOther, "--visit must be")
	testRun{server: srv}.run(t, "transcribe", newRecording(t), "--visit", file+canary).assertFailed(t, exitOther, "--visit cannot be read")
}

func TestNote(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithNote(map[string]any{"plan": "Rest & fluids."}))
	mp3 := newRecording(t)
	got := testRun{server: srv}.run(t, "note", "--template", "1,2", "--template", "3", "--audio", mp3, mp3)
	require.Zero(t, got.code, got.stderr)
	assert.Equal(t, "{\n  \"note\": {\n    \"plan\": \"Rest & fluids.\"\n  }\n}\n", got.stdout)
	r := srv.RequestsTo("POST /scribe")[0]
	assert.Equal(t, []string{"1", "2", "3"}, r.Values("template_ids"))
	assert.Len(t, r.Files, 2)

	text := filepath.Join(t.TempDir(), canary+".txt")
	require.NoError(t, os.WriteFile(text, []byte("\ufeffDoctor: Hello."), 0o600))
	got = testRun{server: srv, stdin: strings.NewReader("Patient: Hello.")}.run(t, "note", "--template", "1", "--transcript", text, "-", "--json")
	require.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, `"scribe_id":102`)
	assert.Equal(t, []string{"Doctor: Hello.", "Patient: Hello."}, srv.RequestsTo("POST /scribe")[1].Values("transcripts"))

	require.NoError(t, os.WriteFile(text, []byte(" \n"), 0o600))
	testRun{server: srv}.run(t, "note", "--template", "1", "--transcript", text).assertFailed(t, exitOther, "the transcript is empty")
	require.NoError(t, os.WriteFile(text, []byte("ID3\xff\xfe"), 0o600))
	testRun{server: srv}.run(t, "note", "--template", "1", "--transcript", text).assertFailed(t, exitOther, "--audio")
	srv.AssertCount(t, "POST /scribe", 2)
}

func TestNoteOfATranscription(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTranscript("Of the transcription."))
	mp3 := newRecording(t)
	testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	got := testRun{server: srv}.run(t, "note", "--template", "1", "--transcription", "101")
	require.Zero(t, got.code, got.stderr)
	assert.Equal(t, "Of the transcription.", srv.RequestsTo("POST /scribe")[0].Value("transcripts"))

	srv.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, canary)...)
	testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	testRun{server: srv}.run(t, "note", "--template", "1", "--transcription", "103").assertFailed(t, exitPartial, "no note was asked for")
	testRun{server: srv}.run(t, "note", "--template", "1", "--transcription", "999").assertFailed(t, exitOther, "check the id")
	srv.AssertCount(t, "POST /scribe", 1)
}

func TestGet(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	mp3 := newRecording(t)
	srv.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Hour, canary)...)
	srv.ScriptTranscription(ambienttest.TranscriptionFails(0, "Synthetic failure.")...)
	srv.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "A part.")...)
	for range 4 {
		testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	}
	for id, want := range map[string]struct {
		code         int
		text, status string
	}{
		"101": {exitWaitEnded, "", "DETECTED_FILE"},
		"102": {exitJobFailed, "", "STT_ERROR"},
		"103": {exitPartial, "A part.\n", "STT_INCOMPLETE"},
		"104": {exitDone, "This is a synthetic visit", "STT_COMPLETED"},
	} {
		got := testRun{server: srv}.run(t, "get", "transcription", id)
		assert.Equal(t, want.code, got.code, got.stderr)
		assert.True(t, strings.HasPrefix(got.stdout, want.text), got.stdout)
		got = testRun{server: srv}.run(t, "get", "transcription", id, "--json")
		assert.Equal(t, want.code, got.code, got.stderr)
		assert.Contains(t, got.stdout, `"task_status":"`+want.status+`"`)
	}
}

func TestWaitForMany(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	mp3 := newRecording(t)
	srv.ScriptTranscription(ambienttest.TranscriptionCompletes(0, "One.")...)
	srv.ScriptTranscription(ambienttest.TranscriptionFails(0, "")...)
	srv.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "Three, a part")...)
	for range 3 {
		testRun{server: srv}.run(t, "transcribe", mp3, "--no-wait")
	}
	got := testRun{server: srv}.run(t, "wait", "transcription", "101")
	assert.Equal(t, "One.\n", got.stdout)
	got = testRun{server: srv}.run(t, "wait", "transcription", "101", "103")
	got.assertFailed(t, exitPartial, "1 of 2 jobs")
	assert.Contains(t, got.stdout, "== transcription 101\nOne.\n")
	assert.Contains(t, got.stdout, "== transcription 103\nThree, a part\n")
	out := filepath.Join(t.TempDir(), "out")
	got = testRun{server: srv}.run(t, "wait", "transcription", "101", "102", "103", "--json", "-o", out)
	got.assertFailed(t, exitJobFailed, "2 of 3 jobs")
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(string(b)), "\n"), 3)
	got = testRun{server: srv}.run(t, "wait", "transcription", "101", "999", "--json")
	got.assertFailed(t, exitOther, "1 of 2 jobs")
}

// The job of a wait that ended has a line of JSON too: a script reads the id there.
func TestEndedWaitAsJSON(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Hour, canary)...)
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "--json", "--timeout", "1s")
	got.assertFailed(t, exitWaitEnded, "101")
	assert.JSONEq(t, `{"id": 101, "task_status": "DETECTED_FILE"}`, got.stdout)
}

// A job may not be found at once after its submit.
func TestNewJobIsNotFoundAtFirst(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.FaultRange("GET /transcribe/{id}", 1, 2, ambienttest.Answer(404))
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t))
	assert.Zero(t, got.code, got.stderr)
	srv.AssertCount(t, "POST /transcribe", 1)
}

// While the service has not taken up a regenerate, it shows the old note: that is
// not printed as the new one.
func TestRegenerate(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptScribe(ambienttest.ScribeCompletes(0, map[string]any{"plan": "old"})...)
	mp3 := newRecording(t)
	testRun{server: srv}.run(t, "note", "--template", "1", "--audio", mp3, "--no-wait")
	srv.ScriptScribe(
		ambienttest.Step{Status: "COMPLETED", For: 1500 * time.Millisecond, Fields: map[string]any{"note": map[string]any{"plan": "old"}}},
		ambienttest.Step{Status: "IN_PROGRESS", For: time.Second},
		ambienttest.Step{Status: "COMPLETED", Fields: map[string]any{"note": map[string]any{"plan": "new"}}},
	)
	got := testRun{server: srv}.run(t, "regenerate", "101", "--audio", mp3, mp3)
	require.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, "new")
	assert.NotContains(t, got.stdout, "old")
	assert.Len(t, srv.RequestsTo("POST /scribe/{id}/regenerate/audio")[0].Files, 2)
	testRun{server: srv}.run(t, "regenerate", "101").assertFailed(t, exitUsage, "--audio")
	got = testRun{server: srv}.run(t, "regenerate", "101", "--audio", mp3, "--no-wait")
	assert.Equal(t, "101\n", got.stdout)
}

func TestFakeFlag(t *testing.T) {
	t.Parallel()
	got := testRun{}.run(t, "transcribe", newRecording(t), "--fake")
	assert.Zero(t, got.code)
	assert.Contains(t, got.stderr, "warning: --fake")
	assert.Contains(t, got.stdout, "synthetic")
	testRun{}.run(t, "get", "transcription", "1", "--fake").assertFailed(t, exitUsage, "unknown flag --fake")
}

func TestVersionAndCompletion(t *testing.T) {
	assert.Regexp(t, `^ambient \d+\.\d+\.\d+ \(go1.*, \w+/\w+`, testRun{}.run(t, "version").stdout)
	var v versions
	require.NoError(t, json.Unmarshal([]byte(testRun{}.run(t, "version", "--json").stdout), &v))
	assert.NotEmpty(t, v.Go)
	assert.Equal(t, testRun{}.run(t, "version").stdout, testRun{}.run(t, "--version").stdout)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		assert.Contains(t, testRun{}.run(t, "completion", shell).stdout, "ambient")
	}
	got := testRun{}.run(t, "__complete", "transcribe", "--")
	assert.Contains(t, got.stdout, "--no-wait")
}

func TestHelp(t *testing.T) {
	got := testRun{}.run(t)
	assert.Zero(t, got.code)
	assert.Contains(t, got.stdout, "Exit codes")
	for _, cmd := range allCommands() {
		got := testRun{}.run(t, cmd.Name(), "--help")
		for line := range strings.Lines(cmd.Long) {
			assert.LessOrEqual(t, len(line), 81, "%s: %s", cmd.Name(), line)
		}
		assert.NotEmpty(t, got.stdout+got.stderr)
	}
}
