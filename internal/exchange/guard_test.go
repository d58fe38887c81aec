package exchange_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// TestGuards: each phase of an exchange is cut by its own bound, and only when
// nothing moves.
func TestGuards(t *testing.T) {
	l := exchange.Bounds{Stall: time.Minute, Response: 5 * time.Minute, ErrorBody: 1000, SuccessBody: 1000}
	whole := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	untilCut := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	firstByte := func(r *http.Request) { httptrace.ContextClientTrace(r.Context()).GotFirstResponseByte() }
	for _, c := range []struct {
		name   string
		limits exchange.Bounds
		rt     transport
		err    error
		after  time.Duration
	}{
		{"no byte of the body moves", l, untilCut, exchange.ErrStalled, time.Minute},
		{"the body stops moving", l, func(r *http.Request) (*http.Response, error) {
			for range 50 {
				time.Sleep(10 * time.Second)
				_, _ = r.Body.Read(make([]byte, 1))
			}
			return untilCut(r)
		}, exchange.ErrStalled, 500*time.Second + time.Minute},
		{"the body stops moving after 100 Continue", l, func(r *http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Second)
			firstByte(r)
			_, _ = r.Body.Read(make([]byte, 1))
			return untilCut(r)
		}, exchange.ErrStalled, 70 * time.Second},
		{"no response", l, func(r *http.Request) (*http.Response, error) {
			whole(r)
			return untilCut(r)
		}, exchange.ErrNoResponse, 5 * time.Minute},
		{"a response that stops in its header", l, func(r *http.Request) (*http.Response, error) {
			whole(r)
			time.Sleep(time.Minute)
			firstByte(r)
			return untilCut(r)
		}, exchange.ErrStalled, 6 * time.Minute},
		{"a response that stops in its body", l, func(r *http.Request) (*http.Response, error) {
			whole(r)
			return respond(200, untilDone{r.Context()}), nil
		}, exchange.ErrStalled, time.Minute},
		{"a response that stops in its body, the writer having ended late", l, func(r *http.Request) (*http.Response, error) {
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			return respond(200, io.MultiReader(r.Body, untilDone{r.Context()})), nil // reads the request's EOF
		}, exchange.ErrStalled, time.Minute},
		{"never to a response, which stops in its header", exchange.Bounds{Stall: time.Minute, Total: time.Hour}, func(r *http.Request) (*http.Response, error) {
			whole(r)
			firstByte(r)
			return untilCut(r)
		}, exchange.ErrTotal, time.Hour},
		{"in all", exchange.Bounds{Stall: time.Minute, Total: 10 * time.Second}, untilCut, exchange.ErrTotal, 10 * time.Second},
		{"never, so the total", exchange.Bounds{Total: 24 * time.Hour}, untilCut, exchange.ErrTotal, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := send(c.rt, body{content: strings.Repeat("x", 1000)}, c.limits)
				assert.Equal(t, c.err, r.Err)
				assert.Equal(t, c.after, time.Since(start))
				var timeout interface{ Timeout() bool }
				require.ErrorAs(t, r.Err, &timeout)
				assert.True(t, timeout.Timeout())
			})
		})
	}
}

// untilDone is a response body of which nothing comes.
type untilDone struct{ ctx context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

// TestTheCallersContextIsItsOwn: what the caller's context ends with is not
// taken for one of the bounds.
func TestTheCallersContextIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1/", nil)
		r := exchange.Send(ctx, transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}), req, http.Header{}, nil, exchange.Bounds{Stall: time.Minute, Response: time.Minute, Total: time.Minute}, nil)
		assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
	})
}

// TestNoGuardOutlivesItsExchange: net/http may tell of the first byte of a
// response when the exchange is over. At the end of a bubble's time a timer that
// is left behind fires for ever, and the bubble does not end.
func TestNoGuardOutlivesItsExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late *httptrace.ClientTrace
		time.Sleep(math.MaxInt64)
		r := send(func(r *http.Request) (*http.Response, error) {
			late = httptrace.ContextClientTrace(r.Context())
			_, _ = io.Copy(io.Discard, r.Body)
			return nil, errLost
		}, body{content: "x"}, exchange.Bounds{Stall: time.Minute, Response: time.Minute})
		assert.Equal(t, errLost, r.Err)
		late.GotFirstResponseByte()
	})
}
