package exchange_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// transport is a http.RoundTripper made of a function.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// body is a request body that a test reads as it likes.
type body struct {
	content string
	oneShot bool
	chunked bool
	read    func(p []byte, next func(p []byte) (int, error)) (int, error) // instead of a plain Read; may be nil
	closed  *atomic.Int32                                                 // counts the readers that were closed; may be nil
}

func (b body) Open() exchange.Reader { return &reader{body: b, left: b.content} }
func (b body) Replayable() bool      { return !b.oneShot }
func (b body) Len() int64 {
	if b.chunked {
		return -1
	}
	return int64(len(b.content))
}

type reader struct {
	body
	left string
}

func (r *reader) Read(p []byte) (int, error) {
	if r.read != nil {
		return r.read(p, r.next)
	}
	return r.next(p)
}

func (r *reader) next(p []byte) (n int, err error) {
	n = copy(p, r.left)
	if r.left = r.left[n:]; r.left == "" {
		err = io.EOF
	}
	return n, err
}

func (r *reader) Close() error {
	if r.closed != nil {
		r.closed.Add(1)
	}
	return nil
}

func (r *reader) At(err error) error { return &placed{err} }

// placed is an error with its place.
type placed struct{ error }

func (p *placed) Unwrap() error { return p.error }

var errLost = errors.New("connection lost")

func send(rt transport, b exchange.Body, o exchange.Options) exchange.Report {
	return sendContext(context.Background(), rt, b, o)
}

func sendContext(ctx context.Context, rt transport, b exchange.Body, o exchange.Options) exchange.Report {
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	return exchange.Send(ctx, rt, req, http.Header{"X-Site": {"clinic"}}, b, o)
}

func respond(status int, r io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(r), ContentLength: -1}
}

func accepted() *http.Response { return respond(202, strings.NewReader("{}")) }

// A network reports what net/http's transport reports.
type network struct{ *httptrace.ClientTrace }

func of(r *http.Request) network { return network{httptrace.ContextClientTrace(r.Context())} }

func (n network) ask() { n.GetConn("127.0.0.1:80") }
func (n network) connect() {
	n.ask()
	n.GotConn(httptrace.GotConnInfo{Reused: true})
}
func (n network) wrote(err error) { n.WroteRequest(httptrace.WroteRequestInfo{Err: err}) }

// all reads a body to its end.
func all(r io.Reader) string {
	b, _ := io.ReadAll(r)
	return string(b)
}

// some reads n bytes of a body.
func some(r io.Reader, n int64) { _, _ = io.CopyN(io.Discard, r, n) }

// copyOf opens another reader of the body, as a transport does that signs or logs it.
func copyOf(r *http.Request) io.ReadCloser {
	c, err := r.GetBody()
	if err != nil {
		panic(err)
	}
	return c
}

// TestOddTransports: what net/http's client guards against, too.
func TestOddTransports(t *testing.T) {
	o := exchange.Options{SuccessBody: 100, ErrorBody: 100}
	nothing := func(*http.Request) (*http.Response, error) { return nil, nil }
	for _, b := range []exchange.Body{nil, body{content: "x"}} {
		assert.ErrorContains(t, send(nothing, b, o).Err, "no response and no error")
		r := send(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil }, b, o)
		assert.NoError(t, r.Err)
		assert.Equal(t, 204, r.Status)
		assert.Empty(t, r.Body)
		assert.PanicsWithValue(t, "mistake", func() {
			send(func(*http.Request) (*http.Response, error) { panic("mistake") }, b, o)
		})
	}
	r := send(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, body{content: "x"}, o)
	assert.ErrorContains(t, r.Err, "no response and no error")
}

// TestHeaderAndMethod: the request that goes out is a copy with the header given.
func TestHeaderAndMethod(t *testing.T) {
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	req.Header.Set("X-Site", "not sent")
	exchange.Send(context.Background(), transport(func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, http.Header{"X-Site": {"clinic"}}, r.Header)
		r.Header.Set("X-Site", "scribbled")
		return nil, errLost
	}), req, http.Header{"X-Site": {"clinic"}}, nil, exchange.Options{})
	assert.Equal(t, http.Header{"X-Site": {"not sent"}}, req.Header)
}

