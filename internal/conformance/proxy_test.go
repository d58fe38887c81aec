package conformance_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// forwardProxy is what stands between many clinics and the Internet.
type forwardProxy struct {
	*httptest.Server
	refuse int // requests that are answered 502 instead

	mu      sync.Mutex
	seen    []*http.Request
	ends    []net.Conn // of the tunnels
	tunnels sync.WaitGroup
}

func startProxy(t *testing.T, refuse int) *forwardProxy {
	t.Helper()
	p := &forwardProxy{refuse: refuse}
	upstream := &http.Transport{}
	plain := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: upstream}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r)
		refused := len(p.seen) <= p.refuse
		p.mu.Unlock()
		switch {
		case refused:
			w.WriteHeader(http.StatusBadGateway)
		case r.Method == http.MethodConnect:
			p.tunnel(w, r.Host)
		default:
			plain.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		p.Close()
		upstream.CloseIdleConnections()
		p.mu.Lock()
		for _, c := range p.ends {
			c.Close()
		}
		p.mu.Unlock()
		p.tunnels.Wait()
	})
	return p
}

func (p *forwardProxy) tunnel(w http.ResponseWriter, host string) {
	to, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	from, _, _ := http.NewResponseController(w).Hijack()
	p.mu.Lock()
	p.ends = append(p.ends, from, to)
	p.mu.Unlock()
	relay := func(a, b net.Conn) {
		_, _ = io.Copy(struct{ io.Writer }{a}, b) // hides that it could splice, through pipes that stay open
		a.Close()
	}
	p.tunnels.Go(func() { relay(to, from) })
	p.tunnels.Go(func() {
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		relay(from, to)
	})
}

// through is a client that reaches srv through the proxy.
func (p *forwardProxy) through(t *testing.T, srv *ambienttest.Server) *ambient.Client {
	t.Helper()
	proxyURL, err := url.Parse(p.URL)
	require.NoError(t, err)
	transport := srv.Client().Transport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxyURL)
	t.Cleanup(transport.CloseIdleConnections)
	return harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: transport}), quick)
}

// TestThroughATunnel checks that a CONNECT proxy sees a host and no header of a call.
func TestThroughATunnel(t *testing.T) {
	leavesNothing(t)
	srv := start(t, ambienttest.NewTLSServer)
	proxy := startProxy(t, 0)
	client := proxy.through(t, srv)
	id := harness.Submitted(t, client)
	_, err := client.Transcriptions.Get(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, proxy.seen, 1)
	assert.Equal(t, http.MethodConnect, proxy.seen[0].Method)
	assert.Empty(t, proxy.seen[0].Header.Get("Authorization"))
	client.CloseIdleConnections()
}

// TestThroughAPlainProxy checks that a proxy gets absolute URLs and the whole body.
func TestThroughAPlainProxy(t *testing.T) {
	leavesNothing(t)
	srv := start(t, ambienttest.NewServer)
	proxy := startProxy(t, 0)
	client := proxy.through(t, srv)
	content := longVisit()[:2<<20]
	_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", content))
	require.NoError(t, err)
	assert.Equal(t, harness.Digest(content), srv.RequestsTo(harness.SubmitRoute)[0].Files[0].SHA256)
	assert.Len(t, proxy.seen, 2)
	client.CloseIdleConnections()
}

// TestAProxyThatRefusesTheTunnel checks that the call is repeated, since nothing was
// sent.
func TestAProxyThatRefusesTheTunnel(t *testing.T) {
	leavesNothing(t)
	srv := start(t, ambienttest.NewTLSServer)
	proxy := startProxy(t, 2)
	client := proxy.through(t, srv)
	require.NoError(t, client.Authenticate(t.Context()))
	client.CloseIdleConnections()

	closed := startProxy(t, 1000)
	_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv, ambient.WithToken("synthetic"), quick,
		ambient.WithHTTPClient(proxied(t, closed.URL))), harness.Visit())
	network, ok := errors.AsType[*ambient.NetworkError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, ambient.NotSent, network.Sent)
	assert.Len(t, network.Attempts, 4)
	assert.False(t, ambient.MaybeSubmitted(err))
}

func proxied(t *testing.T, proxy string) *http.Client {
	t.Helper()
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	transport := &http.Transport{Proxy: http.ProxyURL(u)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
