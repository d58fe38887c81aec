package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// TestOneTokenCallForAll: however many callers need a token, at the start or
// after it was revoked, one call fetches it, and a straggler whose refusal
// comes late makes no second.
func TestOneTokenCallForAll(t *testing.T) {
	t.Parallel()
	const n = 50
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitted(t, client)
		call := func() error { _, err := client.Transcriptions.Get(context.Background(), id); return err }
		for _, err := range callers(n, call) {
			require.NoError(t, err)
		}
		srv.AssertCount(t, tokenRoute, 1)

		srv.RevokeTokens()
		first := len(srv.RequestsTo(getRoute))
		refused := withDelay(ambienttest.Answer(401), time.Second) // all are on their way by then
		straggler := withDelay(refused, time.Minute)               // told so when the others are long done
		srv.Fault(getRoute, first+1, straggler)
		srv.FaultRange(getRoute, first+2, first+n, refused)
		for _, err := range callers(n, call) {
			require.NoError(t, err)
		}
		srv.AssertCount(t, tokenRoute, 2)
		assert.Len(t, srv.RequestsTo(getRoute)[first:], 2*n)
	}, ambienttest.WithTokenDelay(time.Second))
}

// TestOneCallersCancelFailsNobodyElse, and who leaves does not wait.
func TestOneCallersCancelFailsNobodyElse(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		first, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errShutdown) })
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { // starts the token call, and leaves
			err := client.Authenticate(first)
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, errShutdown)
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
		srv.AssertCount(t, tokenRoute, 1)
	}, ambienttest.WithTokenDelay(10*time.Second))
}

// TestRenewalInTheLastTenth: one caller renews, all go on with the old token,
// and that the renewal fails is no error while the old one lives.
func TestRenewalInTheLastTenth(t *testing.T) {
	const life = 100 * time.Minute
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		call := func() error { return client.Authenticate(context.Background()) }

		time.Sleep(life*9/10 - 2*time.Second)
		require.NoError(t, call())
		synctest.Wait()
		srv.AssertCount(t, tokenRoute, 1)

		srv.FaultRange(tokenRoute, 2, 5, ambienttest.Answer(500))
		time.Sleep(time.Minute)
		start := time.Now()
		for _, err := range callers(50, call) {
			require.NoError(t, err)
		}
		assert.Zero(t, time.Since(start), "nobody waits for the renewal")
		time.Sleep(30 * time.Second)
		srv.AssertCount(t, tokenRoute, 5) // one renewal of four attempts

		require.NoError(t, call()) // starts the next one
		synctest.Wait()
		srv.AssertCount(t, tokenRoute, 6)
		time.Sleep(20 * time.Minute)
		require.NoError(t, call(), "the new token serves")
		srv.AssertCount(t, tokenRoute, 6)
	}, ambienttest.WithTokenLifetime(life))
}

// TestAFailedRenewalIsAnErrorOnceTheTokenIsGone.
func TestAFailedRenewalIsAnErrorOnceTheTokenIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		srv.FaultRange(tokenRoute, 2, 5, ambienttest.Answer(503))
		time.Sleep(2 * time.Hour)
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](client.Authenticate(t.Context()))
		assert.True(t, ok)
		assert.NoError(t, client.Authenticate(t.Context()), "and asks again at the next call")
	}, ambienttest.WithTokenLifetime(time.Hour))
}

// TestReplayAfter401: once, with another token; a second refusal is the error.
// Nothing but the replay's own token call is made.
func TestReplayAfter401(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		srv.Fault(getRoute, 1, ambienttest.Answer(401))
		srv.Fault(getRoute, 2, someJob)
		require.NoError(t, get(t.Context(), client))
		sent := srv.RequestsTo(getRoute)
		assert.NotEqual(t, sent[0].Header.Get("Authorization"), sent[1].Header.Get("Authorization"))

		srv.FaultRange(getRoute, 3, 4, ambienttest.Answer(401))
		_, ok := errors.AsType[*ambient.UnauthorizedError](get(t.Context(), client))
		assert.True(t, ok)
		srv.AssertRoutes(t, tokenRoute, getRoute, tokenRoute, getRoute, getRoute, tokenRoute, getRoute)
	})
}

// TestWrongPassword: never repeated, and remembered for a while, so that a
// thousand callers do not lock the account.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv, ambient.WithCredentials(srv.Username, "not-the-password"))
		for _, err := range callers(1000, func() error { return get(context.Background(), client) }) {
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

// TestCredentialsFunc is asked at every renewal, so a rotated password is taken
// up at once, also after a refusal.
func TestCredentialsFunc(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var password atomic.Value
		password.Store("the-old-one")
		var asked atomic.Int32
		client := newClient(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			asked.Add(1)
			return srv.Username, password.Load().(string), nil
		}))
		require.Error(t, client.Authenticate(t.Context()))
		password.Store(srv.Password)
		require.NoError(t, client.Authenticate(t.Context()), "other credentials than the refused ones are tried at once")
		require.NoError(t, client.Authenticate(t.Context()))
		assert.Equal(t, int32(2), asked.Load())
		srv.AssertCount(t, tokenRoute, 2)
	})
}

var errVault = errors.New("vault: permission denied for secret/jane-doe with token hvs.CAESIJd83kq")

// TestCredentialsFuncFails: the error is found and its text is not repeated.
func TestCredentialsFuncFails(t *testing.T) {
	for name, f := range map[string]func(context.Context) (string, string, error){
		"error":   func(context.Context) (string, string, error) { return "", "", errVault },
		"nothing": func(context.Context) (string, string, error) { return "", "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				err := get(t.Context(), newClient(t, srv, ambient.WithCredentialsFunc(f)))
				refused, ok := errors.AsType[*ambient.RequestError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, "WithCredentialsFunc", refused.Field)
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
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv, ambient.WithToken("synthetic-token"))
		require.NoError(t, client.Authenticate(t.Context()))
		err := get(t.Context(), client)
		refused, ok := errors.AsType[*ambient.UnauthorizedError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, refused.Attempts, 1)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, refused), "synthetic-token")
		srv.AssertRoutes(t, getRoute)
	})
}

// TestAFreshTokenBeforeWhatIsSentOnce: an aging token is renewed first, since a
// refusal would cost the audio. An outage of the token endpoint costs nothing
// while the old one lives.
func TestAFreshTokenBeforeWhatIsSentOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(59 * time.Minute)
		_, err := submitOf(t.Context(), client, audioOf("reader"))
		require.NoError(t, err)
		srv.AssertRoutes(t, tokenRoute, tokenRoute, submitRoute)

		srv.FaultRange(tokenRoute, 3, 10, ambienttest.Answer(503))
		time.Sleep(59 * time.Minute)
		_, err = submitOf(t.Context(), client, audioOf("reader"))
		require.NoError(t, err, "the old token lives for another minute")
		srv.AssertCount(t, tokenRoute, 6)

		time.Sleep(time.Hour)
		_, err = submitOf(t.Context(), client, audioOf("reader"))
		_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
		assert.True(t, ok, "%v", err)
		srv.AssertCount(t, submitRoute, 2)
	}, ambienttest.WithTokenLifetime(time.Hour))
}
