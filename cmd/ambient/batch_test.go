package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// newVisits is a directory with n recordings whose names are patients'.
func newVisits(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		recordingAt(t, filepath.Join(dir, fmt.Sprintf("%s %d.mp3", canary, i)))
	}
	return dir
}

// deliveries reads the notes in a directory, by the names of their recordings.
func deliveries(t *testing.T, dir string) map[string]delivery {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+noteSuffix))
	require.NoError(t, err)
	found := map[string]delivery{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		var d delivery
		require.NoError(t, json.Unmarshal(b, &d))
		assert.Empty(t, found[d.Recording].Key, "one note of each")
		found[d.Recording] = d
	}
	return found
}

func TestBatch(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTranscript("A synthetic visit."), ambienttest.WithNote(map[string]any{"plan": "Rest."}))
	dir := newVisits(t, 5)
	require.NoError(t, os.WriteFile(filepath.Join(dir, canary+" empty.mp3"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, canary+".txt"), []byte("no recording"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, canary+" 0.mp3"+visitSuffix), []byte(`{"patient_name": "Alex Example"}`), 0o600))

	got := testRun{server: srv}.run(t, "batch", dir, "--template", "7", "-v")
	got.assertFailed(t, exitNeedsPerson, "1 recording needs a person")
	assert.Equal(t, "5 of 6 recordings done, 1 left out\n", got.stdout)
	srv.AssertCount(t, "POST /transcribe", 5)
	srv.AssertCount(t, "POST /scribe", 5)
	assert.Equal(t, "7", srv.RequestsTo("POST /scribe")[0].Value("template_ids"))
	names := ""
	for _, r := range srv.RequestsTo("POST /transcribe") {
		names += r.Value("patient_name")
	}
	assert.Equal(t, "Alex Example", names)

	notes := deliveries(t, dir)
	require.Len(t, notes, 5)
	assert.JSONEq(t, `{"plan": "Rest."}`, string(notes[canary+" 0.mp3"].Scribe.Extra["note"]))
	text, err := os.ReadFile(filepath.Join(dir, canary+" 0.mp3"+transcriptSuffix))
	require.NoError(t, err)
	assert.Equal(t, "A synthetic visit.\n", string(text))
	assertPrivate(t, dir)

	require.NoError(t, os.Remove(filepath.Join(dir, canary+" empty.mp3")))
	got = testRun{server: srv}.run(t, "batch", dir, "--template", "7", "--json")
	assert.Zero(t, got.code, got.stderr)
	assert.JSONEq(t, `{"recordings": 5, "done": 5, "failed": 0, "unknown": 0, "dropped": 0, "unfinished": 0, "left_out": 0}`, got.stdout)
	srv.AssertCount(t, "POST /transcribe", 5)
}

// assertPrivate checks that only the owner can read what was written, and that
// the database and the settings hold no name.
func assertPrivate(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		if strings.HasPrefix(e.Name(), "ambient-") {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			assert.NotContains(t, string(b), canary, e.Name())
		}
	}
}

// A result is elsewhere with --out, and so is the database.
func TestBatchOut(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir, out := newVisits(t, 1), filepath.Join(t.TempDir(), "new", "results")
	got := testRun{server: srv}.run(t, "batch", dir, "--template", "1", "--out", out)
	require.Zero(t, got.code, got.stderr)
	assert.Len(t, deliveries(t, out), 1)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	got = testRun{}.run(t, "status", dir, "--out", out, "--all")
	assert.Contains(t, got.stdout, "1 of 1 recording done")
	assert.Contains(t, got.stdout, canary+" 0.mp3")
	testRun{}.run(t, "status", dir).assertFailed(t, exitOther, "no batch in that directory")

	// The database was lost: what has its note is not sent again.
	require.NoError(t, os.Remove(filepath.Join(out, databaseFile)))
	got = testRun{server: srv}.run(t, "batch", dir, "--template", "1", "--out", out)
	assert.Zero(t, got.code, got.stderr)
	assert.Equal(t, "1 of 1 recording done\n", got.stdout)
	srv.AssertCount(t, "POST /transcribe", 1)
}

