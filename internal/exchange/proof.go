package exchange

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/readbody"
	"github.com/ambient-scribe/ambient-go/internal/watchdog"
)

// An exchange holds the proof of what was sent. It trusts no transport. It counts the
// connections that were had, the requests that were written and the bodies that were
// read to their end. Once it is over no body gives another byte.
type exchange struct {
	Options
	caller   context.Context // of Send
	ctx      context.Context // of the exchange
	cut      context.CancelCauseFunc
	watchdog watchdog.Watchdog
	hooks    httptrace.ClientTrace
	reader   readbody.Reader
	expects  bool          // Expect: 100-continue
	body     Body          // nil for a request without one
	returned chan struct{} // closed when the round trip has returned
	calls    chan struct{} // full while a function of Options runs

	mu         sync.Mutex
	bodies     []*countedBody        // that were opened
	announces  bool                  // the transport is that of net/http, which asks for a connection before it sends
	asked      bool                  // for a connection; a transport that never asks proves nothing by having none
	dialing    bool                  // no connection came since then
	conns      int                   // that were had
	conn       httptrace.GotConnInfo // the last of them
	written    int                   // requests that the transport reported as written
	writing    bool                  // no such report came since the last connection
	sentBefore bool                  // an earlier connection may have had the whole request
	replayed   bool                  // the transport began again after that
	answering  bool                  // a first byte came, perhaps of a 1xx response
	answered   bool                  // the round trip returned a response
	committed  bool                  // Commit was called
	over       bool                  // no byte goes out any more
	finished   bool                  // Send returns
	failed     error
	commitErr  error
	panicked   any
}

// attach returns a copy of req that has the header, the body and the hooks.
func (x *exchange) attach(req *http.Request, header http.Header) *http.Request {
	x.hooks = httptrace.ClientTrace{GetConn: x.onGetConn, GotConn: x.onGotConn, GotFirstResponseByte: x.onFirstByte}
	if x.body != nil {
		x.hooks.WroteRequest, x.hooks.Got1xxResponse = x.onWroteRequest, x.on1xx
	}
	if x.NoReplay {
		x.hooks.WroteHeaderField = x.onHeaderField
	}
	req = req.WithContext(httptrace.WithClientTrace(x.ctx, &x.hooks))
	req.Header = header
	if x.body != nil {
		x.returned, x.calls = make(chan struct{}), make(chan struct{}, 1)
		req.Body, req.ContentLength = x.open(), x.body.Len()
		if x.body.Replayable() { // to send the request again, or to read a copy to sign or log it
			req.GetBody = func() (io.ReadCloser, error) { return x.open(), nil }
		}
	}
	x.watch()
	return req
}

func (x *exchange) open() io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()
	b := &countedBody{exchange: x, source: x.body.Open()}
	x.bodies = append(x.bodies, b)
	return b
}

func (x *exchange) onGetConn(string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked, x.dialing = true, true
	x.watch()
}

func (x *exchange) onGotConn(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if info.Conn != nil && info.Conn.RemoteAddr() == nil { // to nowhere, as that of httputil.DumpRequestOut
		return
	}
	x.sentBefore = x.sentBefore || x.conns > 0 && x.sentWhole()
	if x.sentBefore {
		x.replayed = true
		if x.NoReplay {
			x.cut(ErrReplay)
		}
	}
	x.conns++
	x.conn = info
	x.dialing, x.writing, x.answering = false, true, false
	x.watch()
}

// onHeaderField stops a replay that has a connection. net/http looks at the context
// before it writes to HTTP/2, but only later to HTTP/1.1, whose connection it then drops.
func (x *exchange) onHeaderField(string, []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sentBefore && x.conn.Conn != nil {
		_ = x.conn.Conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// onWroteRequest waits where a connection broke. The server may have answered before it
// closed the connection, and net/http drops that answer if it hears of the loss first.
func (x *exchange) onWroteRequest(info httptrace.WroteRequestInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if info.Err != nil && x.conn.Conn != nil && x.conn.Conn.RemoteAddr().Network() != "pipe" {
		x.awaitReturn()
	}
	if x.writing = false; info.Err == nil {
		x.written++
	}
	x.watch()
}

func (x *exchange) onFirstByte()                          { x.setAnswering(true) }
func (x *exchange) on1xx(int, textproto.MIMEHeader) error { x.setAnswering(false); return nil }

func (x *exchange) setAnswering(answering bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answering = answering
	x.watch()
}

// watch sets what must happen next. A connection may have to become free, so the longer
// bound holds for it. A copy of the body that the transport made is not seen moving.
func (x *exchange) watch() {
	w, longer := &x.watchdog, max(x.Stall, x.Response)
	if x.Stall <= 0 || x.Response <= 0 {
		longer = 0
	}
	switch {
	case x.answered:
		w.Moved()
	case x.anyBody(func(b *countedBody) bool { return b.waiting }):
		w.Expect(x.Stall, ErrSourceStalled)
	case x.anyBody(func(b *countedBody) bool { return b.reading }): // a function of Options runs
		w.Expect(0, nil)
	case x.dialing:
		w.Expect(longer, ErrNoConnection)
	case !x.sentWhole():
		w.Expect(x.Stall, ErrStalled)
	case x.writing && x.body != nil && !x.anyBody(func(b *countedBody) bool { return b.onWire }):
		w.Expect(0, nil)
	case x.answering:
		w.ExpectEnd(0, nil, x.Response, ErrSlowResponse)
	default:
		w.Expect(x.Response, ErrNoResponse)
	}
}

// sentWhole reports whether the whole request may have been sent, if any of it was. It may
// if a body was read to its end on a connection, or before one by a transport that then
// sends its copy.
func (x *exchange) sentWhole() bool {
	return x.body == nil || x.anyBody(func(b *countedBody) bool { return b.ended && b.onWire }) ||
		x.anyBody(func(b *countedBody) bool { return b.ended }) &&
			(x.written > 0 || !x.anyBody(func(b *countedBody) bool { return b.onWire }))
}

func (x *exchange) anyBody(is func(*countedBody) bool) bool { return slices.ContainsFunc(x.bodies, is) }

// isOver reports whether no byte goes out any more.
func (x *exchange) isOver() bool { return x.over || x.ctx.Err() != nil }

// report writes the findings. A transport that asked for a connection and got none
// sent nothing, whatever it read.
func (x *exchange) report(r *Report) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r.Conns, r.ConnReused, r.SourceErr, r.CommitErr = x.conns, x.conn.Reused, x.failed, x.commitErr
	r.NotSent = x.conns == 0 && (x.asked || x.announces && x.body == nil)
	r.FullySent = !r.NotSent && (x.sentBefore || x.sentWhole())
	r.Replayed = x.replayed && (r.Status != 0 || !x.NoReplay)
	var read int64
	for _, b := range x.bodies {
		r.BodyRead, read = r.BodyRead || b.begun, max(read, b.read)
		if b.onWire {
			r.BytesSent = max(r.BytesSent, b.read)
		}
		if b.waiting && (r.Err == ErrSourceStalled || r.Err == ErrTotal) {
			r.SourceErr = b.source.At(r.Err)
		}
	}
	if !x.asked || r.FullySent {
		r.BytesSent = read
	}
	r.LostExpect = x.expects && r.Status == 0 && !r.NotSent && !r.FullySent && r.BytesSent == 0
}
