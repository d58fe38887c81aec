package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// newVisit is a request with a synthetic recording.
func newVisit() *ambient.TranscriptionRequest {
	return &ambient.TranscriptionRequest{Audio: ambient.AudioFile("testdata/visit.mp3")}
}

func ExampleWithBaseURL() {
	server := ambienttest.NewServer() // or a gateway of your own
	defer server.Close()

	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
	)
	fmt.Println(client != nil, err)

	// Output: true <nil>
}

// The HTTP client has the proxy and the certificates. See examples/proxy. Here it
// trusts the certificate of a test server.
func ExampleWithHTTPClient() {
	server := ambienttest.NewTLSServer()
	defer server.Close()

	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithHTTPClient(server.Client()),
		ambient.WithCredentials(server.Username, server.Password),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("TLS handshake done:", client.Authenticate(context.Background()) == nil)

	// Output: TLS handshake done: true
}

func ExampleWithHeader() {
	server, client := fakeAPI(ambient.WithHeader("X-Clinic", "north"))
	defer server.Close()

	if _, err := client.Transcriptions.Submit(context.Background(), newVisit()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.RequestsTo("POST /transcribe")[0].Header.Get("X-Clinic"))

	// Output: north
}

func ExampleWithUserAgent() {
	server, client := fakeAPI(ambient.WithUserAgent("clinic-sync/2.1"))
	defer server.Close()

	if err := client.Authenticate(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	var product string
	fmt.Sscan(server.Requests()[0].Header.Get("User-Agent"), &product)
	fmt.Println(product)

	// Output: clinic-sync/2.1
}

// An application that would rather ask a person than submit a visit twice
// repeats only what the service cannot have taken.
func ExampleWithRetryPolicy() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{
		MaxAttempts: 6,
		BaseDelay:   time.Millisecond,
		Submits:     ambient.RetrySafe,
	}))
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503)) // not taken: repeated
	server.Fault("POST /transcribe", 2, ambienttest.Answer(502)) // perhaps taken

	_, err := client.Transcriptions.Submit(context.Background(), newVisit())
	_, badGateway := errors.AsType[*ambient.BadGatewayError](err)
	fmt.Println(badGateway, ambient.MaybeSubmitted(err))

	// Output: true true
}

// Where the account's limit is known, calls are paced and nothing is refused.
func ExampleWithRateLimit() {
	server, client := fakeAPI(ambient.WithRateLimit(100, 1)) // 100 a second, one at a time
	defer server.Close()

	start := time.Now()
	for range 5 {
		if _, err := client.Transcriptions.Submit(context.Background(), newVisit()); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("paced:", time.Since(start) >= 40*time.Millisecond)

	// Output: paced: true
}

// Two clients share one limit. A Limiter that many processes share has the same
// one method.
func ExampleWithLimiter() {
	limiter := rate.NewLimiter(rate.Every(10*time.Millisecond), 1)
	server, north := fakeAPI(ambient.WithLimiter(limiter))
	defer server.Close()
	south, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
		ambient.WithLimiter(limiter),
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	start := time.Now()
	for _, client := range []*ambient.Client{north, south, north} {
		if _, err := client.Transcriptions.Submit(context.Background(), newVisit()); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("paced:", time.Since(start) >= 20*time.Millisecond)

	// Output: paced: true
}

// A person who waits in a browser is told at once that the service is busy. The jobs of
// the night go on waiting for the rate limit.
func ExampleWithMaxLimitWait() {
	server, client := fakeAPI()
	defer server.Close()
	refusal := ambienttest.Answer(429)
	refusal.Header.Set("Retry-After", "800")
	server.Fault("POST /transcribe", 1, refusal)

	_, err := client.Transcriptions.Submit(context.Background(), newVisit(), ambient.WithMaxLimitWait(2*time.Second))
	var limited *ambient.RateLimitError
	fmt.Println("busy:", errors.As(err, &limited))

	// Output: busy: true
}

// A call that another system repeats anyway is made once.
func ExampleWithMaxAttempts() {
	server, client := fakeAPI()
	defer server.Close()
	server.FaultRange("POST /transcribe", 1, 4, ambienttest.Answer(503))

	var info ambient.CallInfo
	_, err := client.Transcriptions.Submit(context.Background(), newVisit(), ambient.WithMaxAttempts(1), ambient.WithCallInfo(&info))
	fmt.Println(len(info.Attempts), "attempt, to be repeated later:", ambient.Retryable(err))

	// Output: 1 attempt, to be repeated later: true
}

// Level Warn shows what a person must see, Info what makes calls slow, and Debug every
// request.
func ExampleWithLogger() {
	withoutTime := func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // for the sake of this example's output
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	server, client := fakeAPI(
		ambient.WithLogger(logger),
		ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}),
	)
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Status: 502})

	if _, err := client.Transcriptions.Submit(context.Background(), newVisit()); err != nil {
		fmt.Println(err)
	}

	// Output: level=WARN msg="ambient: possible_duplicate" call=1 method=POST route=/transcribe attempt=2
}

