package ambient

import (
	"net/http"
	"time"
)

const (
	// idlePerHost is how many idle connections are kept. With 2, the default of
	// net/http, a busy client reconnects all the time.
	idlePerHost = 128

	// An HTTP/2 connection that is silent for pingAfter is asked whether it lives, and is
	// given up pingTimeout later. A network that forgets a connection says nothing, and
	// every call on it would wait for its own timeout.
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// defaultTransport is that of net/http, with enough idle connections for a busy client
// and with pings.
func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the program has replaced it, and meant it
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 2*idlePerHost, idlePerHost
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	if t.HTTP2.SendPingTimeout == 0 {
		t.HTTP2.SendPingTimeout, t.HTTP2.PingTimeout = pingAfter, pingTimeout
	}
	return t
}
