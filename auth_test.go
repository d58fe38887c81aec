package ambient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// TestOneTokenCallForAll: however many callers need a token, at the start or
// after it was revoked, one call fetches it, and a straggler whose refusal
// comes late makes no second.
func TestOneTokenCallForAll(t *testing.T) {
	t.Parallel()
	const n = 50
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		call := func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }
		for _, err := range harness.Callers(n, call) {
			require.NoError(t, err)
		}
		srv.AssertCount(t, harness.TokenRoute, 1)

		srv.RevokeTokens()
		first := len(srv.RequestsTo(harness.GetRoute))
		refused := harness.WithDelay(ambienttest.Answer(401), time.Second) // all are on their way by then
		straggler := harness.WithDelay(refused, time.Minute)               // told so when the others are long done
		srv.Fault(harness.GetRoute, first+1, straggler)
		srv.FaultRange(harness.GetRoute, first+2, first+n, refused)
		for _, err := range harness.Callers(n, call) {
			require.NoError(t, err)
		}
		srv.AssertCount(t, harness.TokenRoute, 2)
		assert.Len(t, srv.RequestsTo(harness.GetRoute)[first:], 2*n)
	}, ambienttest.WithTokenDelay(time.Second))
}

// TestOneCallersCancelFailsNobodyElse, and who leaves does not wait.
func TestOneCallersCancelFailsNobodyElse(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		first, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(harness.ErrShutdown) })
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { // starts the token call, and leaves
			err := client.Authenticate(first)
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, harness.ErrShutdown)
			assert.Equal(t, time.Second, time.Since(start))
		})
		synctest.Wait()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			assert.ErrorIs(t, client.Authenticate(ctx), context.DeadlineExceeded)
			assert.Equal(t, 2*time.Second, time.Since(start))
		})
		for range 5 {
			wg.Go(func() { assert.NoError(t, client.Authenticate(t.Context())) })
		}
		wg.Wait()
		assert.Equal(t, 10*time.Second, time.Since(start))
		srv.AssertCount(t, harness.TokenRoute, 1)
	}, ambienttest.WithTokenDelay(10*time.Second))
}

// TestRenewalInTheLastTenth: one caller renews, all go on with the old token,
// and that the renewal fails is no error while the old one lives.
func TestRenewalInTheLastTenth(t *testing.T) {
	const life = 100 * time.Minute
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		call := func() error { return client.Authenticate(context.Background()) }

		time.Sleep(life*9/10 - 2*time.Second)
		require.NoError(t, call())
		synctest.Wait()
		srv.AssertCount(t, harness.TokenRoute, 1)

		srv.FaultRange(harness.TokenRoute, 2, 5, ambienttest.Answer(500))
		time.Sleep(time.Minute)
		start := time.Now()
		for _, err := range harness.Callers(50, call) {
			require.NoError(t, err)
		}
		assert.Zero(t, time.Since(start), "nobody waits for the renewal")
		time.Sleep(30 * time.Second)
		srv.AssertCount(t, harness.TokenRoute, 5) // one renewal of four attempts

		require.NoError(t, call()) // starts the next one
		synctest.Wait()
		srv.AssertCount(t, harness.TokenRoute, 6)
		time.Sleep(20 * time.Minute)
		require.NoError(t, call(), "the new token serves")
		srv.AssertCount(t, harness.TokenRoute, 6)
	}, ambienttest.WithTokenLifetime(life))
}

// TestAFailedRenewalIsAnErrorOnceTheTokenIsGone.
func TestAFailedRenewalIsAnErrorOnceTheTokenIsGone(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		srv.FaultRange(harness.TokenRoute, 2, 5, ambienttest.Answer(503))
		time.Sleep(2 * time.Hour)
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](client.Authenticate(t.Context()))
		assert.True(t, ok)
		assert.NoError(t, client.Authenticate(t.Context()), "and asks again at the next call")
	}, ambienttest.WithTokenLifetime(time.Hour))
}

