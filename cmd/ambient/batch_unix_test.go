//go:build unix

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// Killed again and again, a batch delivers each recording once. What the service
// may have is for a person to decide.
func TestBatchKilled(t *testing.T) {
	t.Parallel()
	const recordings = 60
	srv := startServer(t, ambienttest.WithJobTime(50*time.Millisecond))
	dir := newVisits(t, recordings)
	for kill := range 3 {
		c := start(t, srv, nil, "batch", dir, "--template", "1")
		goal := (kill + 1) * recordings / 4
		eventually(t, "some notes", func() bool {
			files, _ := filepath.Glob(filepath.Join(dir, "*"+noteSuffix))
			return len(files) >= goal
		})
		require.NoError(t, c.Process.Kill())
		c.result()
	}
	got := start(t, srv, nil, "batch", dir, "--template", "1").result()
	unknown := 0
	if got.code == exitNeedsPerson {
		unknown = resubmitAll(t, dir)
		got = start(t, srv, nil, "batch", dir, "--template", "1").result()
	}
	assert.Zero(t, got.code, got.stderr)
	assert.Len(t, deliveries(t, dir), recordings)
	submitted, total := map[string]bool{}, 0
	for _, r := range srv.RequestsTo("POST /transcribe") {
		if r.Complete {
			submitted[r.Files[0].SHA256] = true
			total++
		}
	}
	assert.Len(t, submitted, recordings)
	assert.LessOrEqual(t, total, recordings+unknown, "nothing is submitted twice unless a person decides so")
	assertPrivate(t, dir)
}

// resubmitAll decides on each unknown recording as a person who finds nothing at
// the vendor, and returns how many there were.
func resubmitAll(t *testing.T, dir string) (unknown int) {
	t.Helper()
	out := testRun{}.run(t, "status", dir, "--json")
	for line := range strings.Lines(out.stdout) {
		var listed row
		require.NoError(t, json.Unmarshal([]byte(line), &listed))
		if listed.State == "unknown" {
			got := testRun{}.run(t, "resolve", listed.Key, dir, "--resubmit")
			require.Zero(t, got.code, got.stderr)
			unknown++
		}
	}
	return unknown
}

func TestSecondBatch(t *testing.T) {
	t.Parallel()
	for _, fake := range []bool{false, true} {
		srv := startServer(t, ambienttest.WithJobTime(time.Hour))
		args := []string{"batch", newVisits(t, 1), "--template", "1"}
		if fake {
			args = append(args, "--fake")
		}
		first := start(t, srv, nil, args...)
		eventually(t, "the first submit", func() bool {
			return strings.Contains(testRun{}.run(t, "status", args[1], "--json").stdout, `"state":"waiting"`)
		})
		testRun{server: srv}.run(t, args...).assertFailed(t, exitOther, "another batch or watch is at work")
		require.NoError(t, first.Process.Signal(os.Interrupt))
		if got := first.result(); !fake {
			got.assertFailed(t, exitInterrupted, "the same command goes on")
			srv.AssertCount(t, "POST /transcribe", 1)
		}
	}
}

func TestBatchWithAGrowingFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := newVisits(t, 1)
	path := filepath.Join(dir, canary+" growing.mp3")
	stop := grow(t, path)
	testRun{server: srv}.run(t, "batch", dir, "--template", "1").assertFailed(t, exitNeedsPerson, "1 recording")
	srv.AssertCount(t, "POST /transcribe", 1)
	stop()
	got := testRun{server: srv}.run(t, "batch", dir, "--template", "1")
	assert.Zero(t, got.code, got.stderr)
	srv.AssertCount(t, "POST /transcribe", 2)
}

