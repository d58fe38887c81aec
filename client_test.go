package ambient_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func TestFullLife(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		ctx := context.Background()
		srv.ScriptTranscription(
			ambienttest.Step{Status: "DETECTED_FILE", For: 5 * time.Second},
			ambienttest.Step{Status: "STT_PROCESSING", For: time.Minute},
			ambienttest.Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": "hello"}},
		)
		var states []string
		tr, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: visit()},
			ambient.WithOnPoll(func(e ambient.PollEvent) { states = append(states, e.Status) }))
		require.NoError(t, err)
		assert.Equal(t, "hello", tr.RawText)
		assert.Contains(t, states, "STT_PROCESSING")

		scribe, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{tr.RawText}})
		require.NoError(t, err)
		assert.NotEmpty(t, scribe.Extra)
	})
}