// TestOneShotHasNoGetBody: what cannot be read twice is never asked for twice.
func TestOneShotHasNoGetBody(t *testing.T) {
	send(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.GetBody)
		return nil, errLost
	}, body{content: "abc", oneShot: true}, exchange.Options{})
}

// TestResponseLimits: an error's body is cut, a success's is refused.
func TestResponseLimits(t *testing.T) {
	o := exchange.Options{ErrorBody: 1000, SuccessBody: 2000}
	for _, c := range []struct {
		status, size, kept int
		err                error
	}{{500, 10, 10, nil}, {500, 5000, 1000, nil}, {200, 2000, 2000, nil}, {200, 2001, 2000, readbody.ErrTooLong}} {
		r := send(func(*http.Request) (*http.Response, error) {
			return respond(c.status, strings.NewReader(strings.Repeat("x", c.size))), nil
		}, nil, o)
		assert.Equal(t, c.status, r.Status)
		assert.Len(t, r.Body, c.kept)
		assert.Equal(t, c.err, r.Err)
	}
}

// TestSourceFailure is told apart from a body that the transport closed, which fails too
// when it is read further.
func TestSourceFailure(t *testing.T) {
	errDisk := errors.New("disk")
	broken := body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		if n, err := next(p[:3]); err == nil {
			return n, nil
		}
		return 0, errDisk
	}}
	r := send(func(r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return nil, err
	}, broken, exchange.Options{})
	assert.ErrorIs(t, r.SourceErr, errDisk)
	assert.False(t, r.FullySent)
	assert.Equal(t, int64(3), r.BytesSent)

	r = send(func(r *http.Request) (*http.Response, error) {
		some(r.Body, 3)
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		assert.Error(t, err)
		assert.NotErrorIs(t, err, io.EOF)
		return nil, errLost
	}, broken, exchange.Options{})
	assert.NoError(t, r.SourceErr)
	assert.False(t, r.FullySent)
}

// TestEverythingIsClosed: a transport may open bodies and close none.
func TestEverythingIsClosed(t *testing.T) {
	var closed atomic.Int32
	r := send(func(r *http.Request) (*http.Response, error) {
		some(copyOf(r), 3)
		all(r.Body)
		return accepted(), nil
	}, body{content: "abcdef", closed: &closed}, exchange.Options{SuccessBody: 100})
	require.NoError(t, r.Err)
	assert.Equal(t, int32(2), closed.Load())
}

// TestNothingLeavesAfterTheEnd: a writer that outlives its exchange, as net/http's may,
// gets no byte more, so the proof stays true.
func TestNothingLeavesAfterTheEnd(t *testing.T) {
	var writer io.ReadCloser
	var ctx context.Context
	reads := 0
	r := send(func(r *http.Request) (*http.Response, error) {
		ctx, writer = r.Context(), r.Body
		some(writer, 3)
		return nil, errLost
	}, body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) { reads++; return next(p) }}, exchange.Options{})
	assert.Error(t, ctx.Err())
	reads = 0
	n, err := writer.Read(make([]byte, 10))
	assert.Zero(t, reads, "the source is not read either")
	assert.Zero(t, n)
	assert.Error(t, err)
	assert.NotErrorIs(t, err, io.EOF, "an end would make a short body look whole")
	assert.Equal(t, int64(3), r.BytesSent)
}

