package exchange_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

var errNotNow = errors.New("not now")

// TestCommit is called once for each request that comes to its last bytes, before they
// leave, and its error keeps them back.
func TestCommit(t *testing.T) {
	one := body{content: "{}"}
	chunked := body{content: strings.Repeat("x", 1000), chunked: true}
	for _, c := range []struct {
		name  string
		body  exchange.Body
		rt    func(r *http.Request, n network)
		calls int
	}{
		{"no body", nil, func(r *http.Request, n network) { n.connect() }, 1},
		{"no body and no connection", nil, func(r *http.Request, n network) { n.ask() }, 1},
		{"a tiny body", one, func(r *http.Request, n network) { n.connect(); all(r.Body) }, 1},
		{"a body", long, func(r *http.Request, n network) { n.connect(); all(r.Body) }, 1},
		{"a body of unknown length", chunked, func(r *http.Request, n network) { n.connect(); all(r.Body) }, 1},
		{"a body in part", long, func(r *http.Request, n network) { n.connect(); some(r.Body, 999) }, 0},
		{"no byte of a body", long, func(r *http.Request, n network) { n.connect() }, 0},
		{"a copy and the body", long, func(r *http.Request, n network) { all(copyOf(r)); n.connect(); all(r.Body) }, 1},
		{"part of a copy and the body", long, func(r *http.Request, n network) { some(copyOf(r), 64); n.connect(); all(r.Body) }, 1},
		{"part, then whole on another connection", long, func(r *http.Request, n network) {
			n.connect()
			some(r.Body, 900)
			n.connect()
			all(copyOf(r))
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, refuse := range []error{nil, errNotNow} {
				calls := 0
				r := send(func(r *http.Request) (*http.Response, error) { c.rt(r, of(r)); return nil, errLost }, c.body, exchange.Options{
					NoReplay: true,
					Commit:   func(context.Context) error { calls++; return refuse },
				})
				assert.Equal(t, c.calls, calls)
				assert.Equal(t, c.body == nil && refuse != nil || strings.Contains(c.name, "no connection"), r.NotSent)
				if calls > 0 && refuse != nil {
					assert.Equal(t, errNotNow, r.CommitErr)
					assert.Equal(t, exchange.ErrNotCommitted, r.Err)
					assert.False(t, r.FullySent)
				} else {
					assert.NoError(t, r.CommitErr)
					assert.Equal(t, errLost, r.Err)
				}
			}
		})
	}
}

// TestCommitKeepsTheLastBytesBack, with buffers of any size.
func TestCommitKeepsTheLastBytesBack(t *testing.T) {
	for _, b := range []body{{content: "abcdef"}, {content: "abcdef", chunked: true}} {
		for size := 1; size < 16; size++ {
			if size == 8 {
				b.read = endApart
			}
			got, before := "", -1
			r := send(func(r *http.Request) (*http.Response, error) {
				p := make([]byte, size%8+1)
				for {
					n, err := r.Body.Read(p)
					if got += string(p[:n]); err != nil {
						return accepted(), nil
					}
				}
			}, b, exchange.Options{SuccessBody: 100, NoReplay: true, Commit: func(context.Context) error { before = len(got); return nil }})
			assert.NoError(t, r.Err)
			assert.Equal(t, "abcdef", got)
			assert.Equal(t, lastBegins(size%8+1, b), before)
		}
	}
}

// endApart gives io.EOF behind the last bytes, as a file does.
func endApart(p []byte, next func([]byte) (int, error)) (int, error) {
	n, err := next(p)
	if n > 0 {
		err = nil
	}
	return n, err
}

// lastBegins is how much leaves before the last bytes, read with a buffer of a size. Where
// the length is unknown, only the end shows what was the last.
func lastBegins(size int, b body) int {
	if b.chunked && b.read != nil {
		return len(b.content)
	}
	return (len(b.content) - 1) / size * size
}

// TestACopyIsNoRequest: with Commit a transport may sign a whole copy, and then send.
func TestACopyIsNoRequest(t *testing.T) {
	for _, o := range []exchange.Options{
		{NoReplay: true, Commit: func(context.Context) error { return nil }},
		{NoReplay: true, Progress: func(int64) {}},
	} {
		send(func(r *http.Request) (*http.Response, error) {
			assert.Len(t, all(copyOf(r)), 1000)
			of(r).connect()
			assert.Len(t, all(r.Body), 1000)
			return nil, errLost
		}, long, o)
	}
}

// TestWithoutNoReplay a second whole body leaves, and is reported.
func TestWithoutNoReplay(t *testing.T) {
	r := send(func(r *http.Request) (*http.Response, error) {
		of(r).connect()
		assert.Len(t, all(r.Body), 1000)
		assert.Len(t, all(copyOf(r)), 1000)
		return nil, errLost
	}, long, exchange.Options{Progress: func(int64) {}})
	assert.True(t, r.Replayed)
}

// TestProgress hears of bytes, and of no end without any.
func TestProgress(t *testing.T) {
	var heard []int64
	send(func(r *http.Request) (*http.Response, error) {
		p := make([]byte, 4)
		for {
			if _, err := r.Body.Read(p); err != nil {
				return nil, errLost
			}
		}
	}, body{content: "abcdef", read: endApart, chunked: true}, exchange.Options{Progress: func(sent int64) { heard = append(heard, sent) }})
	assert.Equal(t, []int64{4, 6}, heard)
}