// Events feed metrics. See examples/logging.
func ExampleWithObserver() {
	var requests, repeats atomic.Int64
	server, client := fakeAPI(
		ambient.WithObserver(func(_ context.Context, e ambient.Event) {
			switch e.Kind {
			case ambient.EventAttempt:
				requests.Add(1)
			case ambient.EventRetry:
				repeats.Add(1)
			}
		}),
		ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}),
	)
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))

	if _, err := client.Transcriptions.Submit(context.Background(), newVisit()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(requests.Load(), "requests,", repeats.Load(), "repeat") // the token call is a request too

	// Output: 3 requests, 1 repeat
}

// A tracer sees which operation is inside which. Package ambientotel has one for
// OpenTelemetry.
func ExampleWithTracer() {
	type depth struct{}
	server, client := fakeAPI(
		ambient.WithToken("synthetic"),
		ambient.WithTracer(func(ctx context.Context, op ambient.Operation) (context.Context, func(ambient.Event)) {
			indent, _ := ctx.Value(depth{}).(string)
			fmt.Printf("%s%s %s\n", indent, op.Kind, op.Endpoint)
			return context.WithValue(ctx, depth{}, indent+"  "), func(e ambient.Event) {
				fmt.Printf("%send of %s\n", indent, e.Kind)
			}
		}),
	)
	defer server.Close()
	server.Fault("GET /transcribe/{id}", 1, ambienttest.Fault{Status: 200, Body: `{"id": 7, "task_status": "STT_COMPLETED"}`})

	if _, err := client.Transcriptions.Get(context.Background(), 7); err != nil {
		fmt.Println(err)
	}

	// Output:
	// call GET /transcribe/{id}
	//   attempt GET /transcribe/{id}
	//   end of attempt
	// end of call
}

// The endpoint has no id, so it can be a label of a metric.
func ExampleEvent_Endpoint() {
	server, client := fakeAPI(ambient.WithObserver(func(_ context.Context, e ambient.Event) {
		if e.Kind == ambient.EventAttempt {
			fmt.Println(e.Endpoint(), e.Attempt.StatusCode)
		}
	}))
	defer server.Close()

	if _, err := client.Transcriptions.SubmitAndWait(context.Background(), newVisit(), fakePace); err != nil {
		fmt.Println(err)
	}

	// Output:
	// POST /auth/token 200
	// POST /transcribe 202
	// GET /transcribe/{id} 200
}

// For a call with Client.Do, only CallInfo reports a possible duplicate.
func ExampleCallInfo_PossibleDuplicate() {
	server, client := fakeAPI(ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: time.Millisecond}))
	defer server.Close()
	server.Fault("*", 2, ambienttest.Answer(502)) // after the token call
	server.Fault("*", 3, ambienttest.Fault{Status: 201, Body: `{"id": 7}`})

	var created struct{ ID int64 }
	var info ambient.CallInfo
	err := client.Do(context.Background(), "POST", "/workflows", map[string]string{"kind": "intake"}, &created, ambient.WithCallInfo(&info))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(created.ID, info.PossibleDuplicate())

	// Output: 7 true
}

// A server that stops in mid-answer is given up after a while.
func ExampleWithStallTimeout() {
	server, client := fakeAPI(
		ambient.WithStallTimeout(20*time.Millisecond),
		ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1}),
	)
	defer server.Close()
	server.Fault("GET /transcribe/{id}", 1, ambienttest.Fault{Status: http.StatusOK, Body: "{}", Trickle: time.Minute})

	_, err := client.Transcriptions.Get(context.Background(), 101)
	network, ok := errors.AsType[*ambient.NetworkError](err)
	fmt.Println(ok && network.Timeout())

	// Output: true
}

