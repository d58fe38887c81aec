package main

import (
	"os"
	"path/filepath"
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
