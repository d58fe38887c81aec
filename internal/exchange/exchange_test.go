package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// transport is a http.RoundTripper made of a function.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// body is a request body in memory.
type body struct {
	content string
	once    bool
	length  int64 // if not that of content
	broken  error // at the end
}

func (b body) Open() io.ReadCloser {
	r := io.Reader(strings.NewReader(b.content))
	if b.broken != nil {
		r = io.MultiReader(r, broken{b.broken})
	}
	return io.NopCloser(r)
}

func (b body) Once() bool { return b.once }
func (b body) Len() int64 {
	if b.length != 0 {
		return b.length
	}
	return int64(len(b.content))
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

var errLost = errors.New("connection lost")

func send(rt transport, b exchange.Body, l exchange.Bounds) exchange.Report {
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	return exchange.Send(context.Background(), rt, req, http.Header{}, b, l, nil)
}

func respond(status int, r io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(r), ContentLength: -1}
}

// connected reports a connection as net/http's transport does.
func connected(r *http.Request) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("127.0.0.1:80")
	trace.GotConn(httptrace.GotConnInfo{Reused: true})
}

// TestProof: how much of the request left, told from what the transport did.
func TestProof(t *testing.T) {
	long := body{content: strings.Repeat("x", 1000)}
	for _, c := range []struct {
		name  string
		body  exchange.Body
		rt    transport
		sent  exchange.Delivery
		whole bool
		bytes int64
	}{
		{"no connection", long, func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn("127.0.0.1:80")
			return nil, errLost
		}, exchange.NotSent, false, 0},
		{"no connection, no body", nil, func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn("127.0.0.1:80")
			return nil, errLost
		}, exchange.NotSent, false, 0},
		{"no connection told of, but the body read", long, func(r *http.Request) (*http.Response, error) {
			httptrace.ContextClientTrace(r.Context()).GetConn("127.0.0.1:80")
			_, _ = io.Copy(io.Discard, r.Body)
			return nil, errLost
		}, exchange.FullySent, true, 1000},
		{"a connection and nothing read", long, func(r *http.Request) (*http.Response, error) {
			connected(r)
			return nil, errLost
		}, exchange.PartlySent, false, 0},
		{"part read", long, func(r *http.Request) (*http.Response, error) {
			connected(r)
			_, _ = io.CopyN(io.Discard, r.Body, 999)
			return nil, errLost
		}, exchange.PartlySent, false, 999},
		{"the last byte read, its end not", long, func(r *http.Request) (*http.Response, error) {
			connected(r)
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			return nil, errLost
		}, exchange.FullySent, true, 1000},
		{"a transport without a trace and nothing read", long, func(*http.Request) (*http.Response, error) {
			return nil, errLost
		}, exchange.PartlySent, false, 0},
		{"a transport without a trace, no body", nil, func(*http.Request) (*http.Response, error) {
			return nil, errLost
		}, exchange.FullySent, true, 0},
		{"length unknown, its end not read", body{content: "abc", length: -1}, func(r *http.Request) (*http.Response, error) {
			_, _ = io.CopyN(io.Discard, r.Body, 3)
			return nil, errLost
		}, exchange.PartlySent, false, 3},
		{"length unknown, its end read", body{content: "abc", length: -1}, func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return nil, errLost
		}, exchange.FullySent, true, 3},
		{"answered early", long, func(*http.Request) (*http.Response, error) {
			return respond(413, strings.NewReader("too large")), nil
		}, exchange.Answered, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := send(c.rt, c.body, exchange.Bounds{ErrorBody: 100})
			assert.Equal(t, c.sent, r.Sent)
			assert.Equal(t, c.whole, r.Whole)
			assert.Equal(t, c.bytes, r.BytesSent)
			assert.NoError(t, r.SourceErr)
		})
	}
}

// TestNothingLeavesAfterTheEnd: a writer that outlives its exchange, as
// net/http's may, gets no byte more, so the proof stays true.
func TestNothingLeavesAfterTheEnd(t *testing.T) {
	var writer io.ReadCloser
	r := send(func(r *http.Request) (*http.Response, error) {
		writer = r.Body
		_, _ = io.CopyN(io.Discard, writer, 3)
		return nil, errLost
	}, body{content: "abcdef"}, exchange.Bounds{})
	n, err := writer.Read(make([]byte, 10))
	assert.Zero(t, n)
	assert.Error(t, err)
	assert.NotErrorIs(t, err, io.EOF, "an end would make a short body look whole")
	assert.Equal(t, int64(3), r.BytesSent)
}

// TestTransportRepeats: GetBody gives the same bytes anew, and the writer of
// the connection that was given up neither counts nor sends any more.
func TestTransportRepeats(t *testing.T) {
	var progress []int64
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	b := body{content: "abcdef"}
	rt := transport(func(r *http.Request) (*http.Response, error) {
		connected(r)
		_, _ = io.CopyN(io.Discard, r.Body, 4)
		again, err := r.GetBody()
		require.NoError(t, err)
		n, err := r.Body.Read(make([]byte, 2))
		assert.Zero(t, n)
		assert.Error(t, err)
		got, _ := io.ReadAll(io.LimitReader(again, 5))
		assert.Equal(t, "abcde", string(got))
		return nil, errLost
	})
	r := exchange.Send(context.Background(), rt, req, http.Header{}, b, exchange.Bounds{}, func(sent int64) { progress = append(progress, sent) })
	assert.Equal(t, exchange.PartlySent, r.Sent, "the first writer's 4 bytes are not the second's")
	assert.False(t, r.Whole)
	assert.Equal(t, int64(5), r.BytesSent)
	assert.Equal(t, int64(5), progress[len(progress)-1])
}

