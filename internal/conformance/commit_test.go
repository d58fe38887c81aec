package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A ledger is what a program keeps of its commits. Before each it looks at what the
// server has.
type ledger struct {
	mu     sync.Mutex
	srv    *ambienttest.Server
	n      int
	whole  int // requests that the server had whole at a commit
	refuse error
}

func (l *ledger) commit(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	for _, r := range l.srv.RequestsTo(harness.SubmitRoute)[l.n-1:] {
		if r.Complete {
			l.whole++
		}
	}
	return l.refuse
}

// committed are the kinds of body that a submit can have: small and announced, of known
// and of unknown length.
func committed(t *testing.T, content []byte) map[string]func() ambient.Audio {
	path := harness.TempFile(t, content)
	return map[string]func() ambient.Audio{
		"bytes":  func() ambient.Audio { return ambient.AudioBytes("visit.mp3", content) },
		"file":   func() ambient.Audio { return ambient.AudioFile(path) },
		"reader": func() ambient.Audio { return ambient.AudioReader("visit.mp3", harness.ReaderAt(content)) },
		"reader with a size": func() ambient.Audio {
			return ambient.AudioReaderSize("visit.mp3", harness.ReaderAt(content), int64(len(content)))
		},
	}
}

// TestCommit: f is called once, before the request is whole. If it fails, the server has
// no whole request.
func TestCommit(t *testing.T) {
	leavesNothing(t)
	errNotNow := errors.New(harness.Secret)
	for kind, server := range servers {
		for _, size := range []int{10, 5_000, 1<<20 + 1} {
			for name, audio := range committed(t, harness.Pattern(size)) {
				for _, refuse := range []error{nil, errNotNow, context.DeadlineExceeded} {
					t.Run(fmt.Sprint(kind, " ", name, " ", size, " ", refuse == nil), func(t *testing.T) {
						srv := start(t, server)
						client := harness.NewClient(t, srv, quick)
						l := &ledger{srv: srv, refuse: refuse}
						sub, err := harness.SubmitOf(t.Context(), client, audio(), ambient.WithCommit(l.commit))
						assert.Equal(t, 1, l.n)
						assert.Zero(t, l.whole)
						if refuse == nil {
							require.NoError(t, err)
							assert.False(t, sub.PossibleDuplicate())
							assert.Len(t, sub.Call.Attempts, 1)
							return
						}
						assert.ErrorIs(t, err, refuse)
						assert.False(t, ambient.Retryable(err))
						assert.False(t, ambient.MaybeSubmitted(err))
						harness.TellsNothing(t, err)
						client.CloseIdleConnections()
						srv.Close() // which waits for what is on its way
						for _, r := range srv.RequestsTo(harness.SubmitRoute) {
							assert.False(t, r.Complete)
						}
					})
				}
			}
		}
	}
}

// TestCommitOfEveryRequest: what is repeated has its own commit, what never was whole has
// none, and what may have been taken is not repeated.
func TestCommitOfEveryRequest(t *testing.T) {
	early := func(f ambienttest.Fault) ambienttest.Fault { f.Early = true; return f }
	for _, c := range []struct {
		name    string
		size    int
		faults  []ambienttest.Fault
		commits int
		maybe   bool // and then the call has failed
	}{
		{"401", 5_000, []ambienttest.Fault{ambienttest.Answer(401)}, 2, false},
		{"429", 5_000, []ambienttest.Fault{ambienttest.RetryAfter(429, "1")}, 2, false},
		{"503, 503", 5_000, []ambienttest.Fault{ambienttest.Answer(503), ambienttest.Answer(503)}, 3, false},
		{"417 to Expect", 1<<20 + 1, []ambienttest.Fault{early(ambienttest.Answer(417))}, 1, false},
		{"401 to Expect", 1<<20 + 1, []ambienttest.Fault{early(ambienttest.Answer(401))}, 1, false},
		{"lost before it was read", 5_000, []ambienttest.Fault{{Reset: ambienttest.ResetBeforeRead}}, 1, false},
		{"lost in its middle", 900_000, []ambienttest.Fault{{Reset: ambienttest.ResetMidBody}}, 1, false},
		{"502", 5_000, []ambienttest.Fault{{Status: 502, Process: true}}, 1, true},
		{"the answer lost", 5_000, []ambienttest.Fault{{Process: true, Reset: ambienttest.ResetAfterRead}}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, c.faults...)
				n := 0
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioBytes("visit.mp3", harness.Pattern(c.size)),
					ambient.WithCommit(func(context.Context) error { n++; return nil }))
				assert.Equal(t, c.commits, n)
				assert.Equal(t, c.maybe, err != nil, "%v", err)
				assert.Equal(t, c.maybe, ambient.MaybeSubmitted(err))
			})
		})
	}
}