// TestReplayAfter401: once, with another token; a second refusal is the error.
// Nothing but the replay's own token call is made.
func TestReplayAfter401(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(10 * time.Second)
		srv.Fault(harness.GetRoute, 1, ambienttest.Answer(401))
		srv.Fault(harness.GetRoute, 2, harness.SomeJob)
		require.NoError(t, harness.Get(t.Context(), client))
		sent := srv.RequestsTo(harness.GetRoute)
		assert.NotEqual(t, sent[0].Header.Get("Authorization"), sent[1].Header.Get("Authorization"))
		assert.Equal(t, sent[0].Time, sent[1].Time, "an old token is replaced at once")

		srv.FaultRange(harness.GetRoute, 3, 6, ambienttest.Answer(401))
		_, ok := errors.AsType[*ambient.UnauthorizedError](harness.Get(t.Context(), client))
		assert.True(t, ok)
		srv.AssertRoutes(t, harness.TokenRoute, harness.GetRoute, harness.TokenRoute, harness.GetRoute, harness.GetRoute, harness.TokenRoute,
			harness.GetRoute, harness.GetRoute, harness.GetRoute)
		sent = srv.RequestsTo(harness.GetRoute)
		assert.Equal(t, sent[2].Time, sent[3].Time, "one that was taken before, too")
		assert.Equal(t, time.Second, sent[4].Time.Sub(sent[3].Time), "a new one is tried again")
		assert.Equal(t, 2*time.Second, sent[5].Time.Sub(sent[4].Time))
	})
}

// The clock that checks tokens may be behind the one that issues them: a new token is
// tried again, and not replaced by one that is newer still.
func TestAYoungTokenIsTriedAgain(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		var wg sync.WaitGroup
		for n := range 320 {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * 200 * time.Millisecond)
				start := time.Now()
				_, err := client.Transcriptions.Get(t.Context(), harness.SomeID)
				_, missing := errors.AsType[*ambient.NotFoundError](err) // past the token
				assert.True(t, missing, "%v", err)
				assert.LessOrEqual(t, time.Since(start), 3*time.Second)
			})
		}
		wg.Wait()
		srv.AssertCount(t, harness.TokenRoute, 1)
	}, ambienttest.WithTokenNotBefore(500*time.Millisecond))
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		start := time.Now()
		var info ambient.CallInfo
		_, err := harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithCallInfo(&info))
		require.NoError(t, err)
		assert.Equal(t, 3*time.Second, time.Since(start))
		srv.AssertCount(t, harness.TokenRoute, 1)
		require.Len(t, info.Attempts, 3)
		retries := told.Of(ambient.EventRetry)
		require.Len(t, retries, 2)
		for n, wait := range []time.Duration{time.Second, 2 * time.Second} {
			assert.Equal(t, wait, info.Attempts[n+1].Wait)
			assert.Equal(t, wait, retries[n].Wait)
		}
	}, ambienttest.WithTokenNotBefore(2500*time.Millisecond))
}

// A wait for a new token passes no deadline, and ends with its context. Neither costs the
// token.
func TestAYoungTokenAndTheContext(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		short, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := harness.Get(short, client)
		_, refused := errors.AsType[*ambient.UnauthorizedError](err)
		assert.True(t, refused, "%v", err)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, time.Since(start))

		ended, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		err = harness.Get(ended, client)
		_, refused = errors.AsType[*ambient.UnauthorizedError](err)
		assert.True(t, refused, "%v", err)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 200*time.Millisecond, time.Since(start))

		time.Sleep(time.Second)
		_, err = client.Transcriptions.Get(t.Context(), harness.SomeID)
		_, missing := errors.AsType[*ambient.NotFoundError](err)
		assert.True(t, missing, "%v", err)
		srv.AssertCount(t, harness.TokenRoute, 1)
	}, ambienttest.WithTokenNotBefore(500*time.Millisecond))
}

