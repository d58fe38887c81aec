//go:build linux

package recording_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

const writerDir = "CLINIC_TEST_WRITER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		if err := write(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// write sends chunks from the first missing one on, and prints the number of each that it was promised.
func write(dir string) error {
	s, err := recording.Open(dir)
	if err != nil {
		return err
	}
	have, err := s.Have(idA)
	if err != nil {
		return err
	}
	for n := len(have); ; n++ {
		if _, err := put(s, idA, n, chunk(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// Whatever was promised before a kill is there after it, and the recording can go on.
func TestKilledWriter(t *testing.T) {
	s, dir := open(t)
	create(t, s, idA)
	promised := -1
	for range 5 {
		promised = killedWriter(t, dir, promised)
	}
	have, err := s.Have(idA)
	require.NoError(t, err)
	require.Greater(t, len(have), promised)
	for n, got := range have {
		require.Equal(t, n, got)
	}
	_, err = s.End(idA, list(len(have)), false)
	require.NoError(t, err)
}

// killedWriter runs a writer until it has made ten promises more, kills it and returns the last one.
func killedWriter(t *testing.T, dir string, promised int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	last := promised
	for killed := false; lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		require.NoError(t, err, lines.Text())
		last = n
		if n >= promised+10 && !killed {
			killed = true
			require.NoError(t, cmd.Process.Kill())
		}
	}
	assert.Error(t, cmd.Wait())
	return last
}

// A full disk refuses the chunk, keeps what is there and takes the chunk when there is room again.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "256k")
	s, err := recording.Open(filepath.Join(dir, "data"))
	require.NoError(t, err)
	defer s.Close()
	create(t, s, idA)
	large := []byte(strings.Repeat("synthetic ", 6000))
	var full error
	kept := 0
	for ; full == nil; kept++ {
		_, full = put(s, idA, kept, append(large, byte(kept)))
	}
	kept--
	require.ErrorIs(t, full, syscall.ENOSPC)
	assert.NotContains(t, full.Error(), dir)
	have, err := s.Have(idA)
	require.NoError(t, err)
	assert.Len(t, have, kept)
	temps, err := os.ReadDir(filepath.Join(dir, "data", "tmp"))
	require.NoError(t, err)
	assert.Empty(t, temps, "a half-written chunk takes no room")

	digests := make([]recording.Digest, kept+1)
	for n := range digests {
		digests[n] = digest(append(large, byte(n)))
	}
	_, err = s.End(idA, digests[:kept], false)
	require.ErrorIs(t, err, syscall.ENOSPC, "a whole recording does not fit beside its chunks")
	_, err = s.Ending(idA)
	require.ErrorIs(t, err, recording.ErrNotFound)

	require.NoError(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"))
	_, err = put(s, idA, kept, append(large, byte(kept)))
	require.NoError(t, err)
	_, err = s.End(idA, digests, true)
	require.NoError(t, err)
}

// smallDisk mounts a file system of that size, or skips the test where the process may not.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, fs.ErrPermission) && os.Getenv("CI") != "true" {
		t.Skip("mounting a small disk needs root")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}