func TestBatchThatCannotBe(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir, file := newVisits(t, 1), newRecording(t)
	r := testRun{server: srv}
	r.run(t, "batch", dir).assertFailed(t, exitUsage, "--template")
	r.run(t, "batch", dir, "--template", "0").assertFailed(t, exitUsage, "above 0")
	r.run(t, "batch", dir, "--template", "1", "--parallel", "0").assertFailed(t, exitUsage, "--parallel")
	r.run(t, "batch", file, "--template", "1").assertFailed(t, exitOther, "ambient transcribe")
	r.run(t, "batch", dir+canary, "--template", "1").assertFailed(t, exitOther, "does not exist")
	r.run(t, "batch", dir, "--template", "1", "--out", filepath.Join(file, "x")).assertFailed(t, exitOther, "--out cannot be made")
	r.run(t, "batch", dir, "--template", "1", "--out", filepath.Join(t.TempDir(), "a?b")).assertFailed(t, exitOther, "question mark")
	r.env = map[string]string{"AMBIENT_PASSWORD": "wrong"}
	r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitCredentials, "check the user name")
	r.env = map[string]string{"AMBIENT_BASE_URL": "http://127.0.0.1:1"}
	r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitOther, "check the network")
	srv.AssertCount(t, "POST /transcribe", 0)
}

// What may have been submitted is for a person, who decides with resolve.
func TestBatchUnknown(t *testing.T) {
	t.Parallel()
	for decision, want := range map[string]struct {
		submits int
		stdout  string
		double  bool
	}{
		"--adopt=101": {1, "1 of 1 recording done\n", false},
		"--resubmit":  {2, "1 of 1 recording done\n", true},
		"--drop":      {1, "0 of 1 recording done, 1 dropped\n", false},
	} {
		srv := startServer(t)
		srv.Fault("POST /transcribe", 1, ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true})
		dir := newVisits(t, 1)
		r := testRun{server: srv}
		r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitNeedsPerson, "1 recording needs a person")
		r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitNeedsPerson, "1 recording needs a person")
		srv.AssertCount(t, "POST /transcribe", 1)

		status := r.run(t, "status", dir)
		assert.Zero(t, status.code, status.stderr)
		assert.Contains(t, status.stdout, "unknown   transcript")
		assert.Contains(t, status.stdout, "submitted 20")
		assert.Contains(t, status.stdout, canary+" 0.mp3")
		var listed row
		require.NoError(t, json.Unmarshal([]byte(r.run(t, "status", dir, "--json").stdout), &listed))
		assert.Equal(t, "unknown", listed.State)
		assert.Contains(t, status.stdout, listed.Key[:shortKey])

		resolved := r.run(t, "resolve", listed.Key[:shortKey], dir, decision)
		require.Zero(t, resolved.code, resolved.stderr)
		r.run(t, "resolve", listed.Key, dir, decision).assertFailed(t, exitOther, "only one that is unknown")
		got := r.run(t, "batch", dir, "--template", "1")
		assert.Zero(t, got.code, got.stderr)
		assert.Equal(t, want.stdout, got.stdout)
		srv.AssertCount(t, "POST /transcribe", want.submits)
		assert.Equal(t, want.double, deliveries(t, dir)[canary+" 0.mp3"].PossibleDuplicate)
	}
}

func TestResolveThatCannotBe(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := newVisits(t, 2)
	r := testRun{server: srv}
	r.run(t, "resolve", "abc", dir, "--drop").assertFailed(t, exitOther, "no batch in that directory")
	require.Zero(t, r.run(t, "batch", dir, "--template", "1").code)
	r.run(t, "resolve", "nokey", dir, "--drop").assertFailed(t, exitOther, "no such key")
	r.run(t, "resolve", "", dir, "--drop").assertFailed(t, exitOther, "no such key")
	r.run(t, "resolve", "abc", dir).assertFailed(t, exitUsage, "adopt")
	r.run(t, "resolve", "abc", dir, "--drop", "--resubmit").assertFailed(t, exitUsage, "drop")
	r.run(t, "resolve", "abc", dir, "--adopt", "0").assertFailed(t, exitUsage, "--adopt")
	r.run(t, "resolve", "abc", "--drop").assertFailed(t, exitUsage, "DATABASE_URL")
}

