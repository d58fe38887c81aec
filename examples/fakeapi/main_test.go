package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The printed script works when it is pasted as it is.
func TestScript(t *testing.T) {
	t.Chdir("../..") // the script reads testdata
	ctx, stop := context.WithCancel(t.Context())
	printed, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-job-time", "0"}, stdout) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var script strings.Builder
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		script.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "/transcribe/999") {
			break // the last command
		}
	}
	go io.Copy(io.Discard, printed)

	sh, err := exec.LookPath("sh")
	if _, curlErr := exec.LookPath("curl"); err != nil || curlErr != nil {
		t.Skip("no shell or no curl here")
	}
	paste := exec.CommandContext(ctx, sh, "-e")
	paste.Stdin = strings.NewReader(script.String())
	paste.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	out, err := paste.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"transcription_id":101`, `"task_status":"STT_COMPLETED"`, "synthetic visit",
		`"scribe_id":102`, `"status":"COMPLETED"`, "Transcription not found",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
}

func TestStopsByItself(t *testing.T) {
	start := time.Now()
	if err := run(t.Context(), []string{"-for", "10ms"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopped after %v", d)
	}
}

func TestBadFlag(t *testing.T) {
	if err := run(t.Context(), []string{"-addr", "nowhere"}, io.Discard); err == nil {
		t.Error("listens on nowhere")
	}
}
