package exchange_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// A wildTransport does what transports do, in any order: it looks at copies, buffers,
// streams, loses connections and begins again. It honours its context as net/http does,
// before it writes. whole counts the requests that a server had to their end.
type wildTransport struct {
	*rand.Rand
	size     int
	whole    int
	buffered []byte
	req      *http.Request
}

func (w *wildTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w.req = r
	for range w.IntN(3) {
		w.look()
	}
	if w.IntN(3) == 0 {
		w.buffered, _ = io.ReadAll(r.Body)
	}
	for range 1 + w.IntN(3) {
		of(r).ask()
		if w.IntN(5) == 0 {
			continue // no connection
		}
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		of(r).connect()
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		if w.send() && w.IntN(2) == 0 {
			return accepted(), nil
		}
		if w.IntN(4) == 0 {
			w.look()
		}
	}
	return nil, errLost
}

// look reads a copy of the body, in part or whole.
func (w *wildTransport) look() {
	c := copyOf(w.req)
	some(c, int64(w.IntN(2*w.size)))
	if w.IntN(2) == 0 {
		_ = c.Close()
	}
}

// send writes a request to the connection, and reports whether all of it left.
func (w *wildTransport) send() bool {
	limit := w.size
	if w.IntN(3) == 0 { // the connection is lost on the way
		limit = w.IntN(w.size)
	}
	sent := 0
	if len(w.buffered) == w.size {
		sent = limit
	} else {
		body := w.req.Body
		if w.IntN(2) == 0 || w.buffered != nil {
			body = copyOf(w.req)
		}
		n, _ := io.CopyN(io.Discard, body, int64(limit))
		sent = int(n)
		_ = body.Close()
	}
	if sent == w.size {
		w.whole++
		of(w.req).wrote(nil)
		return true
	}
	of(w.req).wrote(errLost)
	return false
}

// TestStorm checks that the proof never denies what a server had, whatever the transport
// does, that a repetition is noticed or stopped, and that Commit comes before the end.
func TestStorm(t *testing.T) {
	var running sync.WaitGroup
	slots := make(chan struct{}, 16)
	for seed := range uint64(4000) {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			random := rand.New(rand.NewPCG(seed, 7))
			size := 1 + random.IntN(5000)
			b := body{content: strings.Repeat("x", size), chunked: random.IntN(3) == 0}
			w := &wildTransport{Rand: random, size: size}
			commits := 0
			o := exchange.Options{SuccessBody: 100, Stall: time.Minute, Response: time.Minute, NoReplay: random.IntN(2) == 0}
			refuses := random.IntN(4) == 0
			if o.NoReplay && random.IntN(2) == 0 {
				o.Commit = func(context.Context) error {
					commits++
					assert.Zero(t, w.whole, "seed %d", seed)
					if refuses {
						return errNotNow
					}
					return nil
				}
			}
			r := send(w.RoundTrip, b, o)
			switch {
			case w.whole > 0:
				assert.True(t, r.FullySent, "seed %d", seed)
			case r.NotSent:
				assert.Zero(t, r.BytesSent, "seed %d", seed)
			}
			if w.whole > 1 {
				assert.True(t, r.Replayed, "seed %d", seed)
				assert.False(t, o.NoReplay, "seed %d", seed)
			}
			if o.Commit != nil {
				assert.LessOrEqual(t, commits, 1, "seed %d", seed)
				assert.Equal(t, commits == 1 && refuses, r.CommitErr != nil, "seed %d", seed)
				if w.whole > 0 || r.CommitErr != nil {
					assert.Equal(t, 1, commits, "seed %d", seed)
				}
				if r.CommitErr != nil {
					assert.Zero(t, w.whole, "seed %d", seed)
					assert.False(t, r.FullySent, "seed %d", seed)
				}
			}
		})
	}
	running.Wait()
}
