package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

func TestNetworkErrorIsANetError(t *testing.T) {
	timeout := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err     error
		timeout bool
	}{{timeout, true}, {fmt.Errorf("tunnel: %w", timeout), true}, {syscall.ECONNREFUSED, false}, {context.DeadlineExceeded, true}, {errors.New("down"), false}} {
		_, err := failingClient(t, c.err).Transcriptions.Get(context.Background(), 7)
		n, ok := errors.AsType[net.Error](fmt.Errorf("%w", err))
		require.True(t, ok)
		assert.Equal(t, c.timeout, n.Timeout(), "%v", err)
		assert.IsType(t, &ambient.NetworkError{}, n)
		assert.ErrorIs(t, err, c.err)
	}
}

// A transport of the caller may wrap its errors in the request's URL, a file
// system in a path.
func TestURLsAndPathsAreTakenOutOfErrors(t *testing.T) {
	cause := &url.Error{Op: "Get", URL: "https://host/patients/Jane?name=Doe", Err: &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}}
	_, err := failingClient(t, cause).Transcriptions.Get(context.Background(), 7)
	u, ok := errors.AsType[*url.Error](err)
	require.True(t, ok)
	assert.Equal(t, `Get "…": read tcp: i/o timeout`, u.Error())
	assert.True(t, u.Timeout())
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.NotContains(t, allText(err), "Jane")
	assert.NotContains(t, allText(err), "Doe")

	_, err = failingClient(t, nil).Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: ambient.AudioFile("/nowhere/Jane-Doe.mp3")})
	p, ok := errors.AsType[*fs.PathError](err)
	require.True(t, ok)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorIs(t, p, syscall.ENOENT)
	assert.NotContains(t, p.Error(), "Jane")
	assert.NotContains(t, allText(err), "Doe")
}

// allText is the text of every link of a chain.
func allText(err error) string {
	var b strings.Builder
	harness.EachLink(err, func(err error) { fmt.Fprintln(&b, err) })
	return b.String()
}
