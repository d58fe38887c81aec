package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

const second = time.Second

func withTrickle(f ambienttest.Fault, d time.Duration) ambienttest.Fault {
	f.Trickle = d
	return f
}

// TestADeadConnectionIsCut checks that an attempt ends when bytes are due and none
// moves for the bound. Its error says so and how far the request got.
func TestADeadConnectionIsCut(t *testing.T) {
	t.Parallel()
	const stall, response = 60 * time.Second, 5 * time.Minute // the defaults
	announced := ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit())
	hangMidBody := ambienttest.Fault{Reset: ambienttest.ResetMidBody, Delay: time.Hour}
	for _, c := range []struct {
		name  string
		route string
		audio ambient.Audio
		fault ambienttest.Fault
		after time.Duration
		sent  ambient.Delivery
		text  string
	}{
		{"upload stalls", harness.SubmitRoute, harness.AudioOf(""), hangMidBody, stall, ambient.PartlySent, "stalled"},
		{"upload stalls after 100 Continue", harness.SubmitRoute, announced, hangMidBody, stall, ambient.PartlySent, "stalled"},
		{"no response to a submit", harness.SubmitRoute, harness.AudioOf(""), ambienttest.Fault{Delay: time.Hour}, response, ambient.FullySent, "no response"},
		{"no response to a read", harness.GetRoute, ambient.Audio{}, ambienttest.Fault{Delay: time.Hour}, response, ambient.FullySent, "no response"},
		{"response body stalls", harness.GetRoute, ambient.Audio{}, withTrickle(harness.SomeJob, time.Hour), stall, ambient.Answered, "stalled"},
		{"response body of a submit stalls", harness.SubmitRoute, harness.AudioOf(""), withTrickle(harness.SomeJob, time.Hour), stall, ambient.Answered, "stalled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault(c.route, 1, c.fault)
				client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxAttempts: 1}))
				start := time.Now()
				var err error
				if c.route == harness.SubmitRoute {
					_, err = harness.SubmitOf(t.Context(), client, c.audio)
				} else {
					err = harness.Get(t.Context(), client)
				}
				network, ok := errors.AsType[*ambient.NetworkError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, c.after, time.Since(start))
				assert.Equal(t, c.sent, network.Sent)
				assert.ErrorContains(t, err, c.text)
				assert.True(t, network.Timeout())
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				var netErr net.Error
				assert.ErrorAs(t, err, &netErr)
				taken := c.route == harness.SubmitRoute && c.sent != ambient.PartlySent
				assert.Equal(t, taken, ambient.MaybeSubmitted(err))
			})
		})
	}
}

// TestAStalledErrorBodyKeepsItsStatus checks that the error is that of the status,
// which is known by then.
func TestAStalledErrorBodyKeepsItsStatus(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.GetRoute, 1, withTrickle(ambienttest.Answer(404), time.Hour))
		start := time.Now()
		err := harness.Get(t.Context(), harness.NewClient(t, srv))
		missing, ok := errors.AsType[*ambient.NotFoundError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, time.Minute, time.Since(start))
		assert.ErrorContains(t, missing.Attempts[0].Err, "stalled")
	})
}

// TestASlowConnectionIsNotDead checks a connection that moves a byte a second for as
// long as an answer may take.
func TestASlowConnectionIsNotDead(t *testing.T) {
	t.Parallel()
	const size = 1000
	slow := ambienttest.Fault{Status: 200, Body: `{"id": 7, "task_status": "STT_COMPLETED", "raw_text": "` + strings.Repeat("x", size) + `"}`, Trickle: second}
	for name, test := range map[string]func(t *testing.T, srv *ambienttest.Server, client *ambient.Client){
		"download": func(t *testing.T, srv *ambienttest.Server, client *ambient.Client) {
			srv.Fault(harness.GetRoute, 1, slow)
			require.NoError(t, harness.Get(t.Context(), client))
		},
		"error body": func(t *testing.T, srv *ambienttest.Server, client *ambient.Client) {
			f := slow
			f.Status = 404
			srv.Fault(harness.GetRoute, 1, f)
			missing, ok := errors.AsType[*ambient.NotFoundError](harness.Get(t.Context(), client))
			require.True(t, ok)
			assert.Equal(t, f.Body, string(missing.Body()))
		},
		"upload": func(t *testing.T, srv *ambienttest.Server, client *ambient.Client) {
			source := &slowReader{bytes.NewReader(harness.Pattern(size))}
			sub, err := harness.SubmitOf(t.Context(), client, ambient.AudioReaderAt("visit.mp3", source, size))
			require.NoError(t, err)
			assert.Len(t, sub.Call.Attempts, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				start := time.Now()
				test(t, srv, harness.NewClient(t, srv, ambient.WithResponseTimeout(2*size*second), ambient.WithStallTimeout(5*second)))
				assert.GreaterOrEqual(t, time.Since(start), size*second)
			})
		})
	}
}

// slowReader gives a byte a second once its head was looked at.
type slowReader struct {
	r *bytes.Reader
}

func (s *slowReader) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(second)
	n, err := s.r.ReadAt(p[:1], off)
	if err == nil && int(off)+n == int(s.r.Size()) {
		err = io.EOF
	}
	return n, err
}

