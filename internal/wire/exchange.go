package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// An exchange holds the proof of what was sent. The proof does not trust the
// transport: once the exchange is over, its body gives no further byte, so
// what was not read by then never reached the server.
type exchange struct {
	progress func(sent int64)
	guard    guard
	hooks    httptrace.ClientTrace

	mu       sync.Mutex
	traced   bool // the transport reports its connections
	gotConn  bool
	reused   bool
	over     bool
	body     *meter // the last one opened
	length   int64  // of the body; -1 when unknown
	sent     int64
	complete bool // the body was read to its end, or its last byte was
	failed   error
}

// trace watches for the connection. A transport that never asks for one
// through the trace proves nothing by having none.
func (x *exchange) trace(ctx context.Context) context.Context {
	x.hooks = httptrace.ClientTrace{GetConn: x.onGetConn, GotConn: x.onGotConn, GotFirstResponseByte: x.onFirstByte}
	return httptrace.WithClientTrace(ctx, &x.hooks)
}

func (x *exchange) onGetConn(string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.traced = true
}

func (x *exchange) onGotConn(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gotConn, x.reused = true, info.Reused
}

// onFirstByte ends the wait for an answer, if there is one: what comes while the
// body is still due, a 100 Continue for one, does not make the body less due.
func (x *exchange) onFirstByte() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.body == nil || x.complete {
		x.guard.firstByte()
	}
}

// attach gives the request its body. GetBody lets the transport repeat a
// request of which nothing was processed: a stale connection, a refused
// HTTP/2 stream.
func (x *exchange) attach(req *http.Request, body Body) {
	x.length = body.Len()
	req.ContentLength = x.length
	req.Body = x.open(body)
	if !body.Once() {
		req.GetBody = func() (io.ReadCloser, error) { return x.open(body), nil }
	}
}

func (x *exchange) open(body Body) io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent, x.complete = 0, false
	x.body = &meter{x: x, r: body.Open()}
	return x.body
}

// close ends the exchange and writes its findings into the report.
func (x *exchange) close(r *Report, body Body) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	r.BytesSent, r.ConnReused, r.SourceErr = x.sent, x.reused, x.failed
	r.Whole = body == nil || x.complete
	switch {
	case r.Status != 0:
		r.Sent = Answered
	case x.traced && !x.gotConn:
		r.Sent = NotSent
	case r.Whole:
		r.Sent = FullySent
	default:
		r.Sent = PartlySent
	}
}

var errOver = errors.New("exchange is over")

// A meter is the body as the transport reads it: counted, and cut off when the
// exchange is over or has gone on to another one.
type meter struct {
	x      *exchange
	r      io.ReadCloser
	closed bool
}

// Close may come while the body is read, and makes the Read fail. That is not
// the source's failure.
func (m *meter) Close() error {
	m.x.mu.Lock()
	m.closed = true
	m.x.mu.Unlock()
	return m.r.Close()
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)

	x := m.x
	x.mu.Lock()
	if x.over || x.body != m {
		x.mu.Unlock()
		return 0, errOver
	}
	x.sent += int64(n)
	if err == io.EOF || x.sent == x.length {
		x.complete = true
		x.guard.awaitResponse()
	} else {
		x.guard.touch()
	}
	if err != nil && err != io.EOF && !m.closed {
		x.failed, x.complete = err, false
	}
	sent := x.sent
	x.mu.Unlock()

	if x.progress != nil && n > 0 {
		x.progress(sent)
	}
	return n, err
}
