package exchange

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
	progress  func(sent int64)
	guard     guard
	hooks     httptrace.ClientTrace
	wholeOnce bool // of Bounds

	mu       sync.Mutex
	traced   bool // the transport reports its connections
	gotConn  bool
	reused   bool
	over     bool
	body     *meter // the last one opened; nil for a request without one
	length   int64  // of the body; -1 when unknown
	sent     int64
	reading  bool // a Read of the source is under way
	answered bool // a response began; the body may still be on its way
	complete bool // the body was read to its end, or its last byte was
	wrote    bool // a request without a body left
	repeated bool // the transport began again after that
	failed   error
}

// trace watches for the connection. A transport that never asks for one
// through the trace proves nothing by having none.
func (x *exchange) trace(ctx context.Context, req *http.Request, body Body) context.Context {
	x.hooks = httptrace.ClientTrace{GetConn: x.onGetConn, GotConn: x.onGotConn, GotFirstResponseByte: x.onFirstByte}
	if body == nil && req.Method != http.MethodGet { // to repeat a GET creates nothing
		x.hooks.WroteRequest = x.onWroteRequest
	}
	return httptrace.WithClientTrace(ctx, &x.hooks)
}

// onGetConn begins the wait for a connection, in which no byte is due: a transport
// may have all that it is allowed in use.
func (x *exchange) onGetConn(string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.traced = true
	x.guard.awaitConn()
}

func (x *exchange) onGotConn(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gotConn, x.reused = true, info.Reused
	if x.body != nil {
		x.guard.moveBody()
		return
	}
	x.guard.awaitResponse()
	if x.wrote { // without a body, the transport asks nobody before it begins again
		x.repeated = true
		if x.wholeOnce {
			x.guard.cancel(errWhole)
		}
	}
}

func (x *exchange) onWroteRequest(info httptrace.WroteRequestInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wrote = x.wrote || info.Err == nil
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

// answer starts the wait for the response's body.
func (x *exchange) answer() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answered = true
	x.guard.moveBody()
}

// attach gives the request its body. GetBody lets the transport repeat a
// request by itself: after a stale connection or a refused HTTP/2 stream nothing
// was processed, but net/http does so after an HTTP/2 PROTOCOL_ERROR too, and with
// an Idempotency-Key header after any loss of a connection. Where the body was
// complete by then, the report says so, or WholeOnce forbids it.
func (x *exchange) attach(req *http.Request, body Body) {
	x.length = body.Len()
	req.ContentLength = x.length
	req.Body = x.open(body)
	if body.Once() {
		return
	}
	req.GetBody = func() (io.ReadCloser, error) {
		if x.wholeOnce && x.isComplete() {
			return nil, errWhole
		}
		return x.open(body), nil
	}
}

var errWhole = errors.New("connection lost")

func (x *exchange) isComplete() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.complete
}

func (x *exchange) open(body Body) io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.repeated = x.repeated || x.complete
	x.sent, x.complete = 0, false
	x.body = &meter{x: x, r: body.Open()}
	return x.body
}

// close ends the exchange and writes its findings into the report. A transport
// that told of no connection but read the body had one all the same.
func (x *exchange) close(r *Report, body Body) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	r.BytesSent, r.ConnReused, r.SourceErr = x.sent, x.reused, x.failed
	r.Whole, r.Repeated = body == nil || x.complete, x.repeated
	r.Early = x.gotConn && body != nil && !x.complete
	switch {
	case r.Status != 0:
		r.Sent = Answered
	case x.traced && !x.gotConn && x.sent == 0:
		r.Sent, r.Whole = NotSent, false
	case r.Whole, r.Repeated:
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

// Read calls progress under the lock: once the exchange is over it is called no
// more, and what it wrote is seen by who waited for the exchange.
func (m *meter) Read(p []byte) (int, error) {
	x := m.x
	if err := x.enter(m); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)

	x.mu.Lock()
	defer x.mu.Unlock()
	x.reading = false
	if x.over || x.body != m {
		return 0, errOver
	}
	x.sent += int64(n)
	if err != io.EOF && x.sent != x.length {
		x.guard.touch()
	} else {
		if !x.complete && !x.answered {
			x.guard.awaitResponse()
		}
		x.complete = true
	}
	if err != nil && err != io.EOF && !m.closed {
		x.failed, x.complete = err, false
	}
	if x.progress != nil && n > 0 {
		x.progress(x.sent)
	}
	return n, err
}

// enter begins a Read of the source. After the end of an exchange whose body
// was read in full there is only EOF, which a transport may look for late.
func (x *exchange) enter(m *meter) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.over && x.complete && x.body == m:
		return io.EOF
	case x.over || x.body != m:
		return errOver
	}
	x.reading = true
	return nil
}

// roundTrip returns as soon as ctx ends if the body's source hangs in a Read,
// for which net/http would wait. That Read is left behind; nothing of it goes
// out.
func (x *exchange) roundTrip(ctx context.Context, rt http.RoundTripper, req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		return rt.RoundTrip(req)
	}
	var resp *http.Response
	var err error
	var panicked any
	done, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer func() { // also where the transport ends the goroutine
			panicked = recover()
			select {
			case done <- struct{}{}:
			case <-left:
				if resp != nil && resp.Body != nil {
					resp.Body.Close()
				}
			}
		}()
		resp, err = rt.RoundTrip(req)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		if x.cut() {
			close(left)
			return nil, context.Cause(ctx)
		}
		<-done
	}
	if panicked != nil {
		panic(panicked) // where the caller can recover, as without the goroutine
	}
	return resp, err
}

// cut ends the exchange for its body and reports whether a Read hangs.
func (x *exchange) cut() (hangs bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	return x.reading
}