// TestClientTimeoutBoundsEachAttempt and not the call, nor its backoffs.
func TestClientTimeoutBoundsEachAttempt(t *testing.T) {
	t.Parallel()
	const bound = 10*second + second/2
	late := harness.WithDelay(harness.SomeJob, time.Minute)
	endless := ambienttest.Fault{Status: 503, BodySize: ambienttest.Endless, Trickle: second}
	for _, c := range []struct {
		name   string
		faults []ambienttest.Fault
		good   bool
		check  func(*testing.T, error)
	}{
		{"one attempt too long", []ambienttest.Fault{late, harness.SomeJob}, true, nil},
		{"many short attempts", []ambienttest.Fault{harness.WithDelay(ambienttest.RetryAfter(503, "9"), 9*second), harness.WithDelay(harness.SomeJob, 9*second)}, true, nil},
		{"all too long", []ambienttest.Fault{late, late, late, late}, false, func(t *testing.T, err error) {
			network, ok := errors.AsType[*ambient.NetworkError](err)
			require.True(t, ok, "%v", err)
			assert.True(t, network.Timeout())
			assert.ErrorContains(t, err, "Timeout")
		}},
		{"an error body without an end", []ambienttest.Fault{endless, endless, endless, endless}, false, func(t *testing.T, err error) {
			failed, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
			require.True(t, ok, "%v", err)
			assert.Len(t, failed.Body(), 10, "what had come by then")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				for i, f := range c.faults {
					srv.Fault(harness.GetRoute, i+1, f)
				}
				client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: srv.Client().Transport, Timeout: bound}))
				var info ambient.CallInfo
				start := time.Now()
				err := harness.Get(t.Context(), client, ambient.WithCallInfo(&info))
				if c.good {
					require.NoError(t, err)
				} else {
					c.check(t, err)
				}
				assert.Greater(t, time.Since(start), bound)
				require.Len(t, info.Attempts, len(c.faults))
				for _, a := range info.Attempts {
					assert.LessOrEqual(t, a.Duration, bound)
				}
			})
		})
	}
}

// sleepingReader is a source that hangs half way, as a pipe from a stuck
// program does.
type sleepingReader struct {
	r    io.Reader
	left int
}

func (s *sleepingReader) Read(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		time.Sleep(24 * time.Hour)
	}
	return s.r.Read(p)
}

// TestAHangingSourceDoesNotHoldTheCall: neither past the stall timeout nor past
// the caller's context, though net/http waits for a Read of the body to return.
func TestAHangingSourceDoesNotHoldTheCall(t *testing.T) {
	t.Parallel()
	for name, patience := range map[string]time.Duration{"stall timeout": time.Hour, "context": second} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				require.NoError(t, client.Authenticate(t.Context()))
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				start := time.Now()
				source := &sleepingReader{bytes.NewReader(harness.Pattern(1 << 20)), 100 << 10}
				_, err := harness.SubmitOf(ctx, client, ambient.AudioReader("visit.mp3", source))
				assert.LessOrEqual(t, time.Since(start), min(patience, time.Minute)+5*second)
				assert.False(t, ambient.MaybeSubmitted(err))
				network, isNetwork := errors.AsType[*ambient.NetworkError](err)
				broken, isBroken := errors.AsType[*ambient.AudioError](err)
				assert.Equal(t, name == "context", isNetwork, "%v", err)
				assert.Equal(t, name == "stall timeout", isBroken, "%v", err)
				if isNetwork {
					assert.Equal(t, ambient.PartlySent, network.Sent)
				} else {
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
					assert.Equal(t, 0, broken.Part)
					assert.GreaterOrEqual(t, broken.Offset, int64(64<<10))
				}
				time.Sleep(24 * time.Hour) // let the source go on
			})
		})
	}
}

// TestZeroMeansNever checks that zero switches each bound off.
func TestZeroMeansNever(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.GetRoute, 1, withTrickle(harness.WithDelay(harness.SomeJob, 24*time.Hour), time.Hour))
		require.NoError(t, harness.Get(t.Context(), harness.NewClient(t, srv, ambient.WithStallTimeout(0), ambient.WithResponseTimeout(0))))
	})
}

// TestWaitingForAConnectionIsNoStall checks a transport whose connections are all in
// use. It has no byte due.
func TestWaitingForAConnectionIsNoStall(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		transport := srv.Client().Transport.(*http.Transport).Clone()
		transport.MaxConnsPerHost = 1
		defer transport.CloseIdleConnections()
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, client.Authenticate(t.Context()))
		srv.FaultRange(harness.SubmitRoute, 1, 2, ambienttest.Fault{Delay: 4 * time.Minute})
		for _, err := range harness.Callers(2, func() error { _, err := harness.SubmitOf(t.Context(), client, harness.Visit()); return err }) {
			assert.NoError(t, err)
		}
		srv.AssertCount(t, harness.SubmitRoute, 2)
	})
}

// TestNoConnectionInTime checks that a call does not wait for a connection for ever.
func TestNoConnectionInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		defer transport.CloseIdleConnections()
		client, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHTTPClient(&http.Client{Transport: transport}), harness.Policy(ambient.RetryPolicy{MaxAttempts: 1}))
		require.NoError(t, err)
		start := time.Now()
		_, err = harness.SubmitOf(t.Context(), client, harness.Visit())
		network, ok := errors.AsType[*ambient.NetworkError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, ambient.NotSent, network.Sent)
		assert.True(t, network.Timeout())
		assert.ErrorContains(t, err, "no connection")
		assert.Equal(t, 5*time.Minute, time.Since(start))
	})
}