// grow appends to a file until the function that it returns is called.
func grow(t *testing.T, path string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString("ID3 synthetic")
	require.NoError(t, err)
	go func() {
		defer close(ended)
		defer f.Close()
		for ctx.Err() == nil {
			_, _ = f.WriteString(", more of it")
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// A watch takes a recording once it does not grow any more, whole and once, and
// none that has no byte yet.
func TestWatch(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := newVisits(t, 1)
	path := filepath.Join(dir, canary+" growing.mp3")
	stop := grow(t, path)
	placeholder := filepath.Join(dir, canary+" placeholder.mp3")
	require.NoError(t, os.WriteFile(placeholder, nil, 0o600))
	c := start(t, srv, nil, "watch", dir, "--template", "1", "--settle", "2s", "-v")
	note := func(name string) string { return filepath.Join(dir, name+noteSuffix) }
	eventually(t, "the first note", func() bool { return exists(note(canary + " 0.mp3")) })
	srv.AssertCount(t, "POST /transcribe", 1)
	stop()
	eventually(t, "the note of the one that grew", func() bool { return exists(note(canary + " growing.mp3")) })
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.EqualValues(t, len(b), srv.RequestsTo("POST /transcribe")[1].Files[0].Size)
	recordingAt(t, placeholder)
	eventually(t, "the note of the placeholder", func() bool { return exists(note(canary + " placeholder.mp3")) })
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	got := c.result()
	assert.Zero(t, got.code, "a service manager stops it: %s", got.stderr)
	assert.NotContains(t, got.stdout+got.stderr, canary)
	srv.AssertCount(t, "POST /transcribe", 3)

	c = start(t, srv, nil, "watch", dir, "--template", "1", "--settle", "10ms")
	eventually(t, "the start", func() bool { return strings.Contains(c.stderr.String(), "watching") })
	require.NoError(t, c.Process.Signal(os.Interrupt))
	c.result().assertFailed(t, exitInterrupted, "the same command goes on")
	srv.AssertCount(t, "POST /transcribe", 3)
	assertPrivate(t, dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A recording is removed when its note was written long enough ago, and one that
// has none never is.
func TestWatchRemoves(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptTranscription(ambienttest.TranscriptionFails(0, "")...)
	dir := newVisits(t, 1)
	failed := filepath.Join(dir, canary+" 0.mp3")
	c := start(t, srv, nil, "watch", dir, "--template", "1", "--settle", "10ms", "--remove-after", "1s")
	eventually(t, "the first submit", func() bool { return len(srv.RequestsTo("POST /transcribe")) == 1 })
	good := recordingAt(t, filepath.Join(dir, canary+" good.mp3"))
	require.NoError(t, os.WriteFile(good+visitSuffix, []byte(`{}`), 0o600))
	eventually(t, "the removal", func() bool { return !exists(good) })
	assert.FileExists(t, good+noteSuffix)
	assert.FileExists(t, good+transcriptSuffix)
	assert.NoFileExists(t, good+visitSuffix)
	assert.FileExists(t, failed)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Zero(t, c.result().code)
}

// A fleet has its visits in a database of its own, here a file.
func TestFleet(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"visit-1.mp3", "visit-2.wav"} {
		recordingAt(t, filepath.Join(dir, name))
	}
	r := testRun{server: srv, env: map[string]string{"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "fleet.db")}}
	assert.Equal(t, "1 visit added\n", r.run(t, "add", "visit-1").stdout)
	r.stdin = strings.NewReader("visit-1\nvisit-2\n\nvisit-3\n")
	assert.JSONEq(t, `{"added": 2, "known": 1}`, r.run(t, "add", "-", "--json").stdout)
	r.run(t, "add", canary+".mp3").assertFailed(t, exitOther, "key 1 of 1 looks like a path")
	r.run(t, "worker", dir).assertFailed(t, exitUsage, "--out")

	cmd := command(t, srv, "worker", dir, "--out", out, "--template", "1")
	cmd.Env = append(cmd.Env, "DATABASE_URL="+r.env["DATABASE_URL"])
	c := &child{Cmd: cmd}
	c.Cmd.Stdout, c.Cmd.Stderr = &c.stdout, &c.stderr
	require.NoError(t, c.Start())
	eventually(t, "the notes", func() bool {
		return strings.HasPrefix(r.run(t, "status").stdout, "2 of 3 recordings done, 1 failed")
	})
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	assert.Zero(t, c.result().code)
	assert.FileExists(t, filepath.Join(out, "visit-1"+noteSuffix))
	assert.FileExists(t, filepath.Join(out, "visit-2"+transcriptSuffix))
	status := r.run(t, "status")
	assert.Contains(t, status.stdout, "source-missing")
	testRun{server: srv}.run(t, "add", "x").assertFailed(t, exitUsage, "DATABASE_URL")
	testRun{server: srv}.run(t, "worker", dir, "--out", out).assertFailed(t, exitUsage, "DATABASE_URL")
}
