package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// An echo is a server that this SDK knows nothing of; it answers with what it
// was asked.
type echo struct {
	*httptest.Server
	method, uri, contentType, authorization, body string
}

func newEcho(t testing.TB, answer string) (*echo, *ambient.Client) {
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		e.method, e.uri, e.contentType, e.authorization, e.body = r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(b)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(e.Close)
	client, err := ambient.NewClient(ambient.WithBaseURL(e.URL+"/base/"), ambient.WithToken("synthetic"))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return e, client
}

func TestDoSpeaksJSONBothWays(t *testing.T) {
	srv, client := newEcho(t, `{"name": "SOAP", "id": 7}`)
	type template struct {
		ID   int    `json:"id,omitempty"`
		Name string `json:"name"`
	}
	var out template
	require.NoError(t, client.Do(t.Context(), http.MethodPost, "/templates?draft=true&name=a%20b", template{Name: "SOAP"}, &out))
	assert.Equal(t, template{7, "SOAP"}, out)
	assert.Equal(t, "POST", srv.method)
	assert.Equal(t, "/base/templates?draft=true&name=a%20b", srv.uri)
	assert.Equal(t, "application/json", srv.contentType)
	assert.Equal(t, "Bearer synthetic", srv.authorization)
	assert.Equal(t, `{"name":"SOAP"}`, srv.body)

	require.NoError(t, client.Do(t.Context(), http.MethodDelete, "/templates/7", nil, nil))
	assert.Equal(t, "DELETE /base/templates/7", srv.method+" "+srv.uri)
	assert.Empty(t, srv.contentType)
	assert.Empty(t, srv.body)
}

// What is escaped in a path stays so: a slash in a name begins no folder.
func TestDoKeepsEscapes(t *testing.T) {
	srv, client := newEcho(t, "")
	for _, path := range []string{"/a%2Fb", "/a%20b", "/caf%C3%A9", "/a%25b", "/.hidden/..x/x..", "/a%3Fb", "/"} {
		require.NoError(t, client.Do(t.Context(), http.MethodGet, path, nil, nil), path)
		assert.Equal(t, "/base"+path, srv.uri)
	}
}

func TestDoWithoutAnAnswer(t *testing.T) {
	_, client := newEcho(t, " \n")
	out := map[string]any{"kept": true}
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/nothing", nil, &out))
	assert.Equal(t, map[string]any{"kept": true}, out)
}

func TestDoWithAnotherAnswer(t *testing.T) {
	for _, answer := range []string{"<html>" + harness.Secret, `["` + harness.Secret + `"]`} {
		_, client := newEcho(t, answer)
		err := client.Do(t.Context(), http.MethodGet, "/templates", nil, new(struct{ A int }))
		var unusable *ambient.DecodeError
		require.ErrorAs(t, err, &unusable)
		assert.Equal(t, answer, string(unusable.Body()))
		harness.TellsNothing(t, err)
		assert.NoError(t, client.Do(t.Context(), http.MethodGet, "/templates", nil, nil), "who wants no answer gets none")
	}
}

// The token goes nowhere but below the base URL.
func TestDoRefusesOtherPlaces(t *testing.T) {
	srv := ambienttest.StartInMemory(t)
	client := harness.NewClient(t, srv)
	for _, path := range []string{
		"", "x", "scribe/7", "//evil.example.com/x", "///x", "https://evil.example.com/" + harness.Secret, "http:/x", "mailto:x", "?a=b", "#a",
		"/..", "/../x", "/a/../x", "/a/..", "/a/..?b=c", "/%2e%2e/x", "/%2E./x", "/a%2f..%2fx", "/a/%2e%2e", "/%zz" + harness.Secret, "/a\x00b", "/a\nb",
	} {
		err := client.Do(t.Context(), http.MethodGet, path, nil, nil)
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad, "%q", path)
		assert.Equal(t, "path", bad.Field)
		assert.Contains(t, bad.Problem, "below the base URL")
		harness.TellsNothing(t, err)
	}
	for _, method := range []string{"", "GE T", "GET\r\nX: y", "GÉT", "GET "} {
		err := client.Do(t.Context(), method, "/x", nil, nil)
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad, "%q", method)
		assert.Equal(t, "method", bad.Field)
	}
	for _, body := range []any{make(chan int), harness.BadMarshaler{}} {
		err := client.Do(t.Context(), http.MethodPost, "/x", body, nil)
		var bad *ambient.RequestError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, "body", bad.Field)
		harness.TellsNothing(t, err)
	}
	srv.AssertCount(t, "*", 0)
}