// What failed is sent again on request alone.
func TestBatchRetry(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.Fault("POST /transcribe", 1, ambienttest.Answer(422))
	srv.ScriptTranscription(ambienttest.TranscriptionFails(0, canary)...)
	dir := newVisits(t, 2)
	r := testRun{server: srv}
	got := r.run(t, "batch", dir, "--template", "1")
	got.assertFailed(t, exitNeedsPerson, "2 recordings need a person")
	got = r.run(t, "status", dir)
	assert.Contains(t, got.stdout, "0 of 2 recordings done, 2 failed")
	assert.Contains(t, got.stdout, "refused-422")
	assert.Contains(t, got.stdout, "job-failed")
	r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitNeedsPerson, "2 recordings")
	srv.AssertCount(t, "POST /transcribe", 2)
	got = r.run(t, "batch", dir, "--template", "1", "--retry")
	assert.Zero(t, got.code, got.stderr)
	assert.Equal(t, "2 of 2 recordings done\n", got.stdout)
	srv.AssertCount(t, "POST /transcribe", 4)
	got = r.run(t, "batch", dir, "--template", "1", "--retry")
	assert.Zero(t, got.code, got.stderr)
	srv.AssertCount(t, "POST /transcribe", 4)
	assert.Contains(t, r.run(t, "status", dir).stdout, "2 of 2 recordings done\n")
}

// A wrong template is noticed before all recordings were transcribed for nothing.
func TestBatchWithAWrongTemplate(t *testing.T) {
	t.Parallel()
	srv := startServer(t, ambienttest.WithTemplates(1), ambienttest.WithJobTime(100*time.Millisecond))
	dir := newVisits(t, 30)
	r := testRun{server: srv}
	r.run(t, "batch", dir, "--template", "2", "--parallel", "2").assertFailed(t, exitOther, "check --template")
	got := r.run(t, "batch", dir, "--template", "1")
	got.assertFailed(t, exitNeedsPerson, "need a person")
	assert.Contains(t, got.stderr, "keep the notes of the templates before")
	assert.Greater(t, len(deliveries(t, dir)), 10)
	got = r.run(t, "batch", dir, "--template", "1", "--retry")
	assert.Zero(t, got.code, got.stderr)
	assert.Len(t, deliveries(t, dir), 30)
}

// A device that gives each recording the same name loses none.
func TestBatchWithReusedName(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "REC001.mp3")
	old := time.Now().Add(-time.Hour)
	for _, content := range []string{"ID3 synthetic, the first", "ID3 synthetic, the other", "ID3 synthetic, the first"} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chtimes(path, old, old))
		got := testRun{server: srv}.run(t, "batch", dir, "--template", "1")
		require.Zero(t, got.code, got.stderr)
	}
	srv.AssertCount(t, "POST /transcribe", 2)
	files, err := filepath.Glob(filepath.Join(dir, "REC001.mp3*"+noteSuffix))
	require.NoError(t, err)
	assert.Len(t, files, 2)
}

func TestBatchOddNames(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := t.TempDir()
	names := []string{"a\nb.mp3", `a"b'c.mp3`, "-a.mp3", "a b;c&d|e.mp3", "\xff\xfe.mp3", strings.Repeat("x", 251) + ".mp3", strings.Repeat("ż", 125) + ".mp3", "\x1b[31m.mp3", "A.MP3"}
	for _, name := range names {
		recordingAt(t, filepath.Join(dir, name))
	}
	got := testRun{server: srv}.run(t, "batch", dir, "--template", "1", "-v")
	assert.Zero(t, got.code, got.stderr)
	files, err := filepath.Glob(filepath.Join(dir, "*"+noteSuffix))
	require.NoError(t, err)
	assert.Len(t, files, len(names))
	status := testRun{}.run(t, "status", dir, "--all")
	assert.NotContains(t, status.stdout, "\x1b")
	assert.Contains(t, status.stdout, `a\nb.mp3`)
}

