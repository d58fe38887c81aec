package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// What a call does with the functions, readers and sources that its caller gave.

// A call that is refused before it may send leaves an audio reader untouched, so that
// the same reader serves the next call.
func TestARefusedCallLeavesItsReaderUntouched(t *testing.T) {
	t.Parallel()
	content := harness.Pattern(20_000)
	for name, options := range map[string][]ambient.Option{
		"rate limit":   {harness.Policy(ambient.RetryPolicy{MaxLimitWait: -1})},
		"token":        {ambient.WithTokenSource(harness.FailingTokens{Err: errors.New("sealed")})},
		"own limiter":  {ambient.WithLimiter(limiterFunc(func(context.Context) error { return errors.New("down") }))},
		"bad password": {ambient.WithCredentials("nobody", "wrong")},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv, options...)
				if name == "rate limit" {
					srv.Fault(harness.SubmitRoute, 1, ambienttest.RetryAfter(429, "3600"))
					_, err := harness.SubmitOf(t.Context(), client, harness.Visit())
					require.True(t, harness.HoldsError[*ambient.RateLimitError](err), "%v", err)
				}
				r := bytes.NewReader(content)
				_, err := harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", r))
				require.Error(t, err)
				assert.Equal(t, len(content), r.Len(), "not a byte was read")

				_, err = harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", r))
				require.NoError(t, err)
				sent := srv.RequestsTo(harness.SubmitRoute)
				assert.Equal(t, harness.Digest(content), sent[len(sent)-1].Files[0].SHA256)
			})
		})
	}
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// countingFS counts how often its files are opened and closed.
type countingFS struct {
	fs fstest.MapFS

	mu             sync.Mutex
	opened, closed int
}

func (c *countingFS) Open(name string) (fs.File, error) {
	f, err := c.fs.Open(name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	return countedFile{f, c}, nil
}

type countedFile struct {
	fs.File
	fs *countingFS
}

func (f countedFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.closed++
	return f.File.Close()
}

// On object storage each open is a request that somebody pays for.
func TestAFileIsOpenedOnceAnAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults []ambienttest.Fault
		opens  int
	}{
		"success":       {nil, 1},
		"one retry":     {[]ambienttest.Fault{{Status: 503}}, 2},
		"one 429":       {[]ambienttest.Fault{ambienttest.RetryAfter(429, "1")}, 2},
		"a replay":      {[]ambienttest.Fault{{Status: 401}}, 2},
		"a refused one": {[]ambienttest.Fault{{Status: 422}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				harness.Plan(srv, c.faults...)
				files := &countingFS{fs: fstest.MapFS{"visit.mp3": {Data: harness.Pattern(50_000)}}}
				_, _ = harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioFS(files, "visit.mp3"))
				synctest.Wait()
				assert.Equal(t, c.opens, files.opened)
				assert.Equal(t, c.opens, files.closed)
			})
		})
	}
}

// blockingReader gives content and hangs before its byte at.
type blockingReader struct {
	content []byte
	at      int
	offset  int
	release chan struct{}
	reads   int
}

func (b *blockingReader) Read(p []byte) (int, error) {
	b.reads++
	if b.offset >= b.at {
		<-b.release
	}
	if b.offset == len(b.content) {
		return 0, io.EOF
	}
	end := len(b.content)
	if b.offset < b.at {
		end = b.at
	}
	n := copy(p, b.content[b.offset:end])
	b.offset += n
	return n, nil
}

// A source that hangs in its first bytes is no trouble of the network.
func TestASourceThatHangsInItsFirstBytes(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 1, 16} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			r := &blockingReader{content: harness.Pattern(20_000), at: at, release: make(chan struct{})}
			client := harness.NewClient(t, srv, ambient.WithStallTimeout(time.Second))
			require.NoError(t, client.Authenticate(t.Context()))
			start := time.Now()
			_, err := harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", r))
			assert.True(t, harness.HoldsError[*ambient.AudioError](err), "%v", err)
			assert.False(t, harness.HoldsError[*ambient.NetworkError](err))
			assert.False(t, ambient.MaybeSubmitted(err))
			assert.Equal(t, time.Second, time.Since(start))
			srv.AssertCount(t, harness.SubmitRoute, 0)

			synctest.Wait()
			reads := r.reads
			close(r.release)
			time.Sleep(time.Minute)
			assert.Equal(t, reads, r.reads, "no Read begins after the call has returned")
		})
	}
}

