//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every command of the README runs, and prints what stands there. "…" stands for
// anything in a line and, alone on one, for any lines.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "true" {
			t.Skip(tool + " is not installed")
		}
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		script, want := parseSession(block[1])
		name, _, _ := strings.Cut(script, "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runSession(t, script)
			assert.Regexp(t, want, got, "the README shows\n%s\nand this comes:\n%s", block[1], got)
		})
	}
}

// parseSession makes a script of the lines after prompts, and a pattern of the
// whole session as it should look.
func parseSession(session string) (script, want string) {
	var commands, pattern strings.Builder
	pattern.WriteString(`\A`)
	for line := range strings.Lines(session) {
		switch {
		case strings.HasPrefix(line, "$ "):
			// The fake takes as long to start as the machine lets it.
			commands.WriteString("\n" + strings.ReplaceAll(line[2:], "sleep 1; eval", "until [ -s fake.sh ]; do sleep 0.1; done; eval"))
		case strings.HasPrefix(line, "> "):
			commands.WriteString(line[2:])
		case strings.TrimSpace(line) == "…":
			pattern.WriteString(`(?:.*\n)*?`)
		default:
			pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
		}
	}
	return strings.TrimSpace(commands.String()), pattern.String() + `\z`
}

// runSession runs a script where the command and a recording are, and returns
// all that it prints. What it leaves in the background is ended.
func runSession(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	audio, err := os.ReadFile("../../testdata/visit.mp3")
	require.NoError(t, err)
	mp3 := filepath.Join(dir, "visit.mp3")
	require.NoError(t, os.WriteFile(mp3, audio, 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(mp3, old, old))

	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(command(t, nil).Env, "PATH="+filepath.Dir(built(t))+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	_ = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	b, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return string(b)
}
