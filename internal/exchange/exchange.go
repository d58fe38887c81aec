// Package exchange sends one request and reports how much of it left, whether it was
// answered, and with what.
package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/origin"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// A Body is a request body.
type Body interface {
	Open() Reader
	Len() int64       // -1 when unknown
	Replayable() bool // it can be opened more than once
}

// A Reader reads a body. Its last bytes come with io.EOF if its length is unknown. After
// Close it reads no memory of the caller.
type Reader interface {
	io.ReadCloser
	At(err error) error // err and the place in the body that was reached
}

// Options shape one exchange. Zero durations mean never.
type Options struct {
	Stall       time.Duration                           // body bytes are due in either direction and none moves
	Response    time.Duration                           // from the last byte sent to the first received, and from that to the last
	Total       time.Duration                           // the whole exchange
	ErrorBody   int                                     // bytes kept of the body of a response that is not 2xx; the rest costs the connection
	SuccessBody int                                     // a longer 2xx body is readbody.ErrTooLong
	NoReplay    bool                                    // the transport may not repeat a request that it may have sent whole
	Progress    func(sent int64)                        // gets the bytes read of a body so far; must not block
	Commit      func(context.Context) error             // called once, before the last bytes leave; its error cuts the exchange; needs NoReplay
	Late        func(ctx context.Context, panicked any) // gets a panic of the transport or of a body that comes after Send
}

// What an exchange is cut for.
var (
	ErrNoConnection  error = timeout("no connection was free or made in time")
	ErrStalled       error = timeout("connection stalled: bytes were due and none moved")
	ErrSourceStalled error = timeout("source gave no byte within the stall timeout")
	ErrNoResponse    error = timeout("no response within the response timeout")
	ErrSlowResponse  error = timeout("response took longer than the response timeout")
	ErrTotal         error = timeout("attempt took longer than the HTTP client's Timeout")
	ErrReplay              = errors.New("transport may not repeat a request that was sent whole")
	ErrOtherOrigin         = errors.New("answer came from another origin, to which the transport took the request")
	ErrNotCommitted        = errors.New("request was not committed")
	errNoAnswer            = errors.New("transport gave no response and no error")
	errGoexit              = errors.New("source ended its goroutine")
	errOver                = errors.New("exchange is over")
)

type timeout string

func (t timeout) Error() string      { return string(t) }
func (timeout) Timeout() bool        { return true }
func (timeout) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// A Report is what became of one exchange.
type Report struct {
	NotSent    bool // no connection was had, so no byte left
	FullySent  bool // the server may have the whole request; else its framing proves that it has not
	Replayed   bool // by the transport, after that
	BodyRead   bool // the transport began to read the body, sent or not
	BytesSent  int64
	Conns      int // that the transport reported
	ConnReused bool
	LostExpect bool // the connection was lost before Expect: 100-continue had an answer, and no byte of the body left
	Status     int  // 0 without an answer
	Header     http.Header
	Body       []byte // up to the limit
	SourceErr  error  // the request body's own failure
	CommitErr  error  // what Commit returned
	Err        error  // what the exchange failed with; nil for a response read in full, or to the limit if not 2xx
}

// Send makes the exchange with a copy of req that has the header and body, which may be
// nil. The transport may change the header. A panic in the round trip is one of Send.
func Send(ctx context.Context, rt http.RoundTripper, req *http.Request, header http.Header, body Body, o Options) Report {
	if body == nil && o.Commit != nil {
		if err := o.Commit(ctx); err != nil {
			return Report{NotSent: true, CommitErr: err, Err: ErrNotCommitted}
		}
	}
	x := &exchange{Options: o, caller: ctx, body: body, expects: header["Expect"] != nil}
	_, x.announces = rt.(*http.Transport)
	x.ctx, x.cut = context.WithCancelCause(ctx)
	defer x.cut(nil)
	if o.Total > 0 {
		defer time.AfterFunc(o.Total, func() { x.cut(ErrTotal) }).Stop()
	}
	x.watchdog.Cancel = x.cut
	defer x.watchdog.Stop()

	var r Report
	resp, err := x.roundTrip(rt, x.attach(req, header))
	if resp == nil && err == nil {
		err = errNoAnswer
	}
	if err == nil && resp.Request != nil && resp.Request.URL != nil && !origin.Same(req.URL, resp.Request.URL) {
		if err = ErrOtherOrigin; resp.Body != nil {
			_ = resp.Body.Close()
		}
	}
	if err == nil {
		r.Status, r.Header = resp.StatusCode, resp.Header
		x.watchdog.ExpectEnd(x.Stall, ErrStalled, x.Response, ErrSlowResponse)
		x.reader = readbody.Reader{Success: x.SuccessBody, Error: x.ErrorBody, Moved: &x.watchdog}
		r.Body, err = x.reader.All(resp)
	}
	if r.Err = err; err != nil && x.ctx.Err() != nil { // the reason of a cut says more than what the transport makes of it
		r.Err = context.Cause(x.ctx)
	}
	if body != nil {
		x.finish()
	}
	x.report(&r)
	return r
}

// roundTrip returns as soon as the exchange is cut if a Read of the body hangs, for
// which net/http would wait. That Read is left behind. Nothing of it goes out.
func (x *exchange) roundTrip(rt http.RoundTripper, req *http.Request) (*http.Response, error) {
	if x.body == nil {
		resp, err := rt.RoundTrip(req)
		x.settle(resp, nil)
		return resp, err
	}
	var resp *http.Response
	var err error
	go func() {
		defer close(x.returned)
		defer func() { x.settle(resp, recover()) }() // also where the transport ends the goroutine
		resp, err = rt.RoundTrip(req)
	}()
	select {
	case <-x.returned:
	case <-x.ctx.Done():
		if x.leave() {
			return nil, context.Cause(x.ctx)
		}
		<-x.returned
	}
	return resp, err
}

// settle ends the round trip. Only a success leaves the rest of the body needed.
func (x *exchange) settle(resp *http.Response, panicked any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over && resp != nil && resp.Body != nil { // Send has left
		_ = resp.Body.Close()
	}
	x.answered = resp != nil
	x.over = x.over || resp == nil || resp.StatusCode/100 != 2
	x.notePanic(panicked)
}

// leave reports whether a Read hangs, and ends the exchange then.
func (x *exchange) leave() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = x.anyBody(func(b *countedBody) bool { return b.reading })
	return x.over
}

// finish ends the exchange. Nothing of the caller is called or read any more.
func (x *exchange) finish() {
	x.mu.Lock()
	x.over = true
	x.mu.Unlock()
	x.awaitCall()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range x.bodies {
		_ = b.source.Close()
	}
	if x.finished = true; x.panicked != nil {
		panic(x.panicked)
	}
}

// awaitCall waits for a function of Options, until a moment after the caller's context.
func (x *exchange) awaitCall() {
	late := make(chan struct{})
	stop := context.AfterFunc(x.caller, func() { time.AfterFunc(moment, func() { close(late) }) })
	defer stop()
	select {
	case x.calls <- struct{}{}:
		<-x.calls
	case <-late:
	}
}

// notePanic keeps a panic for the goroutine of Send, where its caller can recover.
func (x *exchange) notePanic(panicked any) {
	switch {
	case panicked == nil:
	case !x.finished:
		x.panicked = panicked
	case x.Late != nil:
		x.Late(x.caller, panicked)
	}
}
