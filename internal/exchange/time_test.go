package exchange_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// slow is a body whose source needs a time before it gives each 100 bytes.
func slow(pauses ...time.Duration) body {
	return body{content: strings.Repeat("x", 100*len(pauses)), read: func(p []byte, next func([]byte) (int, error)) (int, error) {
		if len(pauses) > 0 {
			time.Sleep(pauses[0])
			pauses = pauses[1:]
		}
		return next(p[:100])
	}}
}

func untilCut(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// trickle is a response body that gives a byte each pause.
type trickle struct {
	ctx   context.Context
	pause time.Duration
}

func (t trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(t.pause):
		return copy(p, "x"), nil
	case <-t.ctx.Done():
		return 0, t.ctx.Err()
	}
}

// before reports something before each Read.
func before(report func(), r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) { report(); return r.Read(p) })
}

// TestBounds: each phase of an exchange is cut by its own bound, and only when nothing
// moves.
func TestBounds(t *testing.T) {
	const m = time.Minute
	o := exchange.Options{Stall: m, Response: 5 * m, ErrorBody: 1000, SuccessBody: 1000}
	for _, c := range []struct {
		name  string
		o     exchange.Options
		body  exchange.Body
		rt    transport
		err   error
		after time.Duration
	}{
		{"no byte of the body moves", o, long, untilCut, exchange.ErrStalled, m},
		{"the body stops moving", o, long, func(r *http.Request) (*http.Response, error) {
			for range 50 {
				time.Sleep(10 * time.Second)
				some(r.Body, 1)
			}
			return untilCut(r)
		}, exchange.ErrStalled, 500*time.Second + m},
		{"the body stops moving after 100 Continue", o, long, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			time.Sleep(10 * time.Second)
			of(r).GotFirstResponseByte()
			_ = of(r).Got1xxResponse(100, nil)
			some(r.Body, 1)
			return untilCut(r)
		}, exchange.ErrStalled, 10*time.Second + m},
		{"no connection", o, long, func(r *http.Request) (*http.Response, error) { of(r).ask(); return untilCut(r) }, exchange.ErrNoConnection, 5 * m},
		{"no connection, and any time for a response", exchange.Options{Stall: m, Total: time.Hour}, long, func(r *http.Request) (*http.Response, error) { of(r).ask(); return untilCut(r) }, exchange.ErrTotal, time.Hour},
		{"no connection, and any time for a byte", exchange.Options{Response: m, Total: time.Hour}, long, func(r *http.Request) (*http.Response, error) { of(r).ask(); return untilCut(r) }, exchange.ErrTotal, time.Hour},
		{"no response, no body, its header never written", o, nil, func(r *http.Request) (*http.Response, error) { of(r).connect(); return untilCut(r) }, exchange.ErrNoResponse, 5 * m},
		{"no response", o, long, func(r *http.Request) (*http.Response, error) { all(r.Body); return untilCut(r) }, exchange.ErrNoResponse, 5 * m},
		{"no response, no body", o, nil, untilCut, exchange.ErrNoResponse, 5 * m},
		{"no response but 102 Processing", o, long, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			time.Sleep(m)
			of(r).GotFirstResponseByte()
			_ = of(r).Got1xxResponse(102, nil)
			return untilCut(r)
		}, exchange.ErrNoResponse, 6 * m},
		{"a copy that takes its time, and then no response", o, long, func(r *http.Request) (*http.Response, error) {
			all(r.Body)
			of(r).connect()
			time.Sleep(time.Hour)
			of(r).wrote(nil)
			return untilCut(r)
		}, exchange.ErrNoResponse, time.Hour + 5*m},
		{"a response that stops in its header", o, long, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			time.Sleep(m)
			of(r).GotFirstResponseByte()
			return untilCut(r)
		}, exchange.ErrSlowResponse, 6 * m},
		{"a response that stops in its body", o, long, func(r *http.Request) (*http.Response, error) {
			all(r.Body)
			return respond(200, trickle{r.Context(), time.Hour}), nil
		}, exchange.ErrStalled, m},
		{"a response that stops in its body, the writer having ended late", o, long, func(r *http.Request) (*http.Response, error) {
			some(r.Body, 1000)
			return respond(200, io.MultiReader(r.Body, trickle{r.Context(), time.Hour})), nil // reads the request's EOF
		}, exchange.ErrStalled, m},
		{"a response that never ends", o, long, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			of(r).GotFirstResponseByte()
			time.Sleep(m)
			return respond(200, trickle{r.Context(), 59 * time.Second}), nil
		}, exchange.ErrSlowResponse, 5 * m},
		{"a response that never ends, its request reported as written late", o, long, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			return respond(200, before(func() { of(r).wrote(nil) }, trickle{r.Context(), 50 * time.Second})), nil
		}, exchange.ErrSlowResponse, 5 * m},
		{"a response that stops in its body, its first byte reported late", o, nil, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			return respond(200, before(of(r).GotFirstResponseByte, trickle{r.Context(), time.Hour})), nil
		}, exchange.ErrStalled, m},
		{"an error response that never ends", o, nil, func(r *http.Request) (*http.Response, error) {
			return respond(500, trickle{r.Context(), time.Second}), nil
		}, exchange.ErrSlowResponse, 5 * m},
		{"never to a response, which stops in its header", exchange.Options{Stall: m, Total: time.Hour}, long, func(r *http.Request) (*http.Response, error) {
			all(r.Body)
			of(r).GotFirstResponseByte()
			return untilCut(r)
		}, exchange.ErrTotal, time.Hour},
		{"in all", exchange.Options{Stall: m, Total: 10 * time.Second}, long, untilCut, exchange.ErrTotal, 10 * time.Second},
		{"never, so the total", exchange.Options{Total: 24 * time.Hour}, long, untilCut, exchange.ErrTotal, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := send(c.rt, c.body, c.o)
				assert.Equal(t, c.err, r.Err)
				assert.Equal(t, c.after, time.Since(start))
				assert.NoError(t, r.SourceErr)
				var timeout interface{ Timeout() bool }
				require.ErrorAs(t, r.Err, &timeout)
				assert.True(t, timeout.Timeout())
				assert.ErrorIs(t, r.Err, os.ErrDeadlineExceeded)
				assert.NotErrorIs(t, r.Err, context.DeadlineExceeded, "that of the caller")
			})
		})
	}
}

