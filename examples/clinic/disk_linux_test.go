package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The disk of the server is full for a while: the page says so, keeps the recording and sends it when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount := filepath.Join(dir, "data", "store")
	require.NoError(t, os.MkdirAll(mount, 0o700))
	err := syscall.Mount("none", mount, "tmpfs", 0, "size=96k")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small disk needs a root that may mount")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(mount, syscall.MNT_DETACH)) })
	c := startClinic(t, dir)
	p := startBrowser(t, t.TempDir(), microphone(t)).open(c.URL)
	p.signIn()
	code := p.code()
	p.record(1)
	p.sees("Server is full")
	p.click("#stop")
	p.until("!document.querySelector('#record').hidden")
	require.NoError(t, syscall.Mount("none", mount, "tmpfs", syscall.MS_REMOUNT, "size=16m"))
	c.arrived(p.finished(code))
	assert.Zero(t, p.leftovers())
}
