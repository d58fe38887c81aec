package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// The transports of this file stand between the SDK and net/http, as programs put them.

// buffering reads the body and sends a copy.
func buffering(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			return next.RoundTrip(r)
		}
		b, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		return next.RoundTrip(r)
	})
}

// signing reads n bytes of a copy of the body, or all of it, and sends the body, or the
// copy.
func signing(next http.RoundTripper, n int64, sendCopy bool) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.GetBody == nil {
			return next.RoundTrip(r)
		}
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		signed, err := io.ReadAll(io.LimitReader(body, n))
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Header.Set("X-Signature", fmt.Sprint(len(signed)))
		if sendCopy {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(signed), body), body}
		} else {
			_ = body.Close()
		}
		return next.RoundTrip(r)
	})
}

// retrying is go-retryablehttp in the place of a transport.
func retrying(next http.RoundTripper) http.RoundTripper {
	c := retryablehttp.NewClient()
	c.HTTPClient, c.Logger, c.RetryWaitMin = &http.Client{Transport: next}, nil, time.Millisecond
	return c.StandardClient().Transport
}

// TestATransportThatReadsTheBody signs or buffers it, and what is sent is one request.
func TestATransportThatReadsTheBody(t *testing.T) {
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"buffers":                  buffering,
		"signs all":                func(next http.RoundTripper) http.RoundTripper { return signing(next, 1<<40, false) },
		"signs 64 bytes":           func(next http.RoundTripper) http.RoundTripper { return signing(next, 64, false) },
		"signs all, sends that":    func(next http.RoundTripper) http.RoundTripper { return signing(next, 1<<40, true) },
		"signs 64 bytes and sends": func(next http.RoundTripper) http.RoundTripper { return signing(next, 64, true) },
		"retries":                  retrying,
	} {
		for kind, server := range servers {
			for _, size := range []int{1_000, 256 << 10, 2 << 20} {
				for _, submits := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
					t.Run(fmt.Sprint(name, " ", kind, " ", size, " ", submits), func(t *testing.T) {
						srv := start(t, server)
						client := harness.NewClient(t, srv, quick, harness.Policy(ambient.RetryPolicy{Submits: submits}),
							ambient.WithHTTPClient(&http.Client{Transport: wrap(srv.Client().Transport)}))
						sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.Pattern(size)))
						require.NoError(t, err)
						assert.False(t, sub.PossibleDuplicate())
						assert.Len(t, sub.Call.Attempts, 1)
						srv.AssertCount(t, harness.SubmitRoute, 1)
					})
				}
			}
		}
	}
}

// TestATransportThatRetries is noticed, and stopped by RetrySafe and by WithCommit.
func TestATransportThatRetries(t *testing.T) {
	for name, fault := range map[string]ambienttest.Fault{
		"the answer lost": {Process: true, Reset: ambienttest.ResetAfterRead},
		"a 502":           {Status: 502, Process: true},
	} {
		for kind, server := range servers {
			for _, size := range []int{1_000, 256 << 10} {
				for _, mode := range []string{"documented", "safe", "commit"} {
					for _, body := range []bool{true, false} {
						t.Run(fmt.Sprint(name, " ", kind, " ", size, " ", mode, " ", body), func(t *testing.T) {
							srv := start(t, server)
							client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: retrying(srv.Client().Transport)}),
								harness.Policy(ambient.RetryPolicy{Submits: map[bool]ambient.SubmitRetry{true: ambient.RetrySafe}[mode == "safe"]}))
							require.NoError(t, client.Authenticate(t.Context()))
							route := harness.SubmitRoute
							if !body {
								route, fault.Process = "*", false
								if fault.Status == 0 {
									fault.Reset = ambienttest.ResetAfterRead
								}
								srv.Fault(route, 2, fault)
								if mode == "documented" {
									srv.Fault(route, 3, ambienttest.Fault{Status: 202})
								}
							} else {
								srv.Fault(route, 1, fault)
							}
							var info ambient.CallInfo
							opts := []ambient.CallOption{ambient.WithCallInfo(&info)}
							commits := 0
							if mode == "commit" {
								opts = append(opts, ambient.WithCommit(func(context.Context) error { commits++; return nil }))
							}
							var err error
							if body {
								_, err = harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.Pattern(size)), opts...)
							} else {
								err = client.Do(t.Context(), "POST", "/scribe/7/approve", nil, nil, opts...)
							}
							assert.Len(t, info.Attempts, 1)
							whole := 0
							for _, r := range srv.Requests()[1:] {
								if r.Complete {
									whole++
								}
							}
							if mode == "documented" {
								require.NoError(t, err)
								assert.True(t, info.PossibleDuplicate())
								assert.Equal(t, 2, whole)
								return
							}
							assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
							assert.Equal(t, 1, whole)
							assert.Equal(t, mode == "commit", commits == 1)
						})
					}
				}
			}
		}
	}
}

