package ambienttest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// as is a caller with another account.
func as(t *testing.T, srv *Server, username, password string) *caller {
	t.Helper()
	c := &caller{t: t, srv: srv}
	values := url.Values{"username": {username}, "password": {password}}
	r := c.send("POST", "/auth/token", urlencoded, strings.NewReader(values.Encode()))
	want(t, "token call", r.status, http.StatusOK)
	c.token, _ = r.json(t)["access_token"].(string)
	return c
}

// Accounts share a server and nothing else.
func TestAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const accounts = 200
		var opts []Option
		for i := range accounts {
			opts = append(opts, WithAccount(fmt.Sprint("clinic ", i), fmt.Sprint("synthetic ", i)))
		}
		srv := StartInMemory(t, append(opts, WithRateLimit(RateLimit{Limit: 2, Window: time.Hour}))...)
		var clinics []*caller
		for i := range accounts {
			clinics = append(clinics, as(t, srv, fmt.Sprint("clinic ", i), fmt.Sprint("synthetic ", i)))
		}
		for i, c := range clinics {
			path := c.job()
			want(t, "its own job", c.get(path).status, http.StatusOK)
			want(t, "over its limit", c.get(path).status, http.StatusTooManyRequests)
			if i < accounts-1 {
				continue
			}
			own := newCaller(t, srv)
			want(t, "another's job", own.get(path).status, http.StatusNotFound)
			want(t, "account", srv.RequestsTo("GET /transcribe/{id}")[0].Account, "clinic 0")
			want(t, "of a token call", srv.RequestsTo(tokenRoute)[3].Account, "clinic 3")
			srv.RevokeTokens()
			want(t, "revoked", own.get(path).status, http.StatusUnauthorized)
			requests := srv.Requests()
			want(t, "no account", requests[len(requests)-1].Account, "")
		}
		c := &caller{t: t, srv: srv}
		want(t, "another's password", c.send("POST", "/auth/token", urlencoded, strings.NewReader("username=clinic+1&password=synthetic+2")).status, http.StatusUnauthorized)
	})
}

func TestTokenNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t, WithTokenNotBefore(500*time.Millisecond), WithTokenLifetime(time.Minute)))
		want(t, "at once", c.get("/transcribe/7").status, http.StatusUnauthorized)
		time.Sleep(500*time.Millisecond - 1)
		want(t, "too early", c.get("/transcribe/7").status, http.StatusUnauthorized)
		time.Sleep(time.Nanosecond)
		want(t, "old enough", c.get("/transcribe/7").status, http.StatusNotFound)
		time.Sleep(time.Minute)
		want(t, "expired", c.get("/transcribe/7").status, http.StatusUnauthorized)
	})
}

func TestOpaqueTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t, WithOpaqueTokens(), WithTokenLifetime(90*time.Second)))
		r := c.login()
		want(t, "expires_in", r.json(t)["expires_in"], any(90.0))
		want(t, "dots of a JWT", strings.Count(c.token, "."), 0)
		want(t, "taken", c.get("/transcribe/7").status, http.StatusNotFound)
		time.Sleep(90 * time.Second)
		want(t, "expired", c.get("/transcribe/7").status, http.StatusUnauthorized)
	})
}

// A route with a limit of its own counts for itself alone.
func TestRateLimitOfARoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t, WithRateLimit(RateLimit{Limit: 3, Window: time.Hour})))
		c.srv.SetRateLimitOf("POST /transcribe", RateLimit{Limit: 1, Window: time.Minute, Dialect: XRateLimit})
		c.srv.SetRateLimitOf("GET /scribe/{id}", RateLimit{})
		r := c.transcribe()
		want(t, "submit", r.status, http.StatusAccepted)
		want(t, "header", r.header.Get("X-Ratelimit-Limit"), "1")
		want(t, "submit again", c.transcribe().status, http.StatusTooManyRequests)
		for range 3 {
			want(t, "poll", c.get("/transcribe/101").status, http.StatusOK)
			want(t, "no limit", c.get("/scribe/7").status, http.StatusNotFound)
		}
		want(t, "polls have theirs", c.get("/transcribe/101").status, http.StatusTooManyRequests)
		time.Sleep(time.Minute)
		want(t, "submit in the next window", c.transcribe().status, http.StatusAccepted)
		c.srv.SetRateLimitOf("POST /transcribe", RateLimit{Limit: 1, Window: time.Minute})
		want(t, "the count begins again", c.transcribe().status, http.StatusAccepted)
	})
}
