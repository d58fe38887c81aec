package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A result that cannot be written is not lost: its job has it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "-o", "/dev/full")
	got.assertFailed(t, exitOther, "no space left on device; get it again: ambient get transcription 101")
	info, err := os.Stat("/dev/full")
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeDevice, "a device is not replaced")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	got = testRun{server: srv, stdout: full}.run(t, "note", "--template", "1", "--audio", newRecording(t))
	got.assertFailed(t, exitOther, "ambient get scribe 102")
	got = testRun{server: srv, stdout: full}.run(t, "version")
	got.assertFailed(t, exitOther, "no space left")
}

// A batch whose database or results find no room ends, and goes on when there is.
func TestBatchOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=230k"); err != nil {
		t.Skip("no file system can be mounted here")
	}
	defer syscall.Unmount(dir, 0)
	srv := startServer(t, ambienttest.WithTranscript(strings.Repeat("Synthetic. ", 2000)))
	visits := newVisits(t, 20)
	args := []string{"batch", visits, "--template", "1", "--out", dir}
	testRun{server: srv}.run(t, args...).assertFailed(t, exitOther, "run the same command again, which goes on")
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
	got := testRun{server: srv}.run(t, args...)
	assert.Zero(t, got.code, got.stderr)
	assert.Len(t, deliveries(t, dir), 20)
	srv.AssertCount(t, "POST /transcribe", 20)
}

func TestBatchInAReadOnlyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Skip("no file system can be mounted here")
	}
	defer syscall.Unmount(dir, 0)
	recordingAt(t, filepath.Join(dir, canary+".mp3"))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	srv := startServer(t)
	testRun{server: srv}.run(t, "batch", dir, "--template", "1").assertFailed(t, exitOther, "choose another with --out")
	testRun{server: srv}.run(t, "transcribe", filepath.Join(dir, canary+".mp3"), "-o", filepath.Join(dir, "x")).assertFailed(t, exitOther, "nothing was submitted")
	srv.AssertCount(t, "POST /transcribe", 0)
	got := testRun{server: srv}.run(t, "batch", dir, "--template", "1", "--out", t.TempDir())
	assert.Zero(t, got.code, got.stderr)
}

// Where a small file system can be mounted, its disk fills up for real.
func TestFullDiskForReal(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("no file system can be mounted here")
	}
	defer syscall.Unmount(dir, 0)
	srv := startServer(t, ambienttest.WithTranscript(string(make([]byte, 64<<10))))
	out := filepath.Join(dir, "out")
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "-o", out)
	got.assertFailed(t, exitOther, "no space left on device; get it again: ambient get transcription 101")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}