// A server that does not answer at all is given up after a while. It may have
// taken the visit.
func ExampleWithResponseTimeout() {
	server, client := fakeAPI(ambient.WithResponseTimeout(100 * time.Millisecond))
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: time.Minute})

	_, err := client.Transcriptions.Submit(context.Background(), newVisit())
	network, ok := errors.AsType[*ambient.NetworkError](err)
	fmt.Println(ok && network.Timeout(), ambient.MaybeSubmitted(err))

	// Output: true true
}

func ExampleWithCredentials() {
	server := ambienttest.NewServer()
	defer server.Close()

	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password), // in real life: from a secret store
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("credentials accepted:", client.Authenticate(context.Background()) == nil)

	// Output: credentials accepted: true
}

// The vault is asked again whenever a token is fetched, so a rotated password
// needs no restart.
func ExampleWithCredentialsFunc() {
	server := ambienttest.NewServer()
	defer server.Close()
	askVault := func(ctx context.Context) (username, password string, err error) {
		return server.Username, server.Password, nil
	}

	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentialsFunc(askVault))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("credentials accepted:", client.Authenticate(context.Background()) == nil)

	// Output: credentials accepted: true
}

// A token that the caller holds is used until the API refuses it.
func ExampleWithToken() {
	server := ambienttest.NewServer()
	defer server.Close()

	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithToken("an-old-token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Transcriptions.Get(context.Background(), 7)
	unauthorized, ok := errors.AsType[*ambient.UnauthorizedError](err)
	fmt.Println(ok && unauthorized.StatusCode == 401)

	// Output: true
}

// cachedToken is a TokenSource. A real one would share a token between processes.
type cachedToken struct {
	fetch func(context.Context) (ambient.Token, error)

	mu    sync.Mutex
	token ambient.Token
}

func (c *cachedToken) Token(ctx context.Context) (ambient.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.token.Value() == "" || time.Now().After(c.token.Expiry()) {
		c.token, err = c.fetch(ctx)
	}
	return c.token, err
}

// Invalidate drops the token, unless it was renewed since.
func (c *cachedToken) Invalidate(stale ambient.Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token.Value() == stale.Value() {
		c.token = ambient.Token{}
	}
}

// This TokenSource makes the token call itself. It makes a second one after the API has
// revoked the first token.
func ExampleWithTokenSource() {
	server := ambienttest.NewServer(ambienttest.WithJobTime(0))
	defer server.Close()
	fetched := 0
	source := &cachedToken{fetch: func(ctx context.Context) (ambient.Token, error) {
		fetched++
		resp, err := http.PostForm(server.URL+"/auth/token", url.Values{"username": {server.Username}, "password": {server.Password}})
		if err != nil {
			return ambient.Token{}, err
		}
		defer resp.Body.Close()
		var reply struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
			return ambient.Token{}, err
		}
		return ambient.NewToken(reply.AccessToken, time.Now().Add(48*time.Hour)), nil
	}}

	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithTokenSource(source))
	if err != nil {
		fmt.Println(err)
		return
	}
	submission, err := client.Transcriptions.Submit(context.Background(), newVisit())
	if err != nil {
		fmt.Println(err)
		return
	}
	server.RevokeTokens()
	transcript, err := client.Transcriptions.Wait(context.Background(), submission.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(transcript.Status, "with", fetched, "tokens")

	// Output: STT_COMPLETED with 2 tokens
}

// A token shows its expiry and keeps its secret.
func ExampleNewToken() {
	token := ambient.NewToken("eyJhbGciOi...", time.Date(2025, 11, 8, 14, 5, 0, 0, time.UTC))
	fmt.Println(token)

	// Output: Token(hidden, expires 2025-11-08T14:05:00Z)
}

// The secret itself, for a cache that must hold it.
func ExampleToken_Value() {
	token := ambient.NewToken("eyJhbGciOi...", time.Time{})
	fmt.Println(len(token.Value()), "bytes")

	// Output: 13 bytes
}

func ExampleToken_Expiry() {
	token := ambient.NewToken("eyJhbGciOi...", time.Time{})
	fmt.Println("expiry known:", !token.Expiry().IsZero())

	// Output: expiry known: false
}