// TestABufferedBodyThatFoundNoConnection was not sent, and is sent again.
func TestABufferedBodyThatFoundNoConnection(t *testing.T) {
	for name, wrap := range map[string]func(http.RoundTripper) http.RoundTripper{
		"buffers": buffering, "signs": func(next http.RoundTripper) http.RoundTripper { return signing(next, 1<<40, true) },
	} {
		for _, submits := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
			t.Run(fmt.Sprint(name, submits), func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					transport := srv.Client().Transport.(*http.Transport).Clone()
					defer transport.CloseIdleConnections()
					dial, dials := transport.DialContext, 0
					transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if dials++; dials < 3 {
							return nil, errors.New("connection refused")
						}
						return dial(ctx, network, addr)
					}
					client := harness.NewClient(t, srv, ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: wrap(transport)}), harness.Policy(ambient.RetryPolicy{Submits: submits}))
					srv.Fault(harness.SubmitRoute, 1, ambienttest.Fault{Status: 202, Body: created})
					sub, err := harness.SubmitOf(t.Context(), client, harness.Visit())
					require.NoError(t, err)
					assert.False(t, sub.PossibleDuplicate())
					require.Len(t, sub.Call.Attempts, 3)
					for _, a := range sub.Call.Attempts[:2] {
						assert.Equal(t, ambient.NotSent, a.Sent)
						assert.Zero(t, a.BytesSent)
					}
				})
			})
		}
	}
}

// TestATransportThatScribbles on the header that it was given changes no other attempt.
func TestATransportThatScribbles(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		redact := roundTripper(func(r *http.Request) (*http.Response, error) {
			sent := r.Clone(r.Context())
			resp, err := srv.Client().Transport.RoundTrip(sent)
			for _, values := range r.Header {
				for i := range values {
					values[i] = "redacted"
				}
			}
			return resp, err
		})
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: redact}), ambient.WithHeader("X-Site", "clinic"))
		harness.Plan(srv, ambienttest.Answer(503))
		for range 3 {
			_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
			require.NoError(t, err)
		}
		for _, r := range srv.Requests() {
			assert.Equal(t, "clinic", r.Header.Get("X-Site"))
			assert.Equal(t, "application/json", r.Header.Get("Accept"))
		}
	})
}

// TestATransportThatClosesNothing leaves no file open.
func TestATransportThatClosesNothing(t *testing.T) {
	leavesNothing(t)
	mock := roundTripper(func(r *http.Request) (*http.Response, error) {
		_, _ = io.CopyN(io.Discard, r.Body, 2_000)
		return &http.Response{StatusCode: 202, Body: io.NopCloser(strings.NewReader(created)), Header: http.Header{}}, nil
	})
	client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: mock}))
	require.NoError(t, err)
	path := harness.TempFile(t, harness.ShortVisit())
	before := len(harness.OpenFiles())
	for range 50 {
		_, err := harness.SubmitOf(t.Context(), client, ambient.AudioFile(path))
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, len(harness.OpenFiles()), before+1)
}

// TestAudioBytesAreNotReadAfterTheCall rewrites them at once, also where the call ended
// at its deadline or by an early answer. The race detector looks on.
func TestAudioBytesAreNotReadAfterTheCall(t *testing.T) {
	leavesNothing(t)
	client := startBare(t, func(conn bareConn) {
		r := conn.header()
		_, _ = io.CopyN(io.Discard, r.Body, 100_000)
		if conn.n%2 == 0 {
			conn.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		}
		_, _ = io.CopyN(io.Discard, r.Body, 5_000_000)
	}, harness.Policy(ambient.RetryPolicy{MaxAttempts: 1}))
	var calls sync.WaitGroup
	var answered atomic.Int32
	for n := range 20 {
		calls.Go(func() {
			content := harness.Pattern(900 << 10)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+n)*time.Millisecond)
			defer cancel()
			_, err := harness.SubmitOf(ctx, client, ambient.AudioBytes("visit.mp3", content))
			clear(content)
			if harness.HoldsError[*ambient.APIError](err) {
				answered.Add(1)
			}
		})
	}
	calls.Wait()
}

// TestNoReadBeginsAfterTheCall checks that of a source that goes on too late nothing is
// asked any more.
func TestNoReadBeginsAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := ambienttest.StartInMemory(t)
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		var reads atomic.Int32
		source := reading(func(p []byte) (int, error) {
			if reads.Add(1) > 20 {
				time.Sleep(time.Hour)
			}
			return copy(p, harness.Pattern(len(p))), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := harness.SubmitOf(ctx, client, ambient.AudioReader("visit.mp3", source))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		begun := reads.Load()
		time.Sleep(2 * time.Hour)
		assert.Equal(t, begun, reads.Load())
	})
}

type reading func([]byte) (int, error)

func (r reading) Read(p []byte) (int, error) { return r(p) }
