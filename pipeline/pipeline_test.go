package pipeline_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/pipeline"
)

func TestDrainDeliversEachVisit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.config())
		keys := numbered(20)
		add(t, p, keys...)
		drain(t, p)
		for _, key := range keys {
			if assert.Len(t, c.results(key), 1) {
				r := c.results(key)[0]
				assert.NotEmpty(t, r.Transcript.RawText)
				assert.NotNil(t, r.Note)
				assert.False(t, r.PossibleDuplicate)
			}
		}
		assert.Len(t, visits(t, p, pipeline.Done), 20)
		c.AssertCount(t, "POST /transcribe", 20)
		c.AssertCount(t, "POST /scribe", 20)
	})
}
