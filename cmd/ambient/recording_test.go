package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Recordings that cannot be sent are said to be so, by number, and nothing is
// submitted.
func TestBadRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, canary+name) }
	require.NoError(t, os.WriteFile(in("empty.mp3"), nil, 0o600))
	require.NoError(t, os.Symlink(in("loop.mp3"), in("loop.mp3")))
	good := recordingAt(t, in("good.mp3"))
	tests := map[string]string{
		in("missing.mp3"):                "does not exist",
		in("empty.mp3"):                  "is empty",
		in("loop.mp3"):                   "symbolic links",
		dir:                              "ambient batch",
		in(strings.Repeat("x", 300)):     "name too long",
		in("line\nbreak \"quoted\".mp3"): "does not exist",
	}
	for path, text := range tests {
		srv := startServer(t)
		got := testRun{server: srv}.run(t, "transcribe", path)
		got.assertFailed(t, exitOther, text)
		assert.Contains(t, got.stderr, "the recording")
		got = testRun{server: srv}.run(t, "note", "--template", "1", "--audio", good, path)
		got.assertFailed(t, exitOther, text)
		assert.Contains(t, got.stderr, "recording 2")
		srv.AssertCount(t, "*", 0)
	}
}

func TestUnreadableRecording(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	path := newRecording(t)
	require.NoError(t, os.Chmod(path, 0))
	testRun{server: startServer(t)}.run(t, "transcribe", path).assertFailed(t, exitOther, "permission denied")
}

// Names with all that a file system takes are sent, and shown nowhere.
func TestOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a\nb.mp3", `a"b'c.mp3`, "-a.mp3", "a b;c&d|e.mp3", "\xff\xfe.mp3", strings.Repeat("x", 251) + ".mp3", "Jürgen ż.mp3", "\x1b[31m.mp3"} {
		srv := startServer(t)
		path := recordingAt(t, filepath.Join(t.TempDir(), name))
		got := testRun{server: srv}.run(t, "transcribe", path, "-v")
		assert.Zero(t, got.code, "%q: %s", name, got.stderr)
		assert.NotContains(t, got.stderr, name)
		assert.NotContains(t, got.stderr, "\x1b")
		assert.Equal(t, "audio-1.mp3", srv.RequestsTo("POST /transcribe")[0].Files[0].Filename)
	}
}

// A recording that grows is not sent, whether it pauses or not.
func TestGrowingRecording(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	path := newRecording(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer f.Close()
		for ctx.Err() == nil {
			_, _ = f.WriteString("more of it")
			time.Sleep(100 * time.Millisecond)
		}
	}()
	eventually(t, "the first growth", func() bool {
		info, err := os.Stat(path)
		return err == nil && time.Since(info.ModTime()) < time.Second
	})
	got := testRun{server: srv}.run(t, "transcribe", path)
	got.assertFailed(t, exitOther, "still being written")
	srv.AssertCount(t, "*", 0)
	cancel()
	<-ended
	assert.Zero(t, testRun{server: srv}.run(t, "transcribe", path).code)
}

func TestStdin(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	got := testRun{server: srv, stdin: strings.NewReader("ID3 synthetic")}.run(t, "transcribe", "-")
	assert.Zero(t, got.code, got.stderr)
	assert.EqualValues(t, 13, srv.RequestsTo("POST /transcribe")[0].Files[0].Size)

	testRun{server: srv}.run(t, "transcribe", "-").assertFailed(t, exitOther, "empty")
	wav, err := os.ReadFile("../../testdata/visit.wav")
	require.NoError(t, err)
	cut := strings.NewReader(string(wav[:len(wav)/2]))
	testRun{server: srv, stdin: cut}.run(t, "transcribe", "-").assertFailed(t, exitOther, "stdin ended before")
	broken := io.MultiReader(strings.NewReader("ID3 synthetic"), brokenReader{})
	testRun{server: srv, stdin: broken}.run(t, "transcribe", "-").assertFailed(t, exitOther, "nothing was submitted")
	complete := 0
	for _, r := range srv.RequestsTo("POST /transcribe") {
		if r.Complete {
			complete++
		}
	}
	assert.Equal(t, 1, complete)

	for _, args := range [][]string{
		{"note", "--template", "1", "--audio", "-", "-"}, {"note", "--template", "1", "--transcript", "-", "-"},
		{"transcribe", "-", "--password-stdin"},
	} {
		testRun{server: srv, stdin: strings.NewReader("text")}.run(t, args...).assertFailed(t, exitUsage, "both read stdin")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrNoProgress }
