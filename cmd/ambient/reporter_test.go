package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// On a terminal one line is written over; it never wraps and leaves nothing
// behind.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Second, "Synthetic.")...)
	got := testRun{server: srv, columns: 40}.run(t, "transcribe", newRecording(t))
	assert.Zero(t, got.code)
	assert.Contains(t, got.stderr, "\rconnecting")
	assert.Contains(t, got.stderr, "\rwaiting for transcription 101")
	screen := show(got.stderr)
	assert.Equal(t, []string{"submitted: transcription 101", "transcription 101: DETECTED_FILE", "transcription 101: STT_COMPLETED", ""}, screen)
	for piece := range strings.FieldsFuncSeq(got.stderr, func(r rune) bool { return r == '\r' || r == '\n' }) {
		assert.Less(t, len(piece), 40)
	}
	got = testRun{server: srv, columns: 40}.run(t, "transcribe", newRecording(t), "-q")
	assert.Empty(t, got.stderr)
}

// show is what a terminal shows after all was written.
func show(s string) []string {
	lines := []string{""}
	column := 0
	for _, r := range s {
		switch r {
		case '\r':
			column = 0
		case '\n':
			lines, column = append(lines, ""), 0
		default:
			line := []rune(lines[len(lines)-1])
			line = append(line[:min(column, len(line))], append([]rune{r}, line[min(column+1, len(line)):]...)...)
			lines[len(lines)-1] = string(line)
			column++
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func TestNoControlCharactersElsewhere(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.Fault("POST /transcribe", 1, ambienttest.Answer(503))
	got := testRun{server: srv}.run(t, "transcribe", newRecording(t), "-v")
	assert.Zero(t, got.code)
	assert.Contains(t, got.stderr, "503 Service Unavailable; trying again in")
	for _, r := range got.stderr {
		assert.True(t, r == '\n' || r >= ' ', "%q", r)
	}
}

func TestUploadText(t *testing.T) {
	assert.Equal(t, "connecting", uploadText(0, 0, time.Second))
	assert.Equal(t, "uploading: 25 % of 40.0 MB, 5.0 MB/s, 6s left", uploadText(10e6, 40e6, 2*time.Second))
	assert.Equal(t, "uploading: 10.0 MB, 5.0 MB/s", uploadText(10e6, -1, 2*time.Second))
	assert.Equal(t, "uploading: 1 % of 1.0 GB, 10.0 MB/s, 1m39s left", uploadText(10e6, 1e9, time.Second))
}
