package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// table is a Store in memory.
type table struct {
	mu     sync.Mutex
	visits map[string]Visit
}

func (t *table) Save(_ context.Context, v Visit) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.visits[v.Key] = v
	return nil
}

// A clinic is the application against a fake API, all in virtual time.
type clinic struct {
	*Intake
	api   *ambienttest.Server
	table *table
}

// inClinic runs a test in a bubble of virtual time, in which hours pass in
// milliseconds.
func inClinic(t *testing.T, test func(t *testing.T, c *clinic), opts ...ambienttest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		api := ambienttest.StartInMemory(t, append(opts, ambienttest.WithTranscript("Synthetic visit."))...)
		t.Cleanup(synctest.Wait) // for a renewal of the token in the background
		c := &clinic{Intake: &Intake{}, api: api, table: &table{visits: map[string]Visit{}}}
		c.Store = c.table
		c.connect(t, ambient.WithCredentials(api.Username, api.Password))
		test(t, c)
	})
}

// connect makes the application's client, like its main function would.
func (c *clinic) connect(t *testing.T, opts ...ambient.Option) {
	t.Helper()
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL(c.api.URL), ambient.WithHTTPClient(c.api.Client()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
}

// visit is a new visit with a synthetic recording.
func visit(t *testing.T, key string) Visit {
	t.Helper()
	recording := filepath.Join(t.TempDir(), "visit.mp3")
	if err := os.WriteFile(recording, []byte("ID3 synthetic audio"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Visit{Key: key, Recording: recording, State: New}
}

// want checks what is stored of a visit.
func (c *clinic) want(t *testing.T, key string, state State, transcript string) Visit {
	t.Helper()
	c.table.mu.Lock()
	v := c.table.visits[key]
	c.table.mu.Unlock()
	if v.State != state || v.Transcript != transcript {
		t.Errorf("visit %s: %s with %q, want %s with %q", key, v.State, v.Transcript, state, transcript)
	}
	return v
}

func TestVisit(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Transcribed, "Synthetic visit.")
	})
}

// Wrong user or password.
func TestWrongPassword(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.connect(t, ambient.WithCredentials(c.api.Username, "wrong"))
		err := c.Transcribe(t.Context(), visit(t, "a"))
		if _, ok := errors.AsType[*ambient.UnauthorizedError](err); !ok {
			t.Errorf("%v, want an UnauthorizedError", err)
		}
		c.want(t, "a", New, "") // not lost: it goes through when the password is mended
		c.api.AssertRoutes(t, "POST /auth/token")
	})
}

// Expired token: the visit takes longer than a token lives.
func TestExpiredToken(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.api.ScriptTranscription(ambienttest.TranscriptionCompletes(3*time.Hour, "A long visit.")...)
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Transcribed, "A long visit.")
		if n := len(c.api.RequestsTo("POST /auth/token")); n < 3 {
			t.Errorf("%d tokens in three hours", n)
		}
	}, ambienttest.WithTokenLifetime(time.Hour))
}

// Invalid token: the service forgets the token that it gave out.
func TestInvalidToken(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		time.AfterFunc(2*time.Second, c.api.RevokeTokens) // in the middle of the wait
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Transcribed, "Synthetic visit.")
		c.api.AssertCount(t, "POST /auth/token", 2)
	})
}

// Missing parameters: refused before anything is sent.
func TestMissingParameter(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		if err := c.Transcribe(t.Context(), Visit{Key: "a", Recording: "no-such-file.mp3", State: New}); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Rejected, "")
		c.api.AssertCount(t, "*", 0)
	})
}

// Invalid parameters: refused by the service.
func TestInvalidParameter(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.api.Fault("POST /transcribe", 1, ambienttest.Answer(422))
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Rejected, "")
		c.api.AssertCount(t, "POST /transcribe", 1) // repeating would not mend it
	})
}

