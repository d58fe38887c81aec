//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), canary)
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	testRun{server: startServer(t)}.run(t, "transcribe", path).assertFailed(t, exitOther, "give -")
}

// A child is a running command.
type child struct {
	*exec.Cmd
	stdout, stderr syncBuffer
}

func start(t *testing.T, srv *ambienttest.Server, stdin io.Reader, args ...string) *child {
	t.Helper()
	c := &child{Cmd: command(t, srv, args...)}
	c.Stdin, c.Cmd.Stdout, c.Cmd.Stderr = stdin, &c.stdout, &c.stderr
	require.NoError(t, c.Start())
	return c
}

func (c *child) result() outcome {
	err := c.Wait()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		code = -2
	}
	return outcome{code, c.stdout.String(), c.stderr.String()}
}

// Ctrl-C ends the command at once and says how to go on.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	mp3 := newRecording(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		srv := startServer(t)
		srv.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Hour, canary)...)
		c := start(t, srv, nil, "transcribe", mp3)
		eventually(t, "the first poll", func() bool { return strings.Contains(c.stderr.String(), "DETECTED_FILE") })
		require.NoError(t, c.Process.Signal(signal))
		c.result().assertFailed(t, exitInterrupted, "resume with: ambient wait transcription 101")
	}
}

func TestInterruptBeforeAnythingWasSent(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	stdin, producer, err := os.Pipe()
	require.NoError(t, err)
	defer stdin.Close()
	defer producer.Close()
	c := start(t, srv, stdin, "transcribe", "-", "-v")
	go func() { _, _ = producer.WriteString("ID3 synthetic" + strings.Repeat(" and no end", 50_000)) }()
	eventually(t, "the request", func() bool { return len(srv.RequestsTo("POST /transcribe")) > 0 })
	require.NoError(t, c.Process.Signal(os.Interrupt))
	c.result().assertFailed(t, exitInterrupted, "nothing was submitted")
}

// Where the whole recording was sent, the answer is still out: that matters more
// than who ended the wait for it.
func TestInterruptWhileTheAnswerIsOut(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Delay: time.Hour})
	c := start(t, srv, nil, "transcribe", newRecording(t))
	eventually(t, "the whole upload", func() bool {
		sent := srv.RequestsTo("POST /transcribe")
		return len(sent) == 1 && sent[0].Complete
	})
	require.NoError(t, c.Process.Signal(os.Interrupt))
	c.result().assertFailed(t, exitMaybeSubmitted, "may have the recording")
}

// A reader that goes away takes no result with it, and no second process dies of
// it.
func TestPipesThatCloseEarly(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTranscript(strings.Repeat("Synthetic. ", 100_000)))
	mp3 := newRecording(t)
	shell := func(script string) outcome {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
		cmd.Env = append(command(t, srv).Env, "AMBIENT="+built(t), "MP3="+mp3)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	}
	got := shell(`"$AMBIENT" transcribe "$MP3" --json | head -c 10; exit ${PIPESTATUS[0]}`)
	assert.Equal(t, exitOther, got.code)
	assert.Equal(t, `{"created_`, got.stdout)
	assert.Contains(t, got.stderr, "broken pipe; get it again: ambient get transcription 101")

	got = shell(`"$AMBIENT" transcribe "$MP3" 2>&- | wc -c; exit ${PIPESTATUS[0]}`)
	assert.Equal(t, "1100001", strings.TrimSpace(got.stdout))
	assert.Zero(t, got.code)

	if _, err := exec.LookPath("jq"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("jq is not installed")
	}
	got = shell(`"$AMBIENT" transcribe "$MP3" --json | jq .raw_text | head -c 12; exit ${PIPESTATUS[0]}`)
	assert.Equal(t, `"Synthetic. `, got.stdout)
	assert.Zero(t, got.code, got.stderr)
}

// kill -9 leaves no half of a result, and what was submitted can be had.
func TestKill(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithJobTime(time.Second))
	out := filepath.Join(t.TempDir(), "out")
	c := start(t, srv, nil, "transcribe", newRecording(t), "-o", out)
	eventually(t, "the id", func() bool { return strings.Contains(c.stderr.String(), "submitted: transcription 101") })
	require.NoError(t, c.Process.Kill())
	c.result()
	assert.NoFileExists(t, out)
	got := start(t, srv, nil, "wait", "transcription", "101", "-o", out).result()
	assert.Zero(t, got.code, got.stderr)
	assert.FileExists(t, out)
}

// A file on stdin can be read twice.
func TestStdinOfAFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.Fault("POST /transcribe", 1, ambienttest.Answer(503))
	f, err := os.Open(newRecording(t))
	require.NoError(t, err)
	defer f.Close()
	got := start(t, srv, f, "transcribe", "-").result()
	assert.Zero(t, got.code, "a file on stdin is sent again: %s", got.stderr)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	start(t, srv, null, "transcribe", "-").result().assertFailed(t, exitUsage, "stdin is no recording")
}
