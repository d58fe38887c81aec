package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestOutputFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "note.txt")
	require.NoError(t, os.WriteFile(out, []byte("older"), 0o644))
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "-o", out)
	require.Zero(t, got.code, got.stderr)
	assert.Empty(t, got.stdout)
	info, err := os.Stat(out)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Contains(t, string(b), "synthetic visit")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no other file is left")
}

// What cannot take the result is noticed before anything is submitted.
func TestOutputThatCannotBe(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := t.TempDir()
	mp3 := newRecording(t)
	for _, out := range []string{
		dir, dir + "/", filepath.Join(dir, "no", canary), filepath.Join(dir, string(make255())), filepath.Join(mp3, "x"),
	} {
		testRun{server: srv}.run(t, "transcribe", mp3, "-o", out).assertFailed(t, exitOther, "nothing was submitted")
	}
	srv.AssertCount(t, "*", 0)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func make255() []byte {
	name := make([]byte, 300)
	for i := range name {
		name[i] = 'x'
	}
	return name
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	srv := startServer(t)
	testRun{server: srv}.run(t, "transcribe", newRecording(t), "-o", filepath.Join(dir, "x")).assertFailed(t, exitOther, "permission denied")
	srv.AssertCount(t, "*", 0)
}

// A job that gives no result leaves the file of -o as it was.
func TestNoResultNoFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptTranscription(ambienttest.TranscriptionFails(0, "")...)
	out := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.WriteFile(out, []byte("older"), 0o600))
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "-o", out)
	assert.Equal(t, exitJobFailed, got.code)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Equal(t, "older", string(b))
}