// Rapid requests: forty visits at once, of an account with ten requests a
// minute.
func TestRapidRequests(t *testing.T) {
	limit := ambienttest.RateLimit{Limit: 10, Window: time.Minute, Dialect: ambienttest.XRateLimit}
	inClinic(t, func(t *testing.T, c *clinic) {
		var wg sync.WaitGroup
		for i := range 40 {
			v := visit(t, fmt.Sprint(i))
			wg.Go(func() {
				if err := c.Transcribe(t.Context(), v); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for key := range c.table.visits {
			c.want(t, key, Transcribed, "Synthetic visit.")
		}
	}, ambienttest.WithRateLimit(limit))
}

// A limit that lasts longer than the application's patience is not waited for,
// and the visit stays for later.
func TestRateLimitBeyondPatience(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.api.Fault("POST /transcribe", 1, ambienttest.RetryAfter(429, "3600"))
		start := time.Now()
		err := c.Transcribe(t.Context(), visit(t, "a"))
		if _, ok := errors.AsType[*ambient.RateLimitError](err); !ok {
			t.Errorf("%v, want a RateLimitError", err)
		}
		v := c.want(t, "a", New, "")
		if d := v.NotBefore.Sub(start).Round(time.Second); d != time.Hour {
			t.Errorf("to be tried again after %v", d)
		}

		time.Sleep(time.Until(v.NotBefore))
		if err := c.Transcribe(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Transcribed, "Synthetic visit.")
	})
}

// Network interruptions, at each point of the conversation.
func TestNetworkInterruptions(t *testing.T) {
	for _, test := range []struct {
		name, route string
		reset       ambienttest.Reset
		want        State
	}{
		{"while the visit is sent", "POST /transcribe", ambienttest.ResetBeforeRead, Transcribed},
		{"after the visit was sent", "POST /transcribe", ambienttest.ResetAfterRead, Unclear},
		{"while the receipt is read", "POST /transcribe", ambienttest.ResetMidResponse, Unclear},
		{"while asking for the state", "GET /transcribe/{id}", ambienttest.ResetAfterRead, Transcribed},
		{"while the transcript is read", "GET /transcribe/{id}", ambienttest.ResetMidResponse, Transcribed},
		{"while a token is fetched", "POST /auth/token", ambienttest.ResetAfterRead, Transcribed},
	} {
		t.Run(test.name, func(t *testing.T) {
			inClinic(t, func(t *testing.T, c *clinic) {
				c.api.Fault(test.route, 1, ambienttest.Fault{Reset: test.reset})
				if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
					t.Fatal(err)
				}
				if got := c.table.visits["a"].State; got != test.want {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestPartialTranscript(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.api.ScriptTranscription(ambienttest.TranscriptionIncomplete(time.Minute, "Synthetic vi")...)
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Partial, "Synthetic vi")
	})
}

// A gateway loses the receipt, the SDK submits again as the vendor asks, and the
// service has the visit twice.
func TestPossibleDuplicate(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.api.Fault("POST /transcribe", 1, ambienttest.Fault{Process: true, Status: 502})
		if err := c.Transcribe(t.Context(), visit(t, "a")); err != nil {
			t.Fatal(err)
		}
		if v := c.want(t, "a", Transcribed, "Synthetic visit."); !v.PossibleDuplicate {
			t.Error("nobody is told of the duplicate")
		}
	})
}

// The application is stopped during a wait, and goes on where it was.
func TestRestart(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		if err := c.Transcribe(ctx, visit(t, "a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a context.DeadlineExceeded", err)
		}
		v := c.want(t, "a", Submitted, "")

		if err := c.Transcribe(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Transcribed, "Synthetic visit.")
		c.api.AssertCount(t, "POST /transcribe", 1)
	})
}

// The application dies during an upload: what it stored before says that the
// service may have the visit.
func TestCrashDuringSubmit(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		v := visit(t, "a")
		c.api.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: time.Minute})
		go c.Transcribe(t.Context(), v)
		time.Sleep(30 * time.Second)
		v = c.want(t, "a", Submitting, "") // all that is left

		if err := c.Transcribe(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		c.want(t, "a", Unclear, "")
		c.api.AssertCount(t, "POST /transcribe", 1)
	})
}

// A vault that is down is not the visit's fault.
func TestVaultIsDown(t *testing.T) {
	inClinic(t, func(t *testing.T, c *clinic) {
		c.connect(t, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			return "", "", errors.New("the vault is sealed")
		}))
		if err := c.Transcribe(t.Context(), visit(t, "a")); err == nil {
			t.Error("no error")
		}
		c.want(t, "a", New, "")
	})
}