// POST and PATCH may create something, so they are submits to the policies.
func TestDoTreatsUnsafeMethodsAsSubmits(t *testing.T) {
	t.Parallel()
	for method, submit := range map[string]bool{"GET": false, "PUT": false, "DELETE": false, "HEAD": false, "OPTIONS": false, "POST": true, "PATCH": true, "APPROVE": true} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			srv.FaultRange("*", 2, 100, ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
			var info ambient.CallInfo
			err := harness.NewClient(t, srv).Do(t.Context(), method, "/templates/"+harness.Secret, map[string]int{"a": 1}, nil, ambient.WithCallInfo(&info))
			var network *ambient.NetworkError
			require.ErrorAs(t, err, &network)
			assert.Equal(t, submit, ambient.MaybeSubmitted(err), method)
			assert.Equal(t, submit, len(info.Attempts) == 1, "%s: %d attempts", method, len(info.Attempts))
			harness.TellsNothing(t, err)
		})
	}
}

func TestDoHasTheTypedErrors(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		err := harness.NewClient(t, srv).Do(context.Background(), http.MethodGet, "/templates?name="+harness.Secret, nil, nil)
		var missing *ambient.NotFoundError
		require.True(t, errors.As(err, &missing))
		assert.Equal(t, "/templates", missing.Route)
		harness.TellsNothing(t, err)
	})
}

// Numbers of a path may be dates of birth, and only the id of a job is none.
func TestDoMasksNumbersOfAPath(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		for path, want := range map[string]string{
			"/patients/19800131/records":           "/…/…/records",
			"/patients/1980/01/31":                 "/…/…/…/…",
			"/patients/Jane-Doe-19800131":          "/…/…",
			"/visits/5551234567?born=19800131":     "/…/…",
			"/scribe/4711/records/19800131":        "/scribe/4711/records/…",
			"/transcribe/4711":                     "/transcribe/4711",
			"/transcribe/4711/19800131":            "/transcribe/4711/…",
			"/transcribe/00019800131":              "/transcribe/…",
			"/transcribe/19800131%2FJane/patients": "/transcribe/…/…/…",
		} {
			err := client.Do(t.Context(), http.MethodGet, path, nil, nil)
			var missing *ambient.APIError
			require.ErrorAs(t, err, &missing)
			assert.Equal(t, want, missing.Route, path)
			for _, text := range []string{err.Error(), ambient.SupportReport(err), fmt.Sprintf("%+v", told.Of(ambient.EventAttempt))} {
				assert.NotContains(t, text, "1980")
				assert.NotContains(t, text, "5551")
			}
		}
	})
}

// A request without a body is not sent whole if it never had a connection.
func TestDoWithoutABodyIsRepeatedIfNothingWasSent(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		dialer := &failingDialer{}
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(dialer.client(srv.Client())))
		require.NoError(t, client.Authenticate(t.Context()))

		var info ambient.CallInfo
		dialer.fail(2)
		err := client.Do(t.Context(), http.MethodPost, "/scribe/7/sign", nil, nil, ambient.WithCallInfo(&info))
		assert.IsType(t, (*ambient.NotFoundError)(nil), err, "of the third attempt")
		assert.Len(t, info.Attempts, 3)
		assert.False(t, ambient.MaybeSubmitted(err))

		dialer.fail(4)
		err = client.Do(t.Context(), http.MethodPost, "/scribe/7/sign", nil, nil)
		assert.IsType(t, (*ambient.NetworkError)(nil), err)
		assert.False(t, ambient.MaybeSubmitted(err))
	})
}

// A request without a body that net/http refuses before it dials was not sent.
func TestDoWithoutABodyThatIsRefusedBeforeDialling(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		transport := srv.Client().Transport.(*http.Transport).Clone()
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.Method == http.MethodPost && r.URL.Path != ambienttest.BasePath+"/auth/token" {
				return nil, errors.New("no proxy for this")
			}
			return nil, nil
		}
		client := harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, client.Authenticate(t.Context()))
		var info ambient.CallInfo
		err := client.Do(t.Context(), http.MethodPost, "/scribe/7/sign", nil, nil, ambient.WithCallInfo(&info))
		network, ok := errors.AsType[*ambient.NetworkError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, ambient.NotSent, network.Sent)
		assert.False(t, ambient.MaybeSubmitted(err))
		assert.Len(t, info.Attempts, 4)
		srv.AssertCount(t, "*", 1)
	})
}
