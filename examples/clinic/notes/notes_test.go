package notes_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const (
	id   = "aaaaaaaa-1111-4111-8111-111111111111"
	code = "SYN-0042"
)

// A clinic is a directory and an API, which outlive any process.
type clinic struct {
	t     *testing.T
	dir   string
	store *recording.Store
	api   *ambienttest.Server
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	dir := t.TempDir()
	store, err := recording.Open(filepath.Join(dir, "store"))
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	return &clinic{t, dir, store, ambienttest.Start(t, ambienttest.WithJobTime(10*time.Millisecond))}
}

// record puts a closed recording into the store. Nobody hears of it.
func (c *clinic) record() {
	c.t.Helper()
	_, err := c.store.Create(recording.Recording{ID: id, Code: code, Owner: "synthetic-doctor", Type: "audio/webm", Started: time.Now()})
	require.NoError(c.t, err)
	audio := []byte("synthetic audio")
	digest := recording.Digest(sha256.Sum256(audio))
	_, err = c.store.Put(id, 0, digest, bytes.NewReader(audio))
	require.NoError(c.t, err)
	_, err = c.store.End(id, []recording.Digest{digest}, false)
	require.NoError(c.t, err)
}

// run is a process that works for as long as f takes.
func (c *clinic) run(f func(*notes.Notes)) {
	c.t.Helper()
	client, err := ambient.NewClient(ambient.WithBaseURL(c.api.URL), ambient.WithCredentials(c.api.Username, c.api.Password))
	require.NoError(c.t, err)
	n, err := notes.Open(c.t.Context(), "sqlite:"+filepath.Join(c.dir, "visits.db"), notes.Config{
		Store: c.store, Client: client, Templates: []int64{7}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(c.t, n.Run(ctx, time.Second)) })
	f(n)
	cancel()
	running.Wait()
	require.NoError(c.t, n.Close())
}

func (c *clinic) eventually(condition func() bool) {
	c.t.Helper()
	require.Eventually(c.t, condition, time.Minute, 20*time.Millisecond)
}

// A process that dies between the closing of a recording and its hand-over leaves it to the next one.
func TestClosedBeforeACrash(t *testing.T) {
	c := newClinic(t)
	c.record()
	c.run(func(*notes.Notes) { c.eventually(func() bool { return c.store.HasResult(id) }) })
	var result notes.Result
	require.NoError(t, c.store.Result(id, &result))
	assert.Contains(t, result.Transcript, "synthetic visit")

	c.run(func(n *notes.Notes) {
		n.Closed()
		n.Closed()
		states, err := n.States(t.Context())
		assert.NoError(t, err)
		assert.Empty(t, states, "a visit that is done is not among them")
	})
	c.api.AssertCount(t, "POST /transcribe", 1)
}

// A recording that is no longer there ends its visit, and the reason says so.
func TestMissingRecording(t *testing.T) {
	c := newClinic(t)
	c.record()
	files, err := filepath.Glob(filepath.Join(c.dir, "store", "recordings", id, "audio-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.NoError(t, os.Remove(files[0]))
	c.run(func(n *notes.Notes) {
		c.eventually(func() bool {
			states, err := n.States(t.Context())
			return err == nil && states[code].State == pipeline.Failed && states[code].Reason == "source-missing"
		})
		assert.ErrorIs(t, n.Resolve(t.Context(), code, pipeline.Decision{Drop: true}), notes.ErrNotUnknown)
	})
	c.api.AssertCount(t, "POST /transcribe", 0)
}

// After a decision to send a visit again, its result says that the service may have it twice.
func TestPossibleDuplicate(t *testing.T) {
	c := newClinic(t)
	c.api.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Reset: ambienttest.ResetAfterRead})
	c.run(func(n *notes.Notes) {
		c.record()
		n.Closed()
		c.eventually(func() bool { return n.Resolve(t.Context(), code, pipeline.Decision{Resubmit: true}) == nil })
		c.eventually(func() bool { return c.store.HasResult(id) })
	})
	var result notes.Result
	require.NoError(t, c.store.Result(id, &result))
	assert.True(t, result.PossibleDuplicate)
}

func TestOpenRefusesADatabase(t *testing.T) {
	_, err := notes.Open(t.Context(), "canary://canary", notes.Config{Logger: slog.New(slog.DiscardHandler)})
	require.Error(t, err)
	assert.False(t, strings.Contains(err.Error(), "canary"))
}
