package harness

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// StalledBrowser posts the beginning of a body to path of h, over HTTP/1.1 and over
// HTTP/2. Then it sends nothing more and stays connected. It must have an answer of
// status, and the server must come to an end.
func StalledBrowser(t *testing.T, h http.Handler, path, contentType string, length int64, beginning []byte, status int) {
	t.Helper()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(h)
			srv.EnableHTTP2 = proto == "HTTP/2.0"
			srv.StartTLS()
			rest, stop := io.Pipe()
			defer srv.Close()
			defer srv.CloseClientConnections() // Close would wait for an answer that hangs
			defer stop.Close()

			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			defer context.AfterFunc(ctx, func() { _ = stop.Close() })() // net/http's own client waits for a Read of the body
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, io.MultiReader(bytes.NewReader(beginning), rest))
			require.NoError(t, err)
			r.ContentLength = length
			r.Header.Set("Content-Type", contentType)
			resp, err := srv.Client().Do(r)
			require.NoError(t, err, "no answer")
			_, err = io.Copy(io.Discard, resp.Body)
			assert.NoError(t, err)
			assert.Equal(t, proto, resp.Proto)
			assert.Equal(t, status, resp.StatusCode)
			assert.NoError(t, srv.Config.Shutdown(ctx))
			_ = stop.Close()
			_ = resp.Body.Close()
		})
	}
}
