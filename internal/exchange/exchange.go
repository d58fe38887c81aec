// Package exchange sends one request and says what became of it: how much of it
// left, whether it was answered, and with what.
package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Delivery says how far a request got.
type Delivery int

const (
	NotSent    Delivery = iota // no connection was had, so no byte left
	PartlySent                 // part of the request left; its framing proves that the server has no whole one
	FullySent                  // the whole request was handed to the connection and no answer came
	Answered                   // a response began
)

// A Body is a request body that can be opened, more than once unless Once.
type Body interface {
	Open() io.ReadCloser
	Len() int64 // -1 when unknown
	Once() bool // it can be opened only once
}

// Bounds bound one exchange. Zero durations mean never.
type Bounds struct {
	Stall    time.Duration // body bytes due in either direction and none moved
	Response time.Duration // from the last byte sent to the first received
	Total    time.Duration // the whole exchange

	WholeOnce bool // the transport may not repeat a request that it was handed whole

	ErrorBody   int // bytes kept of the body of a response that is not 2xx; the rest costs the connection
	SuccessBody int // a longer 2xx body is ErrTooLong
}

// What an exchange is cut for. All are timeouts but ErrTooLong.
var (
	ErrNoConnection error = timeout("no connection was free or made in time")
	ErrStalled      error = timeout("connection stalled: bytes were due and none moved")
	ErrNoResponse   error = timeout("no response within the response timeout")
	ErrTotal        error = timeout("attempt took longer than the HTTP client's Timeout")
	ErrTooLong            = errors.New("response body too long")
)

var errNoAnswer = errors.New("transport gave no response and no error")

type timeout string

func (t timeout) Error() string { return string(t) }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// A Report is what became of one exchange.
type Report struct {
	Sent       Delivery
	Whole      bool // the whole request was handed to the transport, and it had a connection
	Repeated   bool // by the transport, after it had been handed the whole of it
	Early      bool // the answer came before the whole body left
	BytesSent  int64
	ConnReused bool

	Status int // 0 without an answer
	Header http.Header
	Body   []byte // up to the limit

	SourceErr error // the request body's own failure
	Err       error // what the exchange failed with; nil for a response read in full, or to the limit if not 2xx
}

// Send makes the exchange with a copy of req that has the header and body; body
// may be nil. progress, if any, is told the bytes read from the body so far
// each time they change.
func Send(ctx context.Context, rt http.RoundTripper, req *http.Request, header http.Header, body Body, l Bounds, progress func(sent int64)) Report {
	if l.Total > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, l.Total, ErrTotal)
		defer stop()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	x := &exchange{progress: progress, wholeOnce: l.WholeOnce, guard: guard{cancel: cancel, stall: l.Stall, response: l.Response}}
	req = req.WithContext(x.trace(ctx, req, body))
	req.Header = header
	if body == nil {
		x.guard.awaitResponse()
	} else {
		x.guard.moveBody()
		x.attach(req, body)
	}
	defer x.guard.stop()

	resp, err := x.roundTrip(ctx, rt, req)
	var r Report
	switch {
	case err != nil:
	case resp == nil:
		err = errNoAnswer
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	if err == nil {
		r.Status, r.Header = resp.StatusCode, resp.Header
		x.answer()
		limit := l.ErrorBody
		if resp.StatusCode/100 == 2 {
			limit = l.SuccessBody
		}
		r.Body, err = x.read(resp, limit)
	}
	x.close(&r, body)
	r.Err = cause(ctx, err)
	return r
}

// cause prefers the reason for which the exchange was cut to what the
// transport made of it.
func cause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// maxEmpty reads in a row that give nothing, without an error, are a broken body.
const maxEmpty = 100

// read returns up to limit bytes of the response's body and closes it. More
// than that is an error in a success and left unread otherwise.
func (x *exchange) read(resp *http.Response, limit int) ([]byte, error) {
	defer resp.Body.Close()
	size := 512
	if n := resp.ContentLength; n >= 0 && n < int64(limit) {
		size = int(n) + 1 // room to see EOF without growing
	}
	buf, empty := make([]byte, 0, size), 0
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err == nil {
			empty++
		} else {
			empty = 0
			x.guard.touch()
		}
		switch {
		case empty >= maxEmpty:
			return buf, io.ErrNoProgress
		case len(buf) > limit:
			if resp.StatusCode/100 == 2 {
				return nil, ErrTooLong
			}
			return buf[:limit], nil
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}
