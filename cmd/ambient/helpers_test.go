package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// canary stands for all that is a patient's and must not be shown.
const canary = "Zebediah"

// A run is a command within the test's process.
type testRun struct {
	server  *ambienttest.Server
	env     map[string]string
	stdin   io.Reader
	stdout  io.Writer
	columns int
	ctx     context.Context
}

type outcome struct {
	code           int
	stdout, stderr string
}

func startServer(t *testing.T, opts ...ambienttest.Option) *ambienttest.Server {
	t.Helper()
	return ambienttest.Start(t, append([]ambienttest.Option{ambienttest.WithJobTime(time.Millisecond)}, opts...)...)
}

// account is the environment that leads to the server.
func account(srv *ambienttest.Server) map[string]string {
	return map[string]string{"AMBIENT_BASE_URL": srv.URL, "AMBIENT_USERNAME": srv.Username, "AMBIENT_PASSWORD": srv.Password}
}

func (r testRun) run(t *testing.T, args ...string) outcome {
	t.Helper()
	env := map[string]string{}
	if r.server != nil {
		env = account(r.server)
	}
	for name, value := range r.env {
		env[name] = value
	}
	if r.stdin == nil {
		r.stdin = strings.NewReader("")
	}
	var stdout bytes.Buffer
	stderr := &syncBuffer{}
	if r.stdout == nil {
		r.stdout = &stdout
	}
	if r.ctx == nil {
		r.ctx = t.Context()
	}
	code := run(r.ctx, process{
		stdin: r.stdin, stdout: r.stdout, stderr: stderr, columns: r.columns,
		getenv: func(name string) string { return env[name] },
	}, args)
	return outcome{code, stdout.String(), stderr.String()}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// lastLine is the line that says what to do.
func (o outcome) lastLine() string {
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	return lines[len(lines)-1]
}

// assertFailed checks the code, that the last line has this text, and that
// nothing is shown of the patient.
func (o outcome) assertFailed(t *testing.T, code int, text string) {
	t.Helper()
	assert.Equal(t, code, o.code, "%s", o.stderr)
	assert.True(t, strings.HasPrefix(o.lastLine(), "ambient: "), "%s", o.stderr)
	assert.Contains(t, o.lastLine(), text)
	assert.NotContains(t, o.stderr, canary)
}

// recordingAt writes a synthetic recording that has not changed for an hour.
func recordingAt(t *testing.T, path string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("ID3 synthetic recording, no patient, "+filepath.Base(path)), 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	return path
}

// newRecording is a recording whose name is a patient's.
func newRecording(t *testing.T) string {
	t.Helper()
	return recordingAt(t, filepath.Join(t.TempDir(), canary+".mp3"))
}

var binary struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// built builds the command, once, and returns the path of its binary.
func built(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		binary.dir, binary.err = os.MkdirTemp("", "ambient-test")
		if binary.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", binary.dir, ".").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	require.NoError(t, binary.err)
	return filepath.Join(binary.dir, "ambient")
}

// command is the built command, with an account at the server.
func command(t *testing.T, srv *ambienttest.Server, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built(t), args...)
	cmd.Env = append(os.Environ(), "AMBIENT_USERNAME=", "AMBIENT_PASSWORD=", "AMBIENT_BASE_URL=", "DATABASE_URL=")
	if srv != nil {
		for name, value := range account(srv) {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// eventually waits until a condition holds: for half a minute, since machines are
// slow at times.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "it never came: "+what)
		}
	}
}