// TestCommitGuardsOneRequest: a second body comes to its end only where there cannot be
// a second request.
func TestCommitGuardsOneRequest(t *testing.T) {
	calls := 0
	r := send(func(r *http.Request) (*http.Response, error) {
		all(copyOf(r)) // signed
		of(r).connect()
		some(r.Body, 10)
		of(r).wrote(errLost)
		of(r).connect()
		n, err := io.Copy(io.Discard, copyOf(r))
		assert.Equal(t, exchange.ErrReplay, err)
		assert.Less(t, n, int64(1000))
		return nil, errLost
	}, long, exchange.Options{NoReplay: true, Commit: func(context.Context) error { calls++; return nil }})
	assert.Equal(t, 1, calls)
	assert.False(t, r.FullySent)
}

// TestCommitIsNotCalledBehindARefusal: a transport that keeps its connection sends a body
// that nobody wants.
func TestCommitIsNotCalledBehindARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan string, 1)
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			of(r).GotFirstResponseByte()
			go func() { read <- all(r.Body) }()
			time.Sleep(50 * time.Millisecond)
			return respond(403, strings.NewReader("")), nil
		}, body{content: "{}"}, exchange.Options{ErrorBody: 100, NoReplay: true, Commit: func(context.Context) error {
			t.Error("called")
			return nil
		}})
		assert.Equal(t, 403, r.Status)
		assert.Empty(t, <-read)
	})
}

// TestCommitHasTheCallersContext, which the exchange does not end.
func TestCommitHasTheCallersContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx := context.WithValue(t.Context(), key{}, "value")
		r := sendContext(ctx, func(r *http.Request) (*http.Response, error) {
			all(r.Body)
			return accepted(), r.Context().Err()
		}, body{content: "{}"}, exchange.Options{Total: time.Second, NoReplay: true, Commit: func(ctx context.Context) error {
			assert.Equal(t, "value", ctx.Value(key{}))
			time.Sleep(time.Minute)
			assert.NoError(t, ctx.Err())
			return nil
		}})
		assert.Equal(t, exchange.ErrTotal, r.Err)
		assert.False(t, r.FullySent, "what was committed too late has no last byte")
	})
}

// TestCallsEndWithTheExchange: a function that runs is awaited, and none begins after.
func TestCallsEndWithTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body io.ReadCloser
		var told []int64 // not guarded: Send's return orders it
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			body = r.Body
			go func() { all(r.Body) }()
			time.Sleep(time.Second / 2)
			return respond(413, strings.NewReader("")), nil
		}, slow(0, 0, 0), exchange.Options{ErrorBody: 100, Progress: func(sent int64) {
			time.Sleep(time.Second)
			told = append(told, sent)
		}})
		assert.Equal(t, 413, r.Status)
		assert.Equal(t, []int64{100}, told)
		assert.Zero(t, r.BytesSent, "the bytes of the call that ran go nowhere")
		some(body, 1)
		assert.Len(t, told, 1)
	})
}

// TestPanicsSurface in the goroutine of Send, whoever panics and wherever the transport
// reads.
func TestPanicsSurface(t *testing.T) {
	read := func(p []byte, next func([]byte) (int, error)) (int, error) { panic("source") }
	for want, c := range map[string]struct {
		body body
		o    exchange.Options
	}{
		"source":   {body{content: "abc", read: read}, exchange.Options{}},
		"progress": {body{content: "abc"}, exchange.Options{Progress: func(int64) { panic("progress") }}},
		"commit":   {body{content: "abc"}, exchange.Options{NoReplay: true, Commit: func(context.Context) error { panic("commit") }}},
	} {
		c.o.SuccessBody = 100
		assert.PanicsWithValue(t, want, func() {
			send(func(r *http.Request) (*http.Response, error) {
				done := make(chan string)
				go func() { done <- all(r.Body) }()
				assert.Empty(t, <-done)
				return accepted(), nil
			}, c.body, c.o)
		})
	}
	assert.PanicsWithValue(t, "commit", func() {
		send(nil, nil, exchange.Options{NoReplay: true, Commit: func(context.Context) error { panic("commit") }})
	})
}

// TestLatePanics go to Late, since Send has returned.
func TestLatePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, inTransport := range []bool{false, true} {
			var late atomic.Value
			source := body{content: "abc", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
				time.Sleep(time.Hour)
				if !inTransport {
					panic("source")
				}
				return next(p)
			}}
			r := send(func(r *http.Request) (*http.Response, error) {
				all(r.Body)
				if inTransport {
					panic("transport")
				}
				return accepted(), nil
			}, source, exchange.Options{Stall: time.Second, Late: func(_ context.Context, panicked any) { late.Store(panicked) }})
			assert.ErrorIs(t, r.SourceErr, exchange.ErrSourceStalled)
			assert.Nil(t, late.Load())
			time.Sleep(time.Hour)
			assert.Equal(t, map[bool]any{false: "source", true: "transport"}[inTransport], late.Load())
		}
	})
}

// TestASourceThatEndsItsGoroutine has failed, as that of a test that calls t.FailNow.
func TestASourceThatEndsItsGoroutine(t *testing.T) {
	source := body{content: "abc", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		runtime.Goexit()
		return 0, nil
	}}
	r := send(func(r *http.Request) (*http.Response, error) {
		go all(r.Body) // net/http reads in a goroutine of its own
		<-r.Context().Done()
		return nil, r.Context().Err()
	}, source, exchange.Options{})
	assert.ErrorContains(t, r.SourceErr, "ended its goroutine")
}