// The results of a fake API and of the real one are never in one directory.
func TestBatchWithFake(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := newVisits(t, 3)
	got := testRun{}.run(t, "batch", dir, "--template", "1", "--fake")
	assert.Zero(t, got.code, got.stderr)
	assert.Len(t, deliveries(t, dir), 3)
	recordingAt(t, filepath.Join(dir, canary+" later.mp3"))
	got = testRun{}.run(t, "batch", dir, "--template", "1", "--fake")
	assert.Zero(t, got.code, got.stderr)
	assert.Equal(t, "4 of 4 recordings done\n", got.stdout)
	testRun{server: srv}.run(t, "batch", dir, "--template", "1").assertFailed(t, exitOther, "--out has the batch of the fake API")

	real := newVisits(t, 1)
	require.Zero(t, testRun{server: srv}.run(t, "batch", real, "--template", "1").code)
	testRun{}.run(t, "batch", real, "--template", "1", "--fake").assertFailed(t, exitOther, "choose another --out")
	testRun{}.run(t, "watch", dir, "--template", "1", "--fake", "--remove-after", "1h").assertFailed(t, exitUsage, "--remove-after")
}

// A patient's data that cannot be read leaves its recording out.
func TestBatchWithABrokenVisitFile(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	dir := newVisits(t, 2)
	broken := filepath.Join(dir, canary+" 1.mp3"+visitSuffix)
	require.NoError(t, os.WriteFile(broken, []byte(`{"name": "`+canary+`"}`), 0o600))
	r := testRun{server: srv}
	r.run(t, "batch", dir, "--template", "1").assertFailed(t, exitNeedsPerson, "1 recording needs")
	assert.Contains(t, r.run(t, "status", dir).stdout, "its .visit.json must be a JSON object")
	require.NoError(t, os.Remove(broken))
	assert.Zero(t, r.run(t, "batch", dir, "--template", "1").code)
	srv.AssertCount(t, "POST /transcribe", 2)
}

// A recording that is gone before it was sent is said to be, and its note is not
// waited for.
func TestBatchWithALostRecording(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	srv.Fault("POST /transcribe", 1, ambienttest.RetryAfter(429, "2"))
	dir := newVisits(t, 1)
	path := filepath.Join(dir, canary+" 0.mp3")
	done := make(chan outcome)
	go func() { done <- testRun{server: srv}.run(t, "batch", dir, "--template", "1") }()
	eventually(t, "the first submit", func() bool { return len(srv.RequestsTo("POST /transcribe")) > 0 })
	require.NoError(t, os.Remove(path))
	(<-done).assertFailed(t, exitNeedsPerson, "1 recording")
	for _, r := range srv.RequestsTo("POST /transcribe") {
		assert.False(t, r.Complete && r.Status != 429)
	}
}

func TestCounts(t *testing.T) {
	assert.Equal(t, "0 of 0 recordings done", counts{}.String())
	assert.Equal(t, "1 of 9 recordings done, 1 to do, 2 failed, 3 unknown, 1 dropped, 1 left out",
		counts{Recordings: 9, Done: 1, Unfinished: 1, Failed: 2, Unknown: 3, Dropped: 1, LeftOut: 1}.String())
	assert.Equal(t, "", timeLeft(0, 5, time.Minute))
	assert.Equal(t, ", about 50 s left", timeLeft(6, 5, time.Minute))
	assert.Equal(t, ", about 10 min left", timeLeft(1, 10, time.Minute))
	assert.Equal(t, ", about 2.0 h left", timeLeft(1, 120, time.Minute))
}
