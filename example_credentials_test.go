package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

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