// TestTransportRepeatsAWholeRequest: it is reported, or forbidden.
func TestTransportRepeatsAWholeRequest(t *testing.T) {
	for _, once := range []bool{false, true} {
		r := send(func(r *http.Request) (*http.Response, error) {
			connected(r)
			_, _ = io.Copy(io.Discard, r.Body)
			again, err := r.GetBody()
			if once {
				assert.Error(t, err)
				return nil, err
			}
			_, _ = io.CopyN(io.Discard, again, 2)
			return nil, errLost
		}, body{content: "abcdef"}, exchange.Bounds{WholeOnce: once})
		assert.Equal(t, exchange.FullySent, r.Sent)
		assert.Equal(t, !once, r.Repeated)
		assert.Equal(t, once, r.Whole)
	}
}

// TestEarly: an answer before the whole body left, where that can be told.
func TestEarly(t *testing.T) {
	for _, c := range []struct {
		connected bool
		length    int64
		read      int64
		early     bool
	}{{true, 0, 5, true}, {true, 0, 6, false}, {false, 0, 0, false}, {true, -1, 5, true}, {true, -1, 7, false}} {
		r := send(func(r *http.Request) (*http.Response, error) {
			if c.connected {
				connected(r)
			}
			_, _ = io.CopyN(io.Discard, r.Body, c.read)
			return respond(202, strings.NewReader("")), nil
		}, body{content: "abcdef", length: c.length}, exchange.Bounds{SuccessBody: 100})
		assert.Equal(t, c.early, r.Early, "%+v", c)
	}
}

// TestOddTransports: what net/http's client guards against, too.
func TestOddTransports(t *testing.T) {
	empty := func() exchange.Bounds { return exchange.Bounds{SuccessBody: 100, ErrorBody: 100} }
	r := send(func(*http.Request) (*http.Response, error) { return nil, nil }, body{content: "x"}, empty())
	assert.ErrorContains(t, r.Err, "no response and no error")
	r = send(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, body{content: "x"}, empty())
	assert.ErrorContains(t, r.Err, "no response and no error")
	r = send(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil }, body{content: "x"}, empty())
	assert.NoError(t, r.Err)
	assert.Empty(t, r.Body)
	r = send(func(*http.Request) (*http.Response, error) { return respond(200, nothing{}), nil }, nil, empty())
	assert.ErrorIs(t, r.Err, io.ErrNoProgress)
	assert.PanicsWithValue(t, "mistake", func() {
		send(func(*http.Request) (*http.Response, error) { panic("mistake") }, body{content: "x"}, empty())
	})
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// TestOnceHasNoGetBody: what cannot be read twice is never asked for twice.
func TestOnceHasNoGetBody(t *testing.T) {
	send(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.GetBody)
		return nil, errLost
	}, body{content: "abc", once: true}, exchange.Bounds{})
}

// TestSourceFailure is told apart from a body that the transport closed, which
// fails too when it is read further.
func TestSourceFailure(t *testing.T) {
	errDisk := errors.New("disk")
	r := send(func(r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return nil, err
	}, body{content: "abc", length: 10, broken: errDisk}, exchange.Bounds{})
	assert.ErrorIs(t, r.SourceErr, errDisk)
	assert.False(t, r.Whole)

	r = send(func(r *http.Request) (*http.Response, error) {
		_, _ = io.CopyN(io.Discard, r.Body, 3)
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		assert.Error(t, err)
		return nil, errLost
	}, body{content: "abc", length: 10, broken: errDisk}, exchange.Bounds{})
	assert.NoError(t, r.SourceErr)
	assert.Equal(t, exchange.PartlySent, r.Sent)
}

// TestBodiesAreBounded: an error's body is cut, a success's is refused.
func TestBodiesAreBounded(t *testing.T) {
	l := exchange.Bounds{ErrorBody: 1000, SuccessBody: 2000}
	for _, c := range []struct {
		name         string
		status, size int
		kept         int
		err          error
	}{
		{"short error", 500, 10, 10, nil},
		{"error at the limit", 500, 1000, 1000, nil},
		{"long error", 500, 5000, 1000, nil},
		{"success at the limit", 200, 2000, 2000, nil},
		{"long success", 200, 2001, 0, exchange.ErrTooLong},
		{"empty", 204, 0, 0, nil},
	} {
		for _, announced := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				closed := &closes{Reader: bytes.NewReader(make([]byte, c.size))}
				r := send(func(*http.Request) (*http.Response, error) {
					resp := respond(c.status, nil)
					resp.Body = closed
					if announced {
						resp.ContentLength = int64(c.size)
					}
					return resp, nil
				}, nil, l)
				assert.Len(t, r.Body, c.kept)
				assert.Equal(t, c.err, r.Err)
				assert.True(t, closed.closed)
			})
		}
	}
}

type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error { c.closed = true; return nil }
