package ambientotel_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const (
	submitRoute = "POST /transcribe"
	getRoute    = "GET /transcribe/{id}"
)

// days are six days in the life of a call. The README shows their trees.
var days = []struct {
	name string
	live func(b *bench)
}{
	{"success", func(b *bench) {
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
	}},
	{"503-then-success", func(b *bench) {
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.RetryAfter(503, "2"))
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
	}},
	{"429-and-wait", func(b *bench) {
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.RetryAfter(429, "30"))
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
	}},
	{"401-and-replay", func(b *bench) {
		b.haveToken()
		b.srv.RevokeTokens()
		time.Sleep(time.Minute) // a token that is refused as soon as it was fetched is tried again
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
	}},
	{"lost-answer", func(b *bench) {
		b.haveToken()
		b.srv.Fault(submitRoute, 1, ambienttest.Fault{Process: true, Delay: time.Second, Reset: ambienttest.ResetAfterRead})
		_, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		assert.True(b.t, ambient.MaybeSubmitted(err), "%v", err)
	}},
	{"forty-polls", func(b *bench) {
		b.haveToken()
		b.scriptJob(38*time.Second + time.Millisecond)
		sub, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
		b.spans.Reset()
		_, err = b.client.Transcriptions.Wait(b.t.Context(), sub.ID, ambient.WithPollInterval(time.Second, time.Second))
		require.NoError(b.t, err)
	}},
}

func TestTrees(t *testing.T) {
	for _, day := range days {
		t.Run(day.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				day.live(b)
				golden(t, day.name, b.tree())
			})
		})
	}
}

// The README shows the trees as they are.
func TestReadmeShowsTheTrees(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, day := range days {
		tree, err := os.ReadFile("testdata/" + day.name + ".txt")
		require.NoError(t, err)
		assert.True(t, bytes.Contains(readme, tree), "%s:\n%s", day.name, tree)
	}
}

// A poll that met a failure has spans, with the times at which it was made; the others
// have spans only if that is asked for.
func TestPollsThatFail(t *testing.T) {
	life := func(b *bench) {
		b.haveToken()
		b.scriptJob(2500 * time.Millisecond)
		sub, err := b.client.Transcriptions.Submit(b.t.Context(), visit())
		require.NoError(b.t, err)
		b.spans.Reset()
		slow := ambienttest.RetryAfter(503, "3")
		slow.Delay = time.Second
		b.srv.Fault(getRoute, 2, slow)
		_, err = b.client.Transcriptions.Wait(b.t.Context(), sub.ID, ambient.WithPollInterval(time.Second, time.Second))
		require.NoError(b.t, err)
	}
	t.Run("failed-poll", func(t *testing.T) {
		onBench(t, func(b *bench) {
			life(b)
			golden(t, "failed-poll", b.tree())
		})
	})
	t.Run("all-polls", func(t *testing.T) {
		onBench(t, func(b *bench) {
			b.client = b.newClient(b.instrument(ambientotel.WithPolls()))
			life(b)
			golden(t, "all-polls", b.tree())
		})
	})
}