// TestWrongPassword: never repeated, and remembered for a while, so that a
// thousand callers do not lock the account.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithCredentials(srv.Username, "not-the-password"))
		for _, err := range harness.Callers(1000, func() error { return harness.Get(context.Background(), client) }) {
			refused, ok := errors.AsType[*ambient.UnauthorizedError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "/auth/token", refused.Route)
		}
		srv.AssertCount(t, "*", 1)
		time.Sleep(4 * time.Second)
		require.Error(t, client.Authenticate(t.Context()))
		srv.AssertCount(t, "*", 1)
		time.Sleep(2 * time.Second)
		require.Error(t, client.Authenticate(t.Context()))
		srv.AssertCount(t, "*", 2)
	})
}

// Password forms of FastAPI answer 400 to a wrong password, others 403.
func TestRefusedCredentialsAreRemembered(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			srv.FaultRange(harness.TokenRoute, 1, 2, ambienttest.Answer(status))
			client := harness.NewClient(t, srv)
			for range 20 {
				err := harness.Get(t.Context(), client)
				harness.CheckType(t, status, err)
				assert.False(t, ambient.Retryable(err))
				time.Sleep(200 * time.Millisecond)
			}
			srv.AssertCount(t, "*", 1)
			time.Sleep(time.Second)
			require.Error(t, client.Authenticate(t.Context()))
			srv.AssertCount(t, "*", 2)
			time.Sleep(5 * time.Second)
			require.NoError(t, client.Authenticate(t.Context()))
		})
	}
}

// TestCredentialsFunc is asked at every renewal, so a rotated password is taken
// up at once, also after a refusal.
func TestCredentialsFunc(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var password atomic.Value
		password.Store("the-old-one")
		var asked atomic.Int32
		client := harness.NewClient(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			asked.Add(1)
			return srv.Username, password.Load().(string), nil
		}))
		require.Error(t, client.Authenticate(t.Context()))
		password.Store(srv.Password)
		require.NoError(t, client.Authenticate(t.Context()), "other credentials than the refused ones are tried at once")
		require.NoError(t, client.Authenticate(t.Context()))
		assert.Equal(t, int32(2), asked.Load())
		srv.AssertCount(t, harness.TokenRoute, 2)
	})
}

var errVault = errors.New("vault: permission denied for secret/jane-doe with token hvs.CAESIJd83kq")

// TestCredentialsFuncFails: the error is found and its text is not repeated.
func TestCredentialsFuncFails(t *testing.T) {
	for name, f := range map[string]func(context.Context) (string, string, error){
		"error":        func(context.Context) (string, string, error) { return "", "", errVault },
		"nothing":      func(context.Context) (string, string, error) { return "", "", nil },
		"a line break": func(context.Context) (string, string, error) { return "svc", "CAESIJd83kq\n", nil },
		"a mark":       func(context.Context) (string, string, error) { return "\ufeffjane", "secret", nil },
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				err := harness.Get(t.Context(), harness.NewClient(t, srv, ambient.WithCredentialsFunc(f)))
				failed, isFailure := errors.AsType[*ambient.CredentialsError](err)
				refused, isRefusal := errors.AsType[*ambient.RequestError](err)
				assert.Equal(t, name == "error", isFailure, "%v", err)
				assert.Equal(t, name != "error", isRefusal, "what it gave is of no use")
				if isFailure {
					assert.Equal(t, "WithCredentialsFunc", failed.Source)
				} else {
					assert.Equal(t, "WithCredentialsFunc", refused.Field)
				}
				assert.Equal(t, isFailure, ambient.Retryable(err))
				assert.False(t, ambient.MaybeSubmitted(err))
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v %v", err, err, errors.Unwrap(err))} {
					assert.NotContains(t, text, "jane")
					assert.NotContains(t, text, "CAES")
				}
				assert.Equal(t, name == "error", errors.Is(err, errVault))
				srv.AssertCount(t, "*", 0)
			})
		})
	}
}

// TestStaticTokenIsNotReplayed: there is no other.
func TestStaticTokenIsNotReplayed(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithToken("synthetic-token"))
		require.NoError(t, client.Authenticate(t.Context()))
		err := harness.Get(t.Context(), client)
		refused, ok := errors.AsType[*ambient.UnauthorizedError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, refused.Attempts, 1)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, refused), "synthetic-token")
		srv.AssertRoutes(t, harness.GetRoute)
	})
}

