package ambient_test

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/http/cookiejar"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// noEnvironment takes away what a developer's shell may have set.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AMBIENT_USERNAME", "AMBIENT_PASSWORD", "AMBIENT_BASE_URL"} {
		t.Setenv(name, "")
	}
}

// refusals lists the errors that NewClient has joined.
func refusals(err error) (fields []string) {
	harness.EachLink(err, func(err error) {
		if refused, ok := err.(*ambient.RequestError); ok {
			fields = append(fields, refused.Field)
		}
	})
	return fields
}

func TestBadOptionsAreErrorsThatNameThem(t *testing.T) {
	noEnvironment(t)
	bad := map[string][]ambient.Option{
		"NewClient": {nil},
		"WithCredentials": {ambient.WithCredentials("", "p"), ambient.WithCredentials("u", ""), ambient.WithCredentials("", ""), ambient.WithCredentials("svc", "pw\n"),
			ambient.WithCredentials("svc\r\n", "pw"), ambient.WithCredentials("svc", "pw\x00"), ambient.WithCredentials("\ufeffsvc", "pw"), ambient.WithCredentials("svc", "\tpw")},
		"WithCredentialsFunc": {ambient.WithCredentialsFunc(nil)},
		"WithToken":           {ambient.WithToken(""), ambient.WithToken("Bearer abc"), ambient.WithToken("abc\n"), ambient.WithToken("abc\x00"), ambient.WithToken("\ufeffabc")},
		"WithTokenSource":     {ambient.WithTokenSource(nil)},
		"WithBaseURL": {
			ambient.WithBaseURL(""), ambient.WithBaseURL("api.example/v1"), ambient.WithBaseURL("/v1"), ambient.WithBaseURL("https://"), ambient.WithBaseURL("://"),
			ambient.WithBaseURL("http://api.example"), ambient.WithBaseURL("http://127.0.0.1.example"), ambient.WithBaseURL("http://localhost.example"), ambient.WithBaseURL("ftp://127.0.0.1"),
			ambient.WithBaseURL("https://user:pass@api.example"), ambient.WithBaseURL("https://api.example?a=b"), ambient.WithBaseURL("https://api.example#a"), ambient.WithBaseURL("https://api.example:port"),
		},
		"WithHTTPClient": {ambient.WithHTTPClient(nil)},
		"WithHeader": {
			ambient.WithHeader("", "v"), ambient.WithHeader("X Clinic", "v"), ambient.WithHeader("X-Clinic:", "v"), ambient.WithHeader("X-Clinic", "a\r\nB: c"), ambient.WithHeader("X-Clinic", "a\x00"),
			ambient.WithHeader("authorization", "Bearer x"), ambient.WithHeader("Content-Type", "text/plain"), ambient.WithHeader("content-length", "1"), ambient.WithHeader("Host", "x"),
			ambient.WithHeader("Expect", "x"), ambient.WithHeader("Transfer-Encoding", "x"), ambient.WithHeader("user-agent", "x"),
		},
		"WithRetryPolicy": {
			ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: -1}), ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: -1}), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxDelay: -1}),
			ambient.WithRetryPolicy(ambient.RetryPolicy{MaxServerDelay: -1}), ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: 7}),
		},
		"WithRateLimit": {
			ambient.WithRateLimit(0, 1), ambient.WithRateLimit(-1, 1), ambient.WithRateLimit(1, 0), ambient.WithRateLimit(1, -1), ambient.WithRateLimit(math.NaN(), 1), ambient.WithRateLimit(math.Inf(1), 1),
		},
		"WithLimiter":         {ambient.WithLimiter(nil)},
		"WithLogger":          {ambient.WithLogger(nil)},
		"WithObserver":        {ambient.WithObserver(nil)},
		"WithTracer":          {ambient.WithTracer(nil)},
		"WithStallTimeout":    {ambient.WithStallTimeout(-1)},
		"WithResponseTimeout": {ambient.WithResponseTimeout(-1)},
		"WithUserAgent":       {ambient.WithUserAgent(""), ambient.WithUserAgent("a\nb"), ambient.WithUserAgent("a\x00")},
	}
	all := []ambient.Option{ambient.WithToken("token")}
	for name, options := range bad {
		for i, option := range options {
			client, err := ambient.NewClient(ambient.WithToken("token"), option)
			assert.Nil(t, client, name)
			assert.Equal(t, []string{name}, refusals(err), "%d", i)
			if err != nil {
				assert.Contains(t, err.Error(), "ambient: "+name+": ")
			}
			all = append(all, option)
		}
	}
	_, err := ambient.NewClient(all...)
	assert.Len(t, refusals(err), len(all)-1, "all of them are joined")
	assert.Len(t, strings.Split(err.Error(), "\n"), len(all)-1, "one a line")
}

