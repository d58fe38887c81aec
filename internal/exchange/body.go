package exchange

import (
	"io"
	"time"
)

// A countedBody is a body as a transport reads it. mu of the exchange guards its fields.
type countedBody struct {
	*exchange
	source Reader

	read    int64 // bytes that were given out
	begun   bool  // a Read began
	fresh   bool  // it began when the transport had a connection
	onWire  bool  // bytes were given out when it had one
	ended   bool  // the last byte was given out
	reading bool  // a Read is under way
	waiting bool  // for the source
	closed  bool
}

// Read gives out bytes of the source.
func (b *countedBody) Read(p []byte) (n int, err error) {
	if err := b.begin(); err != nil {
		return 0, err
	}
	returned := false
	defer func() {
		n, err = b.end(n, err, returned, recover())
	}()
	n, err = b.source.Read(p)
	if b.Progress != nil || b.NoReplay {
		n, err = b.callBack(n, err)
	}
	returned = true
	return n, err
}

// begin begins a Read, unless the exchange is over. A response that has begun is awaited,
// since it may make the rest of the body needless.
func (b *countedBody) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answering {
		b.awaitReturn()
	}
	switch {
	case b.ended:
		return io.EOF
	case b.closed || b.isOver():
		return errOver
	}
	b.fresh = b.fresh || !b.begun && b.conns > 0
	b.begun, b.reading, b.waiting = true, true, true
	b.watch()
	return nil
}

// callBack calls the functions that hear of bytes before these go out. Of several bodies
// Commit guards the first that ends. Another may end only if it is no second request.
func (b *countedBody) callBack(n int, err error) (int, error) {
	b.calls <- struct{}{}
	defer func() { <-b.calls }()
	b.mu.Lock()
	last, over := b.isLast(n, err), b.isOver()
	again := last && (b.committed && b.conns > 1 || b.NoReplay && b.isSecond())
	commit := last && b.Commit != nil && !b.committed
	b.committed, b.waiting = b.committed || commit, false
	b.watch()
	b.mu.Unlock()
	switch {
	case over:
		return 0, errOver
	case again:
		return 0, ErrReplay
	case commit:
		if err := b.Commit(b.caller); err != nil {
			b.mu.Lock()
			b.commitErr = err
			b.mu.Unlock()
			b.cut(ErrNotCommitted)
			return 0, errOver
		}
	}
	if b.Progress != nil && n > 0 {
		b.Progress(b.read + int64(n))
	}
	return n, err
}

// end counts what goes out. Once the exchange is cut, nothing does.
func (b *countedBody) end(n int, err error, returned bool, panicked any) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading, b.waiting = false, false
	if !returned { // but panicked, or ended its goroutine
		if b.notePanic(panicked); panicked == nil {
			b.failed = b.source.At(errGoexit)
		}
		b.cut(errOver)
	}
	if b.isOver() {
		return 0, errOver
	}
	switch {
	case b.isLast(n, err):
		b.replayed = b.replayed || b.isSecond()
		b.ended = true
	case err != nil && err != ErrReplay && !b.closed:
		b.failed = err
	}
	b.read += int64(n)
	b.onWire = b.onWire || n > 0 && b.conns > 0
	b.watch()
	return n, err
}

// isSecond reports whether another body was read on a connection from start to end, too.
func (b *countedBody) isSecond() bool {
	return b.fresh && b.anyBody(func(o *countedBody) bool { return o.fresh && o.ended })
}

// isLast reports whether n bytes and err are the end of the body.
func (b *countedBody) isLast(n int, err error) bool {
	return err == io.EOF || b.read+int64(n) == b.body.Len()
}

func (b *countedBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.source.Close()
}

// moment is how long a transport may take to hand over a response. net/http needs 50 ms.
const moment = 250 * time.Millisecond

// awaitReturn waits a moment for the round trip to return. mu is free meanwhile.
func (x *exchange) awaitReturn() {
	x.mu.Unlock()
	defer x.mu.Lock()
	select {
	case <-x.returned:
	case <-x.ctx.Done():
	case <-time.After(moment):
	}
}