// TestAFreshTokenBeforeWhatIsSentOnce: an aging token is renewed first, since a
// refusal would cost the audio. An outage of the token endpoint costs nothing
// while the old one lives.
func TestAFreshTokenBeforeWhatIsSentOnce(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(59 * time.Minute)
		_, err := harness.SubmitOf(t.Context(), client, harness.AudioOf("reader"))
		require.NoError(t, err)
		srv.AssertRoutes(t, harness.TokenRoute, harness.TokenRoute, harness.SubmitRoute)

		srv.FaultRange(harness.TokenRoute, 3, 10, ambienttest.Answer(503))
		time.Sleep(59 * time.Minute)
		_, err = harness.SubmitOf(t.Context(), client, harness.AudioOf("reader"))
		require.NoError(t, err, "the old token lives for another minute")
		srv.AssertCount(t, harness.TokenRoute, 6)

		time.Sleep(time.Hour)
		_, err = harness.SubmitOf(t.Context(), client, harness.AudioOf("reader"))
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		assert.True(t, ok, "%v", err)
		srv.AssertCount(t, harness.SubmitRoute, 2)
	}, ambienttest.WithTokenLifetime(time.Hour))
}

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

// TestExpiresIn is believed of a token that does not say itself when it expires.
func TestExpiresIn(t *testing.T) {
	t.Parallel()
	const usual = 48 * time.Hour
	hour := func() string { return fmt.Sprintf(`{"exp": %d}`, time.Now().Add(time.Hour).Unix()) }
	for text, c := range map[string]struct {
		claims func() string
		life   time.Duration
	}{
		`1800`: {claims("{}"), 30 * time.Minute}, `"1800"`: {claims("{}"), 30 * time.Minute}, `1800.0`: {claims("{}"), 30 * time.Minute},
		`1`: {claims("{}"), time.Second}, `null`: {claims("{}"), usual}, `0`: {claims("{}"), usual}, `-5`: {claims("{}"), usual}, `1e300`: {claims("{}"), usual},
		`"soon"`: {claims("{}"), usual}, `[1800]`: {claims("{}"), usual}, `true`: {claims("{}"), usual}, `"NaN"`: {claims("{}"), usual}, `"Inf"`: {claims("{}"), usual},
		`60`: {hour, time.Hour}, // the token itself knows better
		`61`: {claims(`{"exp": 1}`), 61 * time.Second},
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &tokenServer{claims: c.claims, body: func(token string) string {
					return `{"access_token": "` + token + `", "expires_in": ` + text + `}`
				}}
				client := srv.client(t)
				require.NoError(t, client.Authenticate(t.Context()))
				time.Sleep(c.life * 8 / 10)
				require.NoError(t, client.Authenticate(t.Context()))
				synctest.Wait()
				assert.Equal(t, 1, srv.calls, "it lives")
				time.Sleep(c.life * 3 / 10)
				require.NoError(t, client.Authenticate(t.Context()))
				assert.Equal(t, 2, srv.calls, "it has expired")
			})
		})
	}
}

// An upload that can be sent once only begins with a token that lives.
func TestAnExpiredOpaqueTokenIsReplacedBeforeAStream(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(1500 * time.Millisecond)
		_, err := harness.SubmitOf(t.Context(), client, harness.AudioOf("reader"))
		require.NoError(t, err)
		srv.AssertRoutes(t, harness.TokenRoute, harness.TokenRoute, harness.SubmitRoute)
	}, ambienttest.WithOpaqueTokens(), ambienttest.WithTokenLifetime(time.Second))
}

func claims(text string) func() string { return func() string { return text } }

