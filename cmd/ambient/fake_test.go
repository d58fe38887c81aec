package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseFault(t *testing.T) {
	for _, good := range []string{
		"POST /transcribe 1 503", "* 1-10 429:5", "GET /scribe/{id} 2 lost", "POST /auth/token 1 cut", "POST /scribe 3-3 html:502",
		"POST /scribe/{id}/regenerate/audio 1 half", "GET /transcribe/{id} 1 slow:5s",
	} {
		f, err := parseFault(good)
		require.NoError(t, err, good)
		assert.Equal(t, good[:strings.LastIndex(good[:strings.LastIndex(good, " ")], " ")], f.route)
	}
	for _, bad := range []string{
		"", "503", "POST /transcribe 503", "POST /nowhere 1 503", "POST /transcribe 0 503", "POST /transcribe 3-2 503",
		"POST /transcribe x 503", "POST /transcribe 1 99", "POST /transcribe 1 600", "POST /transcribe 1 slow:x", "POST /transcribe 1 html:x",
	} {
		_, err := parseFault(bad)
		assert.Error(t, err, bad)
	}
}

// The fake is there for the commands that take no --fake, with faults and lives
// of jobs from its flags.
func TestFakeCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stdout := &syncBuffer{}
	ended := make(chan outcome)
	go func() {
		ended <- testRun{ctx: ctx, stdout: stdout}.run(t, "fake", "--json", "--job-time", "1ms",
			"--fault", "POST /transcribe 1 503", "--transcriptions", "failed,incomplete,completed", "--scribes", "failed")
	}()
	eventually(t, "the address", func() bool { return strings.HasSuffix(stdout.String(), "}\n") })
	var address map[string]string
	require.NoError(t, json.Unmarshal([]byte(stdout.String()), &address))
	r := testRun{env: map[string]string{
		"AMBIENT_BASE_URL": address["base_url"], "AMBIENT_USERNAME": address["username"], "AMBIENT_PASSWORD": address["password"],
	}}
	mp3 := newRecording(t)
	assert.Equal(t, exitJobFailed, r.run(t, "transcribe", mp3).code)
	assert.Equal(t, exitPartial, r.run(t, "transcribe", mp3).code)
	assert.Equal(t, exitDone, r.run(t, "transcribe", mp3).code)
	assert.Equal(t, exitJobFailed, r.run(t, "note", "--template", "1", "--transcription", "103").code)
	assert.Equal(t, exitDone, r.run(t, "get", "transcription", "103").code)
	cancel()
	assert.Equal(t, exitDone, (<-ended).code)
}

func TestFakeCommandEnds(t *testing.T) {
	t.Parallel()
	got := testRun{}.run(t, "fake", "--for", "1ms")
	assert.Zero(t, got.code, got.stderr)
	assert.Contains(t, got.stdout, "export AMBIENT_BASE_URL=http://127.0.0.1:")
	assert.Contains(t, got.stdout, "curl ")
	testRun{}.run(t, "fake", "--fault", canary).assertFailed(t, exitUsage, "a fault has")
	testRun{}.run(t, "fake", "--scribes", canary).assertFailed(t, exitUsage, "--scribes takes")
	testRun{}.run(t, "fake", "--transcriptions", canary).assertFailed(t, exitUsage, "--transcriptions takes")
	testRun{}.run(t, "fake", "--addr", canary).assertFailed(t, exitOther, "--addr")
}
