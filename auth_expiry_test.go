package ambient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// tokenServer answers token calls with tokens made by hand.
type tokenServer struct {
	claims func() string             // the JWT's payload
	body   func(token string) string // of the answer; nil = the documented one
	date   func() time.Time          // of the server's clock; nil = no Date header
	calls  int
}

func (s *tokenServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls++
	encode := base64.RawURLEncoding.EncodeToString
	token := fmt.Sprintf("%s.%s.%d", encode([]byte(`{"alg":"none"}`)), encode([]byte(s.claims())), s.calls)
	body := `{"access_token": "` + token + `", "token_type": "bearer"}`
	if s.body != nil {
		body = s.body(token)
	}
	header := http.Header{}
	if s.date != nil {
		header.Set("Date", s.date().UTC().Format(http.TimeFormat))
	}
	return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s *tokenServer) client(t testing.TB) *ambient.Client {
	client, err := ambient.NewClient(ambient.WithBaseURL("https://api.invalid"), ambient.WithCredentials("synthetic", "synthetic"),
		ambient.WithHTTPClient(&http.Client{Transport: s}))
	require.NoError(t, err)
	return client
}

// TestExpiry: a token lives until its exp claim by the server's own clock,
// where that can be believed, else for the documented 48 hours.
func TestExpiry(t *testing.T) {
	t.Parallel()
	const usual = 48 * time.Hour
	ahead := 3 * time.Hour
	claim := func(format string, d time.Duration) func() string {
		return func() string { return fmt.Sprintf(format, time.Now().Add(d).Unix()) }
	}
	for _, c := range []struct {
		name   string
		claims func() string
		date   func() time.Time
		life   time.Duration
	}{
		{"an hour", claim(`{"exp": %d}`, time.Hour), nil, time.Hour},
		{"a fraction of a second", claim(`{"exp": %d.5}`, time.Hour), nil, time.Hour},
		{"absent", claims(`{"sub": "synthetic"}`), nil, usual},
		{"null", claims(`{"exp": null}`), nil, usual},
		{"text", claim(`{"exp": "%d"}`, time.Hour), nil, usual},
		{"not JSON", claims(`exp`), nil, usual},
		{"past", claim(`{"exp": %d}`, -time.Hour), nil, usual},
		{"zero", claims(`{"exp": 0}`), nil, usual},
		{"negative", claims(`{"exp": -1}`), nil, usual},
		{"milliseconds", claim(`{"exp": %d000}`, time.Hour), nil, usual},
		{"absurd", claims(`{"exp": 1e300}`), nil, usual},
		{"ten years", claim(`{"exp": %d}`, 87600*time.Hour), nil, usual},
		{"server's clock ahead", claim(`{"exp": %d}`, ahead+time.Hour), func() time.Time { return time.Now().Add(ahead) }, time.Hour},
		{"server's clock behind", claim(`{"exp": %d}`, time.Hour-ahead), func() time.Time { return time.Now().Add(-ahead) }, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &tokenServer{claims: c.claims, date: c.date}
				client := srv.client(t)
				at := func(age time.Duration, start time.Time) {
					time.Sleep(time.Until(start.Add(age)))
					require.NoError(t, client.Authenticate(t.Context()))
					synctest.Wait()
				}
				start := time.Now()
				at(0, start)
				at(c.life*9/10-time.Minute, start)
				assert.Equal(t, 1, srv.calls, "young")
				at(c.life*9/10+time.Minute, start)
				assert.Equal(t, 2, srv.calls, "in its last tenth")
				renewed := time.Now()
				at(c.life*9/10-time.Minute, renewed)
				assert.Equal(t, 2, srv.calls)
				at(c.life+time.Minute, renewed)
				assert.Equal(t, 3, srv.calls, "gone")
			})
		})
	}
}

func claims(text string) func() string { return func() string { return text } }