// TestSlowSources: the time of a source is no stall of the connection. A source that
// gives no byte in time has failed.
func TestSlowSources(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name   string
		body   exchange.Body
		o      exchange.Options
		failed error
		after  time.Duration
	}{
		{"slow, but never too slow", slow(9*s, 9*s, 9*s), exchange.Options{Stall: 10 * s, Response: s}, nil, 27 * s},
		{"too slow at first", slow(time.Hour), exchange.Options{Stall: 10 * s}, exchange.ErrSourceStalled, 10 * s},
		{"too slow in the middle", slow(9*s, time.Hour), exchange.Options{Stall: 10 * s}, exchange.ErrSourceStalled, 19 * s},
		{"too slow for the whole exchange", slow(9*s, time.Hour), exchange.Options{Total: 10 * s}, exchange.ErrTotal, 10 * s},
		{"slower than the response may be", slow(9*s, 9*s), exchange.Options{Response: s}, nil, 18 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.o.SuccessBody = 100
				start := time.Now()
				r := send(func(r *http.Request) (*http.Response, error) {
					of(r).connect()
					all(r.Body)
					return accepted(), r.Context().Err()
				}, c.body, c.o)
				assert.Equal(t, c.after, time.Since(start), "the call does not wait for a Read that hangs")
				if c.failed != nil {
					assert.ErrorIs(t, r.SourceErr, c.failed)
					assert.IsType(t, &placed{}, r.SourceErr)
					assert.False(t, r.FullySent)
				} else {
					assert.NoError(t, r.Err)
					assert.NoError(t, r.SourceErr)
				}
				time.Sleep(time.Hour) // let the source go on
			})
		})
	}
}

// TestAHangingReadIsLeftBehind when the caller's context ends. That is no failure of
// the source, and no other Read begins.
func TestAHangingReadIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var reads atomic.Int32
		source := body{content: "abcdef", read: func(p []byte, next func([]byte) (int, error)) (int, error) {
			if reads.Add(1) == 2 {
				time.Sleep(time.Hour)
			}
			return next(p[:2])
		}}
		start := time.Now()
		r := sendContext(ctx, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			return accepted(), nil
		}, source, exchange.Options{Stall: time.Minute, Progress: func(int64) {}})
		assert.Equal(t, time.Second, time.Since(start))
		assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		assert.NoError(t, r.SourceErr)
		assert.Equal(t, int64(2), r.BytesSent)
		time.Sleep(2 * time.Hour)
		assert.Equal(t, int32(2), reads.Load())
	})
}