// TestCommitIsOfSubmits: neither of the token call nor of the polls, nor of a read.
func TestCommitIsOfSubmits(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		n := 0
		commit := ambient.WithCommit(func(context.Context) error { n++; return nil })
		job, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()}, commit)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		_, err = client.Transcriptions.Get(t.Context(), job.ID, commit)
		require.NoError(t, err)
		require.NoError(t, client.Do(t.Context(), "GET", fmt.Sprint("/transcribe/", job.ID), nil, nil, commit))
		assert.Equal(t, 1, n)
		for _, body := range []any{nil, struct{}{}} { // without a body, and with a tiny one
			for _, refuse := range []error{nil, errors.New("not now")} {
				before := len(srv.RequestsTo("*"))
				if n = 0; refuse == nil {
					srv.Fault("*", before+1, ambienttest.Fault{Status: 202})
				}
				err = client.Do(t.Context(), "POST", "/scribe/7/approve", body, nil, ambient.WithCommit(func(context.Context) error { n++; return refuse }))
				assert.ErrorIs(t, err, refuse)
				assert.Equal(t, 1, n)
				if refuse != nil {
					for _, r := range srv.RequestsTo("*")[before:] {
						assert.False(t, r.Complete)
					}
				}
			}
		}
	})
}

// TestCommitTakesItsTime: that is no stall, and a function that ignores the end of its
// context is left behind.
func TestCommitTakesItsTime(t *testing.T) {
	for _, body := range []any{nil, struct{}{}} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			srv.Fault("*", 1, ambienttest.Fault{Status: 202})
			client := harness.NewClient(t, srv, ambient.WithStallTimeout(time.Second), ambient.WithResponseTimeout(time.Second), ambient.WithToken("synthetic"))
			do := func(ctx context.Context, f func(context.Context) error) error {
				return client.Do(ctx, "POST", "/scribe/7/approve", body, nil, ambient.WithCommit(f))
			}
			require.NoError(t, do(t.Context(), func(context.Context) error { time.Sleep(time.Hour); return nil }))

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			err := do(ctx, func(context.Context) error { time.Sleep(time.Hour); return nil })
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.False(t, ambient.MaybeSubmitted(err))
			assert.Less(t, time.Since(start), 2*time.Second)
			time.Sleep(time.Hour)
			complete := 0
			for _, r := range srv.Requests() {
				if r.Complete {
					complete++
				}
			}
			assert.Equal(t, 1, complete)
		})
	}
}

// TestCommitThatPanics surfaces where the caller can recover.
func TestCommitThatPanics(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		assert.PanicsWithValue(t, "a mistake", func() {
			_, _ = harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithCommit(func(context.Context) error { panic("a mistake") }))
		})
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		assert.NoError(t, err, "the permit was given back")
	})
}

// TestCommitThroughASigner: it reads the body before it sends it, which is one request.
func TestCommitThroughASigner(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		sign := http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.GetBody != nil {
				body, err := r.GetBody()
				if err != nil {
					return nil, err
				}
				b, err := io.ReadAll(body)
				if err != nil {
					return nil, err
				}
				r.Header.Set("X-Signature", fmt.Sprint(len(b)))
			}
			return srv.Client().Transport.RoundTrip(r)
		})}
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(&sign))
		n := 0
		sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.ShortVisit()), ambient.WithCommit(func(context.Context) error { n++; return nil }))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.False(t, sub.PossibleDuplicate())
		_, err = harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithCommit(func(context.Context) error { return errors.New(strings.Repeat("no ", 3)) }))
		assert.Error(t, err)
		srv.AssertCount(t, harness.SubmitRoute, 1)
	})
}