// TestUnusableTokens: a token answer that is none is a DecodeError, at once.
func TestUnusableTokens(t *testing.T) {
	for name, body := range map[string]string{
		"no token": `{"token_type": "bearer"}`, "empty": `{"access_token": ""}`, "not JSON": `<html>`, "a number": `{"access_token": 7}`,
		"a line break": `{"access_token": "a\r\nX-Evil: 1"}`, "a NUL": `{"access_token": "a\u0000b"}`, "a byte order mark": `{"access_token": "\ufeffab"}`, "another type": `{"access_token": "abc", "token_type": "mac"}`,
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
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		srv.Fault(harness.GetRoute, 1, ambienttest.RetryAfter(429, "60"))
		time.AfterFunc(30*time.Second, srv.RevokeTokens)
		start := time.Now()
		for _, err := range harness.Callers(n, func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }) {
			require.NoError(t, err)
		}
		assert.Less(t, time.Since(start), 70*time.Second)
		srv.AssertCount(t, harness.TokenRoute, 2)
	})
}

// TestRenewalAtAFullGate: a new client has few requests in flight until the
// first answer, and here that answer is a 401 for all of them.
func TestRenewalAtAFullGate(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		srv.RevokeTokens()
		id := int64(1) // unknown, which is answer enough
		for _, err := range harness.Callers(50, func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }) {
			_, ok := errors.AsType[*ambient.NotFoundError](err)
			require.True(t, ok, "%v", err)
		}
		srv.AssertCount(t, harness.TokenRoute, 2)
	}, ambienttest.WithTokenDelay(time.Second))
}

// TestRateLimitOfTheTokenEndpoint holds up token calls, not calls that have
// a token.
func TestRateLimitOfTheTokenEndpoint(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.Fault(harness.TokenRoute, 1, ambienttest.RetryAfter(429, "60"))
		start := time.Now()
		require.NoError(t, harness.NewClient(t, srv).Authenticate(t.Context()))
		assert.Equal(t, time.Minute, time.Since(start))
		srv.AssertCount(t, harness.TokenRoute, 2)

		srv.FaultRange(harness.TokenRoute, 3, 100, ambienttest.RetryAfter(429, "60"))
		impatient := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxLimitWait: 30 * time.Second}))
		limited, ok := errors.AsType[*ambient.RateLimitError](impatient.Authenticate(t.Context()))
		require.True(t, ok)
		assert.Equal(t, "/auth/token", limited.Route)
		srv.AssertCount(t, harness.TokenRoute, 3)
	})
}

// TestAuthorizationGoesWithTheCallsOnly: the token call has none, renewals
// included.
func TestAuthorizationGoesWithTheCallsOnly(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.Submitted(t, client)
		srv.RevokeTokens()
		_, err := client.Transcriptions.Get(t.Context(), id)
		require.NoError(t, err)
		for _, r := range srv.Requests() {
			assert.Equal(t, r.Route != harness.TokenRoute, r.Header.Get("Authorization") != "", "%v", r)
		}
		srv.AssertCount(t, harness.TokenRoute, 2)
	})
}

