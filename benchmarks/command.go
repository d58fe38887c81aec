package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const (
	commandRecordings = 1000
	commandKills      = 3
	commandTimeout    = 5 * time.Minute
)

// A commandResult is what the command line in cmd/ambient needs.
type commandResult struct {
	sizeKiB        float64
	upload, batch  usage
	unknown        int // recordings that a person had to decide on
	submits, notes int
}

// A usage is the time and the peak memory of processes.
type usage struct{ seconds, peakMiB float64 }

// measureCommand builds the command, uploads 500 MB with it, and kills a batch of
// 1,000 recordings three times.
func measureCommand() (commandResult, error) {
	var r commandResult
	dir, err := os.MkdirTemp("", "ambient-command-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	c := command{program: filepath.Join(dir, "ambient"), dir: dir, server: ambienttest.NewServer(ambienttest.WithJobTime(100 * time.Millisecond))}
	defer c.server.Close()
	if _, err := goCommand("../cmd/ambient", "build", "-trimpath", "-ldflags", "-s -w", "-o", c.program, "."); err != nil {
		return r, err
	}
	info, err := os.Stat(c.program)
	if err != nil {
		return r, err
	}
	r.sizeKiB = float64(info.Size()) / 1024
	if r.upload, err = c.uploadLarge(); err != nil {
		return r, err
	}
	return r, c.killBatch(&r)
}

// A command is the built program and the fake API that it talks to.
type command struct {
	program, dir string
	server       *ambienttest.Server
}

func (c command) uploadLarge() (usage, error) {
	path := filepath.Join(c.dir, "visit.mp3")
	if err := makeSparse(path, uploadSize); err != nil {
		return usage{}, err
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		return usage{}, err
	}
	used, code, out, err := c.run(nil, "transcribe", path, "--no-wait")
	if err == nil && code != 0 {
		err = fmt.Errorf("transcribe ended with %d: %s", code, out)
	}
	return used, err
}

// killBatch runs a batch of small recordings, kills it at each quarter, and lets
// it end. What is unknown then is submitted again, as a person may decide.
func (c command) killBatch(r *commandResult) error {
	before := len(c.server.RequestsTo("POST /transcribe"))
	visits := filepath.Join(c.dir, "visits")
	if err := makeRecordings(visits, commandRecordings); err != nil {
		return err
	}
	for n := range commandKills + 2 {
		var kill func() bool
		if n < commandKills {
			goal := (n + 1) * commandRecordings / (commandKills + 1)
			kill = func() bool { return countNotes(visits) >= goal }
		}
		used, code, out, err := c.run(kill, "batch", visits, "--template", "1")
		if err != nil {
			return err
		}
		r.batch.seconds += used.seconds
		r.batch.peakMiB = max(r.batch.peakMiB, used.peakMiB)
		switch {
		case n < commandKills:
		case code == 0:
			r.submits = len(c.server.RequestsTo("POST /transcribe")) - before
			r.notes = countNotes(visits)
			return nil
		case code != 8:
			return fmt.Errorf("batch ended with %d: %s", code, out)
		default:
			if r.unknown, err = c.resubmitUnknown(visits); err != nil {
				return err
			}
		}
	}
	return errors.New("the batch does not come to its end")
}

func (c command) resubmitUnknown(visits string) (unknown int, err error) {
	_, _, out, err := c.run(nil, "status", visits, "--json")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		var v struct{ Key, State string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return 0, err
		}
		if v.State != "unknown" {
			continue
		}
		unknown++
		if _, code, out, err := c.run(nil, "resolve", v.Key, visits, "--resubmit"); err != nil || code != 0 {
			return 0, fmt.Errorf("resolve ended with %d: %w: %s", code, err, out)
		}
	}
	return unknown, nil
}

// run runs the program, and kills it once kill says so.
func (c command) run(kill func() bool, args ...string) (used usage, code int, out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, append(args, "--quiet")...)
	cmd.Env = append(os.Environ(), "AMBIENT_BASE_URL="+c.server.URL, "AMBIENT_USERNAME="+c.server.Username, "AMBIENT_PASSWORD="+c.server.Password)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return used, 0, "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-tick.C:
			used.peakMiB = max(used.peakMiB, float64(peakMemoryOf(fmt.Sprint(cmd.Process.Pid)))/(1<<20))
			if kill != nil && kill() {
				_ = cmd.Process.Kill()
			}
		}
	}
	used.seconds = time.Since(start).Seconds()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		err = nil
	}
	return used, cmd.ProcessState.ExitCode(), b.String(), err
}

func makeRecordings(dir string, n int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	old := time.Now().Add(-time.Hour)
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("visit-%04d.mp3", i))
		if err := os.WriteFile(path, fmt.Appendf(nil, "ID3 synthetic recording %d", i), 0o600); err != nil {
			return err
		}
		if err := os.Chtimes(path, old, old); err != nil {
			return err
		}
	}
	return nil
}

func countNotes(dir string) int {
	notes, _ := filepath.Glob(filepath.Join(dir, "*.note.json"))
	return len(notes)
}

func (r *results) reportCommand(d *doc) {
	c := r.command
	d.line("\n## The command line")
	d.line("\n`cmd/ambient`, stripped, has %.0f KiB. Both rows are one run, over loopback, to a fake API that runs on the same machine", c.sizeKiB)
	d.line("and hashes what it gets. The batch is %d small recordings, killed with SIGKILL at each quarter and started again. Its time", commandRecordings)
	d.line("is the sum of all runs, and its peak the largest.")
	d.table("", "time, s", "peak, MiB", "recordings", "submitted", "unknown", "notes")
	d.row("`transcribe --no-wait`, 500 MB", fmt.Sprintf("%.1f", c.upload.seconds), fmt.Sprintf("%.0f", c.upload.peakMiB), "1", "1", "0", "")
	d.row(fmt.Sprintf("`batch`, killed %d times", commandKills), fmt.Sprintf("%.1f", c.batch.seconds), fmt.Sprintf("%.0f", c.batch.peakMiB),
		fmt.Sprint(commandRecordings), fmt.Sprint(c.submits), fmt.Sprint(c.unknown), fmt.Sprint(c.notes))
}
