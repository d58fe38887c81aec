package conformance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// No job is lost when the service is away for minutes.
func TestJobsOutliveAnOutage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]ambienttest.Fault{"503": ambienttest.ProxyHTML(503), "521": ambienttest.ProxyHTML(521), "reset": {Reset: ambienttest.ResetBeforeRead}} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				ids := harness.SubmitMany(t, srv, client, 20, func(i int) time.Duration { return time.Minute })
				time.Sleep(10 * time.Second)
				back := time.Now().Add(5 * time.Minute)
				srv.FaultWhere(func(r ambienttest.Request) bool { return r.Time.Before(back) }, fault)
				delivered := 0
				for tr, err := range client.Transcriptions.WaitAll(t.Context(), ids) {
					require.NoError(t, err)
					assert.True(t, tr.Done())
					delivered++
				}
				assert.Equal(t, len(ids), delivered)
			})
		})
	}
}
