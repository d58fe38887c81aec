package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// scriptedSource gives out one token after the other.
type scriptedSource struct {
	values      []string
	err         error
	asked       int
	invalidated []string
}

func (s *scriptedSource) Token(context.Context) (ambient.Token, error) {
	s.asked++
	if s.err != nil {
		return ambient.Token{}, s.err
	}
	return ambient.NewToken(s.values[min(s.asked, len(s.values))-1], time.Time{}), nil
}

func (s *scriptedSource) Invalidate(stale ambient.Token) {
	s.invalidated = append(s.invalidated, stale.Value())
}

// TestTokenSource: a source of the caller's is asked for each attempt, told of
// a refused token, and given one chance to have another.
func TestTokenSource(t *testing.T) {
	for name, c := range map[string]struct {
		source      scriptedSource
		requests    int
		invalidated []string
		good        bool
	}{
		"another token":       {scriptedSource{values: []string{"old", "new"}}, 2, []string{"old"}, true},
		"the same one again":  {scriptedSource{values: []string{"old"}}, 1, []string{"old"}, false},
		"one refused as well": {scriptedSource{values: []string{"old", "older"}}, 2, []string{"old"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault(getRoute, 1, ambienttest.Answer(401))
				if c.good {
					srv.Fault(getRoute, 2, someJob)
				}
				err := get(t.Context(), newClient(t, srv, ambient.WithTokenSource(&c.source)))
				if c.good {
					require.NoError(t, err)
				} else {
					_, ok := errors.AsType[*ambient.UnauthorizedError](err)
					assert.True(t, ok, "%v", err)
				}
				srv.AssertCount(t, "*", c.requests)
				assert.Equal(t, c.invalidated, c.source.invalidated)
			})
		})
	}
}

// TestTokenSourceFails: its error is found, its text is not repeated, and
// nothing is sent.
func TestTokenSourceFails(t *testing.T) {
	for name, source := range map[string]*scriptedSource{"error": {err: errVault}, "empty token": {values: []string{""}}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				err := get(t.Context(), newClient(t, srv, ambient.WithTokenSource(source)))
				refused, ok := errors.AsType[*ambient.RequestError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, "WithTokenSource", refused.Field)
				assert.Equal(t, source.err != nil, errors.Is(err, errVault))
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "CAES")
				srv.AssertCount(t, "*", 0)
			})
		})
	}
}

// TestExpectIsDropped for a server that does not know it (RFC 9110, section
// 10.1.1), and the upload is sent without.
func TestExpectIsDropped(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		unknown := ambienttest.Answer(http.StatusExpectationFailed)
		unknown.Early = true
		plan(srv, unknown)
		_, err := submitOf(t.Context(), newClient(t, srv), ambient.AudioBytes("visit.mp3", announcedVisit()))
		require.NoError(t, err)
		sent := srv.RequestsTo(submitRoute)
		require.Len(t, sent, 2)
		assert.Equal(t, "100-continue", sent[0].Header.Get("Expect"))
		assert.Empty(t, sent[1].Header.Get("Expect"))
	})
}

// TestCookies: the caller's jar is used, and a repetition carries each cookie
// once.
func TestCookies(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		sticky := someJob
		sticky.Header = http.Header{"Set-Cookie": {"node=7; Path=/"}}
		srv.Fault(getRoute, 1, sticky)
		srv.FaultRange(getRoute, 2, 3, ambienttest.Answer(503))
		srv.Fault(getRoute, 4, someJob)
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := newClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: srv.Client().Transport, Jar: jar}), ambient.WithHeader("Cookie", "gate=3"))
		require.NoError(t, get(t.Context(), client))
		require.NoError(t, get(t.Context(), client))
		sent := srv.RequestsTo(getRoute)
		assert.Equal(t, []string{"gate=3"}, sent[0].Header.Values("Cookie"))
		for _, r := range sent[1:] {
			assert.Equal(t, []string{"gate=3; node=7"}, r.Header.Values("Cookie"))
		}
	})
}

// A function for the credentials that hangs once, whatever its context says,
// costs the calls of that time and none after it.
func TestCredentialsFuncHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		hang := make(chan struct{})
		defer close(hang)
		var asked atomic.Int32
		client := newClient(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			if asked.Add(1) == 1 {
				<-hang
			}
			return srv.Username, srv.Password, nil
		}))
		err := client.Authenticate(t.Context())
		bad, ok := errors.AsType[*ambient.RequestError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "WithCredentialsFunc", bad.Field)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NoError(t, client.Authenticate(t.Context()))
		assert.EqualValues(t, 2, asked.Load())
	})
}
