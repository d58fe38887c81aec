package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestCredentialsFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithCredentials("clinic", `pa ss"=#`))
	file := filepath.Join(t.TempDir(), canary)
	env := map[string]string{"AMBIENT_USERNAME": "", "AMBIENT_PASSWORD": ""}
	write := func(text string, mode os.FileMode) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.NoError(t, os.Chmod(file, mode))
	}
	get := func() outcome {
		return testRun{server: srv, env: env}.run(t, "get", "transcription", "1", "--credentials", file)
	}
	get().assertFailed(t, exitCredentials, "does not exist")
	for _, good := range []string{
		"AMBIENT_USERNAME=clinic\nAMBIENT_PASSWORD=pa ss\"=#\n",
		"# of the clinic\r\n\r\nAMBIENT_PASSWORD='pa ss\"=#'\r\nAMBIENT_USERNAME = \"clinic\"",
	} {
		write(good, 0o600)
		get().assertFailed(t, exitOther, "404") // beyond the login
		write(good, 0o400)
		get().assertFailed(t, exitOther, "404")
		for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o602} {
			write(good, mode)
			get().assertFailed(t, exitCredentials, "chmod 600")
		}
	}
	for _, bad := range []string{"", "AMBIENT_USERNAME=clinic", "AMBIENT_PASSWORD=" + canary, "{}"} {
		write(bad, 0o600)
		get().assertFailed(t, exitCredentials, "AMBIENT_PASSWORD=")
	}
}

func TestPasswordFromStdin(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithCredentials("clinic", canary))
	r := testRun{server: srv, env: map[string]string{"AMBIENT_USERNAME": "", "AMBIENT_PASSWORD": ""}}
	for _, line := range []string{canary, canary + "\n", canary + "\r\n"} {
		r.stdin = strings.NewReader(line)
		r.run(t, "get", "transcription", "1", "--username", "clinic", "--password-stdin").assertFailed(t, exitOther, "404")
	}
	r.stdin = strings.NewReader(canary)
	r.run(t, "get", "transcription", "1", "--password-stdin").assertFailed(t, exitCredentials, "no user name")
	r.stdin = strings.NewReader("\n")
	r.run(t, "get", "transcription", "1", "--username", "clinic", "--password-stdin").assertFailed(t, exitCredentials, "no password")
	r.stdin = strings.NewReader(strings.Repeat("x", maxSecret+1))
	r.run(t, "get", "transcription", "1", "--username", "clinic", "--password-stdin").assertFailed(t, exitCredentials, "cannot be read")
	r.run(t, "get", "transcription", "1", "--password-stdin", "--credentials", "x").assertFailed(t, exitUsage, "credentials")
}

// No flag takes a password, which ps would show.
func TestNoFlagTakesAPassword(t *testing.T) {
	for _, cmd := range allCommands() {
		for _, name := range []string{"password", "token", "secret"} {
			assert.Nil(t, cmd.Flags().Lookup(name), cmd.Name())
		}
	}
}