// A vault that hangs does not hold up an upload that can be sent once only, while
// the token still lives.
func TestAHungVaultHoldsUpNoUpload(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		asked := 0
		client := harness.NewClient(t, srv, ambient.WithCredentialsFunc(func(ctx context.Context) (string, string, error) {
			if asked++; asked > 1 {
				<-ctx.Done()
				return "", "", ctx.Err()
			}
			return srv.Username, srv.Password, nil
		}))
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(44 * time.Hour) // the last tenth of 48 hours
		start := time.Now()
		_, err := harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", harness.ReaderAt(harness.ShortVisit())))
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(start))
		time.Sleep(time.Hour) // until the renewal has given up
	})
}

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
		return ambient.NewToken("useless", time.Time{}), s.err
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
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault(harness.GetRoute, 1, ambienttest.Answer(401))
				if c.good {
					srv.Fault(harness.GetRoute, 2, harness.SomeJob)
				}
				err := harness.Get(t.Context(), harness.NewClient(t, srv, ambient.WithTokenSource(&c.source)))
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
	for name, source := range map[string]*scriptedSource{
		"error": {err: errVault}, "an error of another client": {err: &ambient.NotFoundError{APIError: &ambient.APIError{StatusCode: 404, Detail: "CAES"}}},
		"its own cancellation": {err: fmt.Errorf("CAES: %w", context.Canceled)},
		"empty token":          {values: []string{""}}, "NUL": {values: []string{"CAES\x00"}}, "line break": {values: []string{"CAES\n"}},
		"space": {values: []string{"Bearer CAES"}}, "byte order mark": {values: []string{"\ufeffCAES"}},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				var info ambient.CallInfo
				err := harness.Get(t.Context(), harness.NewClient(t, srv, ambient.WithTokenSource(source)), ambient.WithCallInfo(&info))
				failed, isFailure := errors.AsType[*ambient.CredentialsError](err)
				refused, isRefusal := errors.AsType[*ambient.RequestError](err)
				assert.Equal(t, source.err != nil, isFailure, "%v", err)
				assert.Equal(t, source.err == nil, isRefusal, "what it gave is of no use")
				if isFailure {
					assert.Equal(t, "WithTokenSource", failed.Source)
				} else {
					assert.Equal(t, "WithTokenSource", refused.Field)
				}
				assert.Equal(t, isFailure, ambient.Retryable(err))
				assert.False(t, ambient.MaybeSubmitted(err))
				assert.Empty(t, info.Attempts, "nothing was sent")
				assert.Equal(t, source.err != nil, errors.Is(err, source.err))
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
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		unknown := ambienttest.Answer(http.StatusExpectationFailed)
		unknown.Early = true
		harness.Plan(srv, unknown)
		_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit()))
		require.NoError(t, err)
		sent := srv.RequestsTo(harness.SubmitRoute)
		require.Len(t, sent, 2)
		assert.Equal(t, "100-continue", sent[0].Header.Get("Expect"))
		assert.Empty(t, sent[1].Header.Get("Expect"))
	})
}

// TestCookies: the caller's jar is used, and a repetition carries each cookie
// once.
func TestCookies(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		sticky := harness.SomeJob
		sticky.Header = http.Header{"Set-Cookie": {"node=7; Path=/"}}
		srv.Fault(harness.GetRoute, 1, sticky)
		srv.FaultRange(harness.GetRoute, 2, 3, ambienttest.Answer(503))
		srv.Fault(harness.GetRoute, 4, harness.SomeJob)
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: srv.Client().Transport, Jar: jar}), ambient.WithHeader("Cookie", "gate=3"))
		require.NoError(t, harness.Get(t.Context(), client))
		require.NoError(t, harness.Get(t.Context(), client))
		sent := srv.RequestsTo(harness.GetRoute)
		assert.Equal(t, []string{"gate=3"}, sent[0].Header.Values("Cookie"))
		for _, r := range sent[1:] {
			assert.Equal(t, []string{"gate=3; node=7"}, r.Header.Values("Cookie"))
		}
	})
}

// A function for the credentials that hangs once, whatever its context says,
// costs the calls of that time and none after it.
func TestCredentialsFuncHangs(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		hang := make(chan struct{})
		defer close(hang)
		var asked atomic.Int32
		client := harness.NewClient(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			if asked.Add(1) == 1 {
				<-hang
			}
			return srv.Username, srv.Password, nil
		}))
		err := client.Authenticate(t.Context())
		failed, ok := errors.AsType[*ambient.CredentialsError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "WithCredentialsFunc", failed.Source)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NoError(t, client.Authenticate(t.Context()))
		assert.EqualValues(t, 2, asked.Load())
	})
}

// An observer that ends the goroutine of a token call ends the call that asked for it.
func TestObserverEndsATokenCall(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithObserver(func(_ context.Context, e ambient.Event) {
			if e.Route == "/auth/token" {
				runtime.Goexit()
			}
		}))
		source, ok := errors.AsType[*ambient.CredentialsError](client.Authenticate(t.Context()))
		require.True(t, ok)
		assert.Equal(t, "WithCredentials", source.Source)
	})
}
