//go:build unix

package conformance_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// Opening a pipe that nobody writes to would block for ever.
func TestPipesAreRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), harness.Secret)
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	srv := ambienttest.StartInMemory(t)
	for _, path := range []string{pipe, "/dev/null"} {
		_, err := harness.NewClient(t, srv).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioFile(path)})
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad)
		assert.Contains(t, bad.Problem, "use AudioReader")
		harness.TellsNothing(t, err)
	}
	srv.AssertCount(t, "*", 0)
}