// TestTheTimeOfAFunctionIsNoStall: neither of the connection nor of the source.
func TestTheTimeOfAFunctionIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			return accepted(), nil
		}, long, exchange.Options{Stall: time.Second, Response: time.Second, SuccessBody: 100, NoReplay: true,
			Progress: func(int64) { time.Sleep(time.Minute) },
			Commit:   func(context.Context) error { time.Sleep(time.Hour); return nil },
		})
		assert.NoError(t, r.Err)
		assert.NoError(t, r.SourceErr)
	})
}

// TestNoTimerOutlivesItsExchange: net/http may report the first byte of a response when
// the exchange is over. At the end of a bubble's time a timer that is left behind fires
// for ever, and the bubble does not end.
func TestNoTimerOutlivesItsExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late network
		time.Sleep(math.MaxInt64)
		r := send(func(r *http.Request) (*http.Response, error) {
			late = of(r)
			all(r.Body)
			return nil, errLost
		}, long, exchange.Options{Stall: time.Minute, Response: time.Minute})
		assert.Equal(t, errLost, r.Err)
		late.GotFirstResponseByte()
	})
}

// TestNoByteBehindAnAnswer: when the first byte of an answer has come, the rest of the
// body waits a moment for the transport to say what it is.
func TestNoByteBehindAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan string, 1)
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			of(r).GotFirstResponseByte()
			go func() { read <- all(r.Body) }()
			time.Sleep(50 * time.Millisecond)
			return respond(413, strings.NewReader("")), nil
		}, long, exchange.Options{ErrorBody: 100})
		assert.Equal(t, 413, r.Status)
		assert.Empty(t, <-read)
		assert.Zero(t, r.BytesSent)
		assert.False(t, r.BodyRead)
	})
}

// TestTheRestOfABodyMoves behind an early answer, which stops meanwhile.
func TestTheRestOfABodyMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			some(r.Body, 100)
			return respond(200, readerFunc(func([]byte) (int, error) {
				for range 9 {
					time.Sleep(30 * time.Second)
					some(r.Body, 100)
				}
				return 0, io.EOF
			})), nil
		}, long, exchange.Options{Stall: time.Minute, SuccessBody: 100})
		assert.NoError(t, r.Err)
		assert.Equal(t, int64(1000), r.BytesSent)
	})
}

// TestAnAnswerToAnExchangeThatIsCut counts where the transport has it at once.
func TestAnAnswerToAnExchangeThatIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := send(func(r *http.Request) (*http.Response, error) {
			some(r.Body, 10)
			<-r.Context().Done()
			time.Sleep(time.Second)
			return accepted(), nil
		}, long, exchange.Options{Stall: time.Minute, SuccessBody: 100})
		assert.NoError(t, r.Err)
		assert.Equal(t, 202, r.Status)
	})
}

// TestALateAnswerIsClosed that comes when Send has left a Read behind, and returned.
func TestALateAnswerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := &closeCounter{Reader: strings.NewReader("{}")}
		for _, late := range []*http.Response{nil, {StatusCode: 202}, {StatusCode: 202, Body: closed}} {
			r := send(func(r *http.Request) (*http.Response, error) {
				of(r).connect()
				some(r.Body, 100)
				return late, nil
			}, slow(time.Hour), exchange.Options{Stall: time.Second})
			assert.ErrorIs(t, r.SourceErr, exchange.ErrSourceStalled)
			time.Sleep(2 * time.Hour)
		}
		assert.Equal(t, int32(1), closed.closed.Load())
	})
}

// TestAHangingFunctionIsLeftBehind a moment after the caller's context ends.
func TestAHangingFunctionIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start, release := time.Now(), make(chan struct{})
		r := sendContext(ctx, func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			all(r.Body)
			return accepted(), nil
		}, long, exchange.Options{Progress: func(int64) { <-release }})
		assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute+250*time.Millisecond, time.Since(start))
		close(release)
	})
}

// TestAClosedBodyHasNotFailed, though its source breaks off.
func TestAClosedBodyHasNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).connect()
			go func() { all(r.Body) }()
			time.Sleep(time.Second)
			_ = r.Body.Close()
			time.Sleep(time.Second)
			return nil, errLost
		}, body{content: "abc", read: func([]byte, func([]byte) (int, error)) (int, error) {
			time.Sleep(1500 * time.Millisecond)
			return 0, io.ErrClosedPipe
		}}, exchange.Options{})
		assert.Equal(t, errLost, r.Err)
		assert.NoError(t, r.SourceErr)
	})
}