func TestGoodOptionsAreTaken(t *testing.T) {
	noEnvironment(t)
	for _, option := range []ambient.Option{
		ambient.WithBaseURL("https://api.example/v1/"), ambient.WithBaseURL("http://127.0.0.1:8080/v1"), ambient.WithBaseURL("http://localhost"), ambient.WithBaseURL("http://LOCALHOST:8080/v1"), ambient.WithBaseURL("HTTP://LocalHost."),
		ambient.WithBaseURL("HTTPS://API.Example/v1"), ambient.WithBaseURL("http://[::ffff:127.0.0.1]:80"), ambient.WithCredentials("a clinic", "pass word é 密"),
		ambient.WithBaseURL("http://[::1]:80"),
		ambient.WithStallTimeout(0), ambient.WithResponseTimeout(0), ambient.WithRetryPolicy(ambient.RetryPolicy{}), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxLimitWait: -1}),
		ambient.WithRateLimit(0.1, 1), ambient.WithLogger(slog.New(slog.DiscardHandler)),
	} {
		_, err := ambient.NewClient(ambient.WithToken("token"), option)
		assert.NoError(t, err)
	}
}

// net/http would refuse these on every call, and the call would be repeated.
func TestControlCharactersAreRefusedByOptions(t *testing.T) {
	for name, option := range map[string]ambient.Option{
		"WithToken": ambient.WithToken("abc\x01"), "WithHeader": ambient.WithHeader("X-Clinic", "a\x01"), "WithUserAgent": ambient.WithUserAgent("a\x7f"),
	} {
		_, err := ambient.NewClient(ambient.WithToken("token"), option)
		assert.Equal(t, []string{name}, refusals(err), name)
	}
}

// An option that cannot be followed is refused, not forgotten.
func TestWithHeaderAcceptIsFollowedOrRefused(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithHTTPClient(srv.Client()), ambient.WithToken("token"), ambient.WithHeader("Accept", "application/json; version=2"))
		if err != nil {
			assert.Equal(t, []string{"WithHeader"}, refusals(err))
			return
		}
		_ = gettingWith(t, client)
		assert.Equal(t, "application/json; version=2", srv.Requests()[0].Header.Get("Accept"))
	})
}

func TestHeadersOnTheWire(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithHeader("x-clinic", "north"), ambient.WithHeader("X-Clinic", "south"), ambient.WithHeader("X-Tab", "a\tb"), ambient.WithUserAgent("clinic-sync/2.1"))
		require.NoError(t, submittingWith(t, client, harness.Visit()))
		require.Len(t, srv.Requests(), 2)
		for _, r := range srv.Requests() { // of the token call too
			assert.Equal(t, []string{"south"}, r.Header["X-Clinic"], "%v", r)
			assert.Equal(t, "a\tb", r.Header.Get("X-Tab"))
			assert.Regexp(t, `^clinic-sync/2\.1 ambient-go/`+ambient.Version+` \(go`, r.Header.Get("User-Agent"))
			assert.Equal(t, "application/json", r.Header.Get("Accept"))
		}
		assert.Empty(t, srv.Requests()[0].Header.Get("Authorization"), "of the token call")
	})
}