func TestAudioReaderSize(t *testing.T) {
	t.Parallel()
	content := harness.Pattern(20_000)
	size := int64(len(content))
	t.Run("exact", func(t *testing.T) {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReaderSize("visit.mp3", harness.ReaderAt(content), size))
			require.NoError(t, err)
			sent := srv.RequestsTo(harness.SubmitRoute)[0]
			assert.Equal(t, strconv.FormatInt(sent.BodySize, 10), sent.Header.Get("Content-Length"))
			assert.Equal(t, harness.Digest(content), sent.Files[0].SHA256)
		})
	})
	for name, wrong := range map[string]int64{"more than said": size - 1, "less than said": size + 1} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReaderSize("visit.mp3", harness.ReaderAt(content), wrong))
				require.True(t, harness.HoldsError[*ambient.AudioError](err), "%v", err)
				assert.False(t, ambient.MaybeSubmitted(err))
				for _, r := range srv.RequestsTo(harness.SubmitRoute) {
					assert.False(t, r.Complete)
				}
			})
		})
	}
	for name, size := range map[string]int64{"nothing": 0, "negative": -1} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				_, err := harness.SubmitOf(t.Context(), harness.NewClient(t, srv), ambient.AudioReaderSize("visit.mp3", harness.ReaderAt(content), size))
				assert.True(t, harness.HoldsError[*ambient.RequestError](err), "%v", err)
				srv.AssertCount(t, "*", 0)
			})
		})
	}
}

// Functions of the caller that do not look at their context hold no call past its
// deadline.
func TestFunctionsThatIgnoreTheirContextAreLeftBehind(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]func(hang chan struct{}) ambient.Option{
		"token source": func(hang chan struct{}) ambient.Option { return ambient.WithTokenSource(hangingSource{hang}) },
		"limiter": func(hang chan struct{}) ambient.Option {
			return ambient.WithLimiter(limiterFunc(func(context.Context) error { <-hang; return nil }))
		},
		"credentials": func(hang chan struct{}) ambient.Option {
			return ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { <-hang; return "", "", errors.New("late") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				hang := make(chan struct{})
				defer close(hang)
				client := harness.NewClient(t, srv, option(hang))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				err := harness.Get(ctx, client)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(start))
			})
		})
	}
}

type hangingSource struct{ hang chan struct{} }

func (h hangingSource) Token(context.Context) (ambient.Token, error) {
	<-h.hang
	return ambient.NewToken("late", time.Time{}), nil
}
func (hangingSource) Invalidate(ambient.Token) {}

// A panic in what the caller gave surfaces in the goroutine of the caller.
func TestPanicsSurfaceInTheCaller(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error{
		"audio reader, first bytes": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			_, err := harness.SubmitOf(ctx, harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", panickingReader{}))
			return err
		},
		"audio reader, in the middle": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			r := io.MultiReader(bytes.NewReader(harness.Pattern(10_000)), panickingReader{})
			_, err := harness.SubmitOf(ctx, harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", r))
			return err
		},
		"progress": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			_, err := harness.SubmitOf(ctx, harness.NewClient(t, srv), harness.Visit(), ambient.WithProgress(func(int64, int64) { panic("mistake") }))
			return err
		},
		"credentials": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			return harness.Get(ctx, harness.NewClient(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { panic("mistake") })))
		},
		"token source": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			return harness.Get(ctx, harness.NewClient(t, srv, ambient.WithTokenSource(panickingSource{})))
		},
		"limiter": func(ctx context.Context, t *testing.T, srv *ambienttest.Server) error {
			return harness.Get(ctx, harness.NewClient(t, srv, ambient.WithLimiter(limiterFunc(func(context.Context) error { panic("mistake") }))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				assert.Panics(t, func() { _ = call(t.Context(), t, srv) })
				harness.Submitted(t, harness.NewClient(t, srv)) // the process lives
			})
		})
	}
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("mistake") }

