package transports

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const created = `{"transcription_id": 7}`

// A service is the API as far as a submit needs it. Each POST meets the next answer of its
// script, and then a good one.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	script []answer
	posts  int // that began
	whole  int // that came whole
	dials  int
	refuse int // dials that fail first
}

// An answer answers one POST. read is how much of the body is read before it, -1 for all.
type answer struct {
	read  int64
	write func(w http.ResponseWriter)
}

func good(w http.ResponseWriter) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, created)
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"detail": "synthetic"}`)
	}
}

// lost ends the connection, or the stream, without an answer.
func lost(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// unfinished is an answer whose framing does not end.
func unfinished(w http.ResponseWriter) {
	good(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// compressed is an answer in gzip, asked for or not.
func compressed(w http.ResponseWriter) {
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusAccepted)
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, created)
	_ = z.Close()
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	next := answer{-1, good}
	if s.posts < len(s.script) {
		next = s.script[s.posts]
	}
	s.posts++
	s.mu.Unlock()
	if next.read < 0 {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.whole++
		s.mu.Unlock()
	} else {
		_ = http.NewResponseController(w).EnableFullDuplex() // else net/http reads on before it answers
		_, _ = io.CopyN(io.Discard, r.Body, next.read)
	}
	next.write(w)
}

// startService returns a service of one protocol, and the transport that reaches it.
func startService(t *testing.T, protocol string, script []answer, refuse int) (*service, *http.Transport) {
	t.Helper()
	s := &service{script: script, refuse: refuse}
	s.Server = httptest.NewUnstartedServer(s)
	var protocols http.Protocols
	protocols.SetHTTP1(protocol == "http/1.1")
	protocols.SetUnencryptedHTTP2(protocol == "h2c")
	var transport *http.Transport
	switch protocol {
	case "h2":
		s.EnableHTTP2 = true
		s.StartTLS()
		transport = s.Client().Transport.(*http.Transport).Clone()
	default:
		s.Config.Protocols = &protocols
		s.Start()
		transport = http.DefaultTransport.(*http.Transport).Clone()
		transport.Protocols = &protocols
	}
	transport.DialContext = s.dial
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.CloseClientConnections()
		s.Close()
	})
	require.NotNil(t, transport)
	return s, transport
}

func (s *service) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	s.dials++
	refused := s.dials <= s.refuse
	s.mu.Unlock()
	if refused {
		return nil, errors.New("connection refused")
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}
