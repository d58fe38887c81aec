package conformance_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// Frame types, flags and codes of RFC 9113 that the server below knows.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway, frameWindow = 0, 1, 3, 4, 7, 8

	flagEndStream, flagAck, flagEndHeaders  = 1, 1, 4
	codeProtocol, codeInternal, codeRefused = 1, 2, 7
)

// rawHTTP2 is a server of bare frames. It can refuse a stream and announce that it goes
// away, which the server of net/http cannot. It does not look at request headers, and
// answers 200 with a transcription.
type rawHTTP2 struct {
	net.Listener
	refuse func(s *rawHTTP2, conn net.Conn, stream uint32) bool // at its begin; tells that the stream needs no answer
	forget func(s *rawHTTP2, conn net.Conn, stream uint32) bool // the same at its end, nil for never

	mu      sync.Mutex
	conns   []net.Conn
	streams int   // that were begun
	bodies  []int // bytes of the bodies that were answered
	running sync.WaitGroup
}

// first makes only the first stream meet a refusal.
func first(refuse func(conn net.Conn, stream uint32)) func(*rawHTTP2, net.Conn, uint32) bool {
	return func(s *rawHTTP2, conn net.Conn, stream uint32) bool {
		if s.streams > 1 {
			return false
		}
		refuse(conn, stream)
		return true
	}
}

func writeFrame(w io.Writer, kind, flags byte, stream uint32, payload []byte) {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	frame = binary.BigEndian.AppendUint32(append(frame, flags), stream)
	_, _ = w.Write(append(frame, payload...))
}

func (s *rawHTTP2) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.running.Go(func() { s.serveConn(conn) })
	}
}

func (s *rawHTTP2) close() {
	s.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *rawHTTP2) serveConn(conn net.Conn) {
	defer conn.Close()
	if _, err := io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	unbounded := []byte{0x7f, 0, 0, 0}
	writeFrame(conn, frameSettings, 0, 0, nil)
	writeFrame(conn, frameWindow, 0, 0, unbounded)
	size, ignored := map[uint32]int{}, map[uint32]bool{}
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		length := int(binary.BigEndian.Uint32(head[:4]) >> 8)
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if _, err := io.CopyN(io.Discard, conn, int64(length)); err != nil {
			return
		}
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			writeFrame(conn, frameSettings, flagAck, 0, nil)
		case kind == frameHeaders:
			s.mu.Lock()
			s.streams++
			ignored[stream] = s.refuse(s, conn, stream)
			s.mu.Unlock()
			if !ignored[stream] { // of one that is refused, no more than 64 KiB can leave
				writeFrame(conn, frameWindow, 0, stream, unbounded)
			}
		case kind == frameData:
			size[stream] += length
		}
		if (kind == frameHeaders || kind == frameData) && flags&flagEndStream != 0 && !ignored[stream] {
			s.mu.Lock()
			s.bodies = append(s.bodies, size[stream])
			forgotten := s.forget != nil && s.forget(s, conn, stream)
			s.mu.Unlock()
			if forgotten {
				continue
			}
			writeFrame(conn, frameHeaders, flagEndHeaders, stream, []byte{0x88}) // :status 200
			writeFrame(conn, frameData, flagEndStream, stream, []byte(`{"id": 7, "task_status": "STT_COMPLETED", "transcription_id": 7}`))
		}
	}
}

// startRawHTTP2 returns the server and a client of it.
func startRawHTTP2(t *testing.T, refuse func(*rawHTTP2, net.Conn, uint32) bool, opts ...ambient.Option) (*rawHTTP2, *ambient.Client) {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer certified.Close()
	config := &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	s := &rawHTTP2{Listener: l, refuse: refuse}
	s.running.Go(s.serve)
	transport := certified.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.close()
	})
	client, err := ambient.NewClient(append([]ambient.Option{ambient.WithBaseURL("https://" + l.Addr().String()), ambient.WithToken("synthetic"),
		ambient.WithHTTPClient(&http.Client{Transport: transport}), quick}, opts...)...)
	require.NoError(t, err)
	return s, client
}