type panickingSource struct{}

func (panickingSource) Token(context.Context) (ambient.Token, error) { panic("mistake") }
func (panickingSource) Invalidate(ambient.Token)                     {}

// A gateway that buffers bodies answers 401 when the whole stream was read. The call
// cannot be repeated. The next call must not send the same token.
func TestARefusedStreamedUploadGivesItsTokenBack(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		srv.Fault(harness.SubmitRoute, 1, ambienttest.Answer(401))
		stream := func() error {
			_, err := harness.SubmitOf(t.Context(), client, ambient.AudioReader("visit.mp3", harness.ReaderAt(harness.ShortVisit())))
			return err
		}
		err := stream()
		require.True(t, harness.HoldsError[*ambient.UnauthorizedError](err), "%v", err)
		assert.ErrorContains(t, err, "cannot be read twice")
		require.NoError(t, stream())
		srv.AssertCount(t, "POST /auth/token", 2)
	})
}

// What a caller does with the attempts of a call changes no error of that call.
func TestAttemptsAreIndependent(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange(harness.GetRoute, 1, 10, ambienttest.Fault{Status: 503})
		var info ambient.CallInfo
		err := harness.Get(t.Context(), harness.NewClient(t, srv), ambient.WithCallInfo(&info))
		var down *ambient.ServiceUnavailableError
		require.ErrorAs(t, err, &down)
		one, two := append(info.Attempts, ambient.Attempt{StatusCode: 1}), append(down.Attempts, ambient.Attempt{StatusCode: 2})
		assert.Equal(t, 1, one[len(one)-1].StatusCode)
		assert.Equal(t, 2, two[len(two)-1].StatusCode)
	})
}

// A transport that follows redirects, as an http.Client in it does, may take a request
// to another host. The answer of that host is no answer of the API.
func TestAnAnswerOfAnotherOriginIsAnError(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, `{"access_token": "stolen", "token_type": "bearer", "id": 7, "task_status": "STT_COMPLETED"}`)
	}))
	defer other.Close()
	for route, call := range map[string]func(context.Context, *ambient.Client) error{
		"POST /auth/token": func(ctx context.Context, c *ambient.Client) error { return c.Authenticate(ctx) },
		harness.GetRoute:   func(ctx context.Context, c *ambient.Client) error { return harness.Get(ctx, c) },
		harness.SubmitRoute: func(ctx context.Context, c *ambient.Client) error {
			_, err := harness.SubmitOf(ctx, c, harness.Visit())
			return err
		},
	} {
		t.Run(route, func(t *testing.T) {
			srv := ambienttest.Start(t)
			srv.FaultRange(route, 1, 10, ambienttest.Redirect(other.URL))
			following := roundTripper(func(req *http.Request) (*http.Response, error) {
				again := req.Clone(req.Context())
				again.RequestURI = ""
				return (&http.Client{Transport: srv.Client().Transport}).Do(again)
			})
			err := call(t.Context(), harness.NewClient(t, srv, ambient.WithHTTPClient(&http.Client{Transport: following})))
			require.True(t, harness.HoldsError[*ambient.NetworkError](err), "%v", err)
			assert.ErrorContains(t, err, "another origin")
			srv.AssertCount(t, route, 1)
			assert.Equal(t, route == harness.SubmitRoute, ambient.MaybeSubmitted(err))
		})
	}
}

// A transport that hides a header in place, as loggers do, spoils no later call.
func TestATransportMayScribbleOnItsHeader(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		next := srv.Client().Transport
		client := harness.NewClient(t, srv, ambient.WithHeader("X-Clinic-Key", "k"), ambient.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			for _, values := range req.Header {
				for i := range values {
					values[i] = "redacted"
				}
			}
			return resp, err
		})}))
		for range 3 {
			harness.Submitted(t, client)
		}
		srv.AssertCount(t, "POST /auth/token", 1)
	})
}