// TestARefusalEndsTheBody: behind an answer that is no success, nothing more is read.
func TestARefusalEndsTheBody(t *testing.T) {
	for status, more := range map[int]bool{202: true, 413: false} {
		send(func(r *http.Request) (*http.Response, error) {
			some(r.Body, 1)
			return respond(status, readerFunc(func(p []byte) (int, error) {
				n, _ := r.Body.Read(make([]byte, 1))
				assert.Equal(t, more, n == 1, status)
				return 0, io.EOF
			})), nil
		}, body{content: "abcdef"}, exchange.Options{SuccessBody: 100, ErrorBody: 100})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestAnswerOfAnotherOrigin, to which a transport followed a redirect, is an error, and its
// body is closed.
func TestAnswerOfAnotherOrigin(t *testing.T) {
	for from, want := range map[string]error{
		"":                        nil, // the transport does not say
		"http://127.0.0.1/job/1":  nil,
		"http://127.0.0.2/":       exchange.ErrOtherOrigin,
		"https://127.0.0.1/":      exchange.ErrOtherOrigin,
		"http://127.0.0.1:81/":    exchange.ErrOtherOrigin,
		"http://attacker.example": exchange.ErrOtherOrigin,
	} {
		for _, withBody := range []bool{true, false} {
			closed := &closeCounter{Reader: strings.NewReader("{}")}
			r := send(func(*http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: 200, Header: http.Header{}, Request: &http.Request{}, ContentLength: -1}
				if withBody {
					resp.Body = closed
				}
				if from != "" {
					resp.Request, _ = http.NewRequest(http.MethodGet, from, nil)
				}
				return resp, nil
			}, nil, exchange.Options{SuccessBody: 100})
			assert.Equal(t, want, r.Err, from)
			assert.Equal(t, want == nil, r.Status == 200, from)
			assert.Equal(t, withBody, closed.closed.Load() > 0, from)
		}
	}
}

type closeCounter struct {
	io.Reader
	closed atomic.Int32
}

func (c *closeCounter) Close() error { c.closed.Add(1); return nil }

func (c *closeCounter) Read(p []byte) (int, error) {
	if c.closed.Load() > 0 {
		return 0, io.ErrClosedPipe
	}
	return c.Reader.Read(p)
}

// TestASourceFailsOnce: a transport that reads a copy without an error does not heal it.
func TestASourceFailsOnce(t *testing.T) {
	errDisk := errors.New("disk")
	reads := 0
	r := send(func(r *http.Request) (*http.Response, error) {
		of(r).connect()
		some(r.Body, 3)
		some(r.Body, 1)
		some(copyOf(r), 1)
		return nil, errLost
	}, body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		if reads++; reads == 2 {
			return 0, errDisk
		}
		return next(p[:min(len(p), 3)])
	}}, exchange.Options{})
	assert.ErrorIs(t, r.SourceErr, errDisk)
	assert.Equal(t, int64(3), r.BytesSent)
}

// TestNothingLeavesOfASourceThatFails where only a part of it was looked at before.
func TestNothingLeavesOfASourceThatFails(t *testing.T) {
	errDisk := errors.New("disk")
	reads := 0
	r := send(func(r *http.Request) (*http.Response, error) {
		some(r.Body, 3)
		of(r).connect()
		some(r.Body, 1)
		return nil, errLost
	}, body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		if reads++; reads == 2 {
			return 0, errDisk
		}
		return next(p[:min(len(p), 3)])
	}}, exchange.Options{})
	assert.ErrorIs(t, r.SourceErr, errDisk)
	assert.Zero(t, r.BytesSent)
}

// TestTheLastBytesWithAnError leave, so the whole request may be there.
func TestTheLastBytesWithAnError(t *testing.T) {
	r := send(func(r *http.Request) (*http.Response, error) {
		of(r).connect()
		_, err := io.Copy(io.Discard, r.Body)
		return nil, err
	}, body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		n, _ := next(p)
		return n, errLost
	}}, exchange.Options{})
	assert.True(t, r.FullySent)
	assert.Equal(t, errLost, r.Err)
}

// TestAnAnswerIsKept that was read whole before the caller's context ended.
func TestAnAnswerIsKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := sendContext(ctx, func(*http.Request) (*http.Response, error) {
		return respond(200, readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "{}"), io.EOF })), nil
	}, nil, exchange.Options{SuccessBody: 100})
	assert.NoError(t, r.Err)
	assert.Equal(t, "{}", string(r.Body))
}