// TestProtocolErrorBehindAWholeRequest checks a request that net/http repeats although
// the service may have taken it. RetrySafe prevents that for a request with a body.
// Otherwise it is a possible duplicate.
func TestProtocolErrorBehindAWholeRequest(t *testing.T) {
	upload := func(client *ambient.Client, info *ambient.CallInfo) error {
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithCallInfo(info))
		return err
	}
	bodyless := func(client *ambient.Client, info *ambient.CallInfo) error {
		return client.Do(t.Context(), "POST", "/scribe/7/approve", nil, nil, ambient.WithCallInfo(info))
	}
	for _, c := range []struct {
		name    string
		call    func(*ambient.Client, *ambient.CallInfo) error
		submits ambient.SubmitRetry
	}{
		{"upload", upload, ambient.RetryDocumented},
		{"upload, RetrySafe", upload, ambient.RetrySafe},
		{"without a body", bodyless, ambient.RetryDocumented},
		{"without a body, RetrySafe", bodyless, ambient.RetrySafe},
	} {
		t.Run(c.name, func(t *testing.T) {
			leavesNothing(t)
			s, client := startRawHTTP2(t, func(*rawHTTP2, net.Conn, uint32) bool { return false }, harness.Policy(ambient.RetryPolicy{Submits: c.submits}))
			s.forget = first(func(conn net.Conn, stream uint32) {
				writeFrame(conn, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, codeProtocol))
			})
			var info ambient.CallInfo
			err := c.call(client, &info)
			assert.Len(t, info.Attempts, 1, "it is all one attempt")
			s.mu.Lock()
			defer s.mu.Unlock()
			if c.submits == ambient.RetryDocumented {
				require.NoError(t, err)
				assert.True(t, info.PossibleDuplicate())
				assert.Equal(t, 2, s.streams)
				return
			}
			assert.True(t, info.PossibleDuplicate() || ambient.MaybeSubmitted(err), "%v", err)
			if c.name == "upload, RetrySafe" {
				network, ok := errors.AsType[*ambient.NetworkError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, ambient.FullySent, network.Sent)
				assert.Equal(t, 1, s.streams)
			}
		})
	}
}

// TestRefusedStreams checks a server that refuses a stream or goes away before it. Such
// a server has processed nothing (RFC 9113, section 8.7), so net/http repeats the
// request by itself and must get the whole body again.
func TestRefusedStreams(t *testing.T) {
	for name, refuse := range map[string]func(net.Conn, uint32){
		"REFUSED_STREAM": func(conn net.Conn, stream uint32) {
			writeFrame(conn, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, codeRefused))
		},
		"GOAWAY": func(conn net.Conn, _ uint32) {
			writeFrame(conn, frameGoAway, 0, 0, make([]byte, 8)) // no stream was processed, no error
		},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			content := harness.Pattern(1 << 20) // of which part is on its way when the refusal comes
			s, client := startRawHTTP2(t, first(refuse))
			sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", content))
			require.NoError(t, err)
			assert.Len(t, sub.Call.Attempts, 1, "it is all one attempt")
			assert.False(t, sub.PossibleDuplicate())
			s.mu.Lock()
			defer s.mu.Unlock()
			assert.Equal(t, 2, s.streams)
			require.Len(t, s.bodies, 1)
			assert.Equal(t, sub.Call.Attempts[0].BytesSent, int64(s.bodies[0]))
			assert.Greater(t, s.bodies[0], len(content))
		})
	}
}

// TestResetStream checks any other reset of a stream. The service may have taken the
// request. A body in part is sent again, a whole one is not.
func TestResetStream(t *testing.T) {
	reset := first(func(conn net.Conn, stream uint32) {
		writeFrame(conn, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, codeInternal))
	})
	t.Run("read", func(t *testing.T) {
		leavesNothing(t)
		s, client := startRawHTTP2(t, reset)
		var info ambient.CallInfo
		require.NoError(t, harness.Get(t.Context(), client, ambient.WithCallInfo(&info)))
		assert.Len(t, info.Attempts, 2)
		assert.Equal(t, 2, s.streams)
	})
	t.Run("submit in part", func(t *testing.T) {
		leavesNothing(t)
		s, client := startRawHTTP2(t, reset)
		sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.Pattern(1<<20)))
		require.NoError(t, err)
		assert.Len(t, sub.Call.Attempts, 2)
		assert.Equal(t, ambient.PartlySent, sub.Call.Attempts[0].Sent)
		assert.False(t, sub.PossibleDuplicate())
		assert.Equal(t, 2, s.streams)
	})
}

// TestHTTP2 shows that the fake speaks it, and that calls share a connection.
func TestHTTP2(t *testing.T) {
	leavesNothing(t)
	srv := start(t, ambienttest.NewTLSServer)
	client := harness.NewClient(t, srv)
	id := harness.Submitted(t, client)
	for _, err := range harness.Callers(20, func() error { _, err := client.Transcriptions.Get(t.Context(), id); return err }) {
		require.NoError(t, err)
	}
	_, err := client.Transcriptions.Get(t.Context(), 1)
	_, missing := errors.AsType[*ambient.NotFoundError](err)
	assert.True(t, missing)
	for _, r := range srv.Requests() {
		assert.Equal(t, "HTTP/2.0", r.Proto)
		assert.Equal(t, 1, r.Conn)
	}
}
