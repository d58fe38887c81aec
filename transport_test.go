package ambient

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A forgottenConn is a connection that a network may forget: then nothing arrives any
// more, and nobody says so.
type forgottenConn struct {
	net.Conn
	forgotten *atomic.Bool
	closed    chan struct{}
	closing   sync.Once
}

func (c *forgottenConn) Write(p []byte) (int, error) {
	if c.forgotten.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *forgottenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.forgotten.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *forgottenConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestAForgottenConnectionIsGivenUp checks that calls have a new connection in time, when
// the network has forgotten the one that they shared.
func TestAForgottenConnectionIsGivenUp(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		_, _ = io.WriteString(w, `{"id": 7, "task_status": "STT_COMPLETED"}`)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	transport := defaultTransport().(*http.Transport)
	defer transport.CloseIdleConnections()
	require.Positive(t, transport.HTTP2.SendPingTimeout)
	require.LessOrEqual(t, transport.HTTP2.SendPingTimeout+transport.HTTP2.PingTimeout, 30*time.Second)
	transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = time.Second/2, time.Second/2
	transport.TLSClientConfig = &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	var forgotten atomic.Bool
	var dials atomic.Int32
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil && dials.Add(1) == 1 {
			conn = &forgottenConn{Conn: conn, forgotten: &forgotten, closed: make(chan struct{})}
		}
		return conn, err
	}
	client, err := NewClient(WithBaseURL(srv.URL), WithToken("synthetic"), WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	_, err = client.Transcriptions.Get(t.Context(), 7)
	require.NoError(t, err)
	forgotten.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = client.Transcriptions.Get(ctx, 7)
	require.NoError(t, err)
	assert.Equal(t, int32(2), dials.Load())
}