func TestHTTPClientIsCopiedAndNeverChanged(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		asked := false
		own := &http.Client{Transport: srv.Client().Transport, Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
			asked = true
			return nil
		}}
		before := *own
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(own))
		own.Transport, own.Jar = harness.FailWith{}, nil // too late to matter

		srv.Fault("POST /transcribe", 1, ambienttest.Redirect("/elsewhere"))
		harness.CheckType(t, 307, submittingWith(t, client, harness.Visit()))
		assert.False(t, asked, "redirects are never followed")

		srv.FaultRange("POST /transcribe", 2, 5, ambienttest.Fault{Delay: time.Hour})
		start := time.Now()
		err = submittingWith(t, client, harness.Visit())
		assert.Equal(t, 10*time.Second, time.Since(start), "Timeout bounds the attempt")
		assert.True(t, ambient.MaybeSubmitted(err))

		assert.Equal(t, before.Timeout, own.Timeout)
		assert.Equal(t, reflect.ValueOf(before.CheckRedirect).Pointer(), reflect.ValueOf(own.CheckRedirect).Pointer())
		assert.Nil(t, own.Jar)
		assert.Equal(t, harness.FailWith{}, own.Transport)
	})
}

func TestEnvironment(t *testing.T) {
	srv := ambienttest.Start(t)
	noEnvironment(t)
	_, err := ambient.NewClient()
	assert.Equal(t, []string{"credentials"}, refusals(err))
	for _, name := range []string{"AMBIENT_USERNAME", "AMBIENT_PASSWORD", "WithCredentials"} {
		assert.ErrorContains(t, err, name)
	}

	t.Setenv("AMBIENT_USERNAME", srv.Username)
	_, err = ambient.NewClient()
	assert.Equal(t, []string{"credentials"}, refusals(err), "half of them")

	t.Setenv("AMBIENT_PASSWORD", srv.Password)
	t.Setenv("AMBIENT_BASE_URL", srv.URL+"/")
	client, err := ambient.NewClient()
	require.NoError(t, err)
	assert.NoError(t, client.Authenticate(t.Context()))

	t.Setenv("AMBIENT_PASSWORD", "wrong")
	client, err = ambient.NewClient(ambient.WithCredentials(srv.Username, srv.Password))
	require.NoError(t, err)
	assert.NoError(t, client.Authenticate(t.Context()), "an option wins")

	t.Setenv("AMBIENT_BASE_URL", "http://api.example")
	_, err = ambient.NewClient()
	assert.Equal(t, []string{"AMBIENT_BASE_URL"}, refusals(err))
	client, err = ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithCredentials(srv.Username, srv.Password))
	require.NoError(t, err, "a bad variable that nobody reads is no error")
	assert.NoError(t, client.Authenticate(t.Context()))
}

func TestLastCredentialsWin(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		vault := func(context.Context) (string, string, error) { return srv.Username, srv.Password, nil }
		for name, last := range map[string]ambient.Option{
			"WithCredentials": ambient.WithCredentials(srv.Username, srv.Password), "WithCredentialsFunc": ambient.WithCredentialsFunc(vault),
		} {
			client := harness.NewClient(t, srv, ambient.WithToken("stale"), ambient.WithTokenSource(harness.FailingTokens{}), ambient.WithCredentials("clinic", "wrong"), last)
			assert.NoError(t, client.Authenticate(t.Context()), name)
		}
		calls := len(srv.Requests())
		client := harness.NewClient(t, srv, ambient.WithCredentialsFunc(vault), ambient.WithToken("mine"))
		harness.CheckType(t, 401, gettingWith(t, client))
		requests := srv.Requests()[calls:]
		require.Len(t, requests, 1, "no token is fetched")
		assert.Equal(t, "Bearer mine", requests[0].Header.Get("Authorization"))
	})
}
