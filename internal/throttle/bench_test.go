package throttle

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/ratelimitheader"
)

// bench is a Throttle under test, in virtual time.
type bench struct {
	*testing.T
	*Throttle
	start time.Time

	noted   sync.Mutex
	changes []Change
}

func onBench(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, start: time.Now()}
		b.Throttle = New(func(c Change) {
			b.noted.Lock()
			defer b.noted.Unlock()
			b.changes = append(b.changes, c)
		})
		test(b)
	})
}

// The endpoints of these tests. Where only one is needed it is get.
const (
	get  = "GET /transcribe/{id}"
	post = "POST /transcribe"
)

// send takes a permit that must be there at once.
func (b *bench) send(endpoint string) *Permit {
	b.Helper()
	before := time.Now()
	p, err := b.Acquire(b.Context(), endpoint, time.Hour, new(uint64))
	require.NoError(b, err)
	require.Equal(b, before, time.Now(), "the endpoint is open")
	require.True(b, b.Confirm(p))
	return p
}

// end gives a permit back.
func (b *bench) end(p *Permit, a answer) { b.Release(b.Context(), p, a.status, a.info) }

// waits is how long the next request waits for its permit.
func (b *bench) waits(endpoint string, a answer) time.Duration {
	b.Helper()
	before := time.Now()
	var position uint64
	for {
		p, err := b.Acquire(b.Context(), endpoint, 1000*time.Hour, &position)
		require.NoError(b, err)
		if b.Confirm(p) {
			waited := time.Since(before)
			b.end(p, a)
			return waited
		}
	}
}

// rejected checks that a call that can wait so long is rejected at once.
func (b *bench) rejected(endpoint string, maxWait time.Duration) *TooLongError {
	b.Helper()
	before := time.Now()
	_, err := b.Acquire(b.Context(), endpoint, maxWait, new(uint64))
	var tooLong *TooLongError
	require.ErrorAs(b, err, &tooLong)
	require.Equal(b, before, time.Now())
	return tooLong
}

// seen are the changes so far.
func (b *bench) seen() []Change {
	synctest.Wait()
	b.noted.Lock()
	defer b.noted.Unlock()
	return slices.Clone(b.changes)
}

// idle checks that no permit is out and nobody waits.
func (b *bench) idle() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, e := range b.endpoints {
		assert.Zero(b, e.window.inFlight, name)
		assert.Empty(b, e.queue, name)
	}
}

func (b *bench) since() time.Duration { return time.Since(b.start) }

// An answer is what became of a request.
type answer struct {
	status int
	info   ratelimitheader.Info
}

var (
	unknown = ratelimitheader.Info{Limit: -1, Remaining: -1}
	good    = answer{http.StatusOK, unknown}
	refused = answer{http.StatusTooManyRequests, unknown}
	lost    = answer{0, unknown}
)

// told is an answer with headers: the limit, what remains, and the time to the reset.
func told(status int, limit, remaining int64, reset time.Duration) answer {
	return answer{status, ratelimitheader.Info{Limit: limit, Remaining: remaining, Reset: time.Now().Add(reset)}}
}

// retryAfter is a refusal with that header alone.
func retryAfter(d time.Duration) answer {
	info := unknown
	info.RetryAfter = time.Now().Add(d)
	return answer{http.StatusTooManyRequests, info}
}

// later returns a context that ends after d.
func (b *bench) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), d)
	b.Cleanup(cancel)
	return ctx
}