// TestUnusableTokens: a token answer that is none is a DecodeError, at once.
func TestUnusableTokens(t *testing.T) {
	for name, body := range map[string]string{
		"no token": `{"token_type": "bearer"}`, "empty": `{"access_token": ""}`, "not JSON": `<html>`, "a number": `{"access_token": 7}`,
		"a line break": `{"access_token": "a\r\nX-Evil: 1"}`, "another type": `{"access_token": "abc", "token_type": "mac"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &tokenServer{claims: claims("{}"), body: func(string) string { return body }}
				err := srv.client(t).Authenticate(t.Context())
				decode, ok := errors.AsType[*ambient.DecodeError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, "/auth/token", decode.Route)
				assert.Equal(t, 1, srv.calls)
			})
		})
	}
	t.Run("no type at all is fine", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := &tokenServer{claims: claims("{}"), body: func(token string) string { return `{"access_token": "` + token + `"}` }}
			assert.NoError(t, srv.client(t).Authenticate(t.Context()))
		})
	})
}

// TestRenewalAtAClosedGate: calls that wait for the rate limit meet a revoked
// token when it opens; the token call needs no place in their line.
func TestRenewalAtAClosedGate(t *testing.T) {
	t.Parallel()
	const n = 50
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
		srv.Fault(getRoute, 1, ambienttest.RetryAfter(429, "60"))
		time.AfterFunc(30*time.Second, srv.RevokeTokens)
		start := time.Now()
		for _, err := range callers(n, func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }) {
			require.NoError(t, err)
		}
		assert.Less(t, time.Since(start), 70*time.Second)
		srv.AssertCount(t, tokenRoute, 2)
	})
}

// TestRenewalAtAFullGate: a new client has few requests in flight until the
// first answer, and here that answer is a 401 for all of them.
func TestRenewalAtAFullGate(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		srv.RevokeTokens()
		id := int64(1) // unknown, which is answer enough
		for _, err := range callers(50, func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }) {
			_, ok := errors.AsType[*ambient.NotFoundError](err)
			require.True(t, ok, "%v", err)
		}
		srv.AssertCount(t, tokenRoute, 2)
	}, ambienttest.WithTokenDelay(time.Second))
}

// TestRateLimitOfTheTokenEndpoint holds up token calls, not calls that have
// a token.
func TestRateLimitOfTheTokenEndpoint(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(tokenRoute, 1, ambienttest.RetryAfter(429, "60"))
		start := time.Now()
		require.NoError(t, newClient(t, srv).Authenticate(t.Context()))
		assert.Equal(t, time.Minute, time.Since(start))
		srv.AssertCount(t, tokenRoute, 2)

		srv.FaultRange(tokenRoute, 3, 100, ambienttest.RetryAfter(429, "60"))
		impatient := newClient(t, srv, policy(ambient.RetryPolicy{MaxLimitWait: 30 * time.Second}))
		limited, ok := errors.AsType[*ambient.RateLimitError](impatient.Authenticate(t.Context()))
		require.True(t, ok)
		assert.Equal(t, "/auth/token", limited.Route)
		srv.AssertCount(t, tokenRoute, 3)
	})
}

// TestAuthorizationGoesWithTheCallsOnly: the token call has none, renewals
// included.
func TestAuthorizationGoesWithTheCallsOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
		srv.RevokeTokens()
		_, err := client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		for _, r := range srv.Requests() {
			assert.Equal(t, r.Route != tokenRoute, r.Header.Get("Authorization") != "", "%v", r)
		}
		srv.AssertCount(t, tokenRoute, 2)
	})
}

// A vault that hangs does not hold up an upload that can be sent once only, while
// the token still lives.
func TestAHungVaultHoldsUpNoUpload(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		asked := 0
		client := newClient(t, srv, ambient.WithCredentialsFunc(func(ctx context.Context) (string, string, error) {
			if asked++; asked > 1 {
				<-ctx.Done()
				return "", "", ctx.Err()
			}
			return srv.Username, srv.Password, nil
		}))
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(44 * time.Hour) // the last tenth of 48 hours
		start := time.Now()
		_, err := submitOf(t.Context(), client, ambient.AudioReader("visit.mp3", readerAt(shortVisit())))
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(start))
		time.Sleep(time.Hour) // until the renewal has given up
	})
}
