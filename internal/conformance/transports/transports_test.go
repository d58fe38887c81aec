package transports

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	ambient "github.com/ambient-scribe/ambient-go"
)

// An outcome is what a submit meets.
type outcome struct {
	name   string
	size   int      // of the recording; 0 is 300 kB
	script []answer // of the service
	refuse int      // connections
	safe   bool     // RetrySafe
	commit string   // "lets go", "refuses"; empty for a call without
	source string   // "fails", "hangs", "panics"; empty for a good one
	right  string
}

// A transport is one that programs use. odd has the outcomes that differ from what is
// right.
type transport struct {
	name     string
	protocol string // "h2", "h2c"; empty for HTTP/1.1
	wrap     func(t *testing.T, next *http.Transport) http.RoundTripper
	odd      map[string]cell
}

// A cell is what happens instead of what is right, and why.
type cell struct{ got, reason string }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func plain(_ *testing.T, next *http.Transport) http.RoundTripper { return next }

func otel(_ *testing.T, next *http.Transport) http.RoundTripper { return otelhttp.NewTransport(next) }

func clean(t *testing.T, next *http.Transport) http.RoundTripper {
	c := cleanhttp.DefaultPooledTransport()
	c.DialContext = next.DialContext
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// logging writes the whole request to a log.
func logging(_ *testing.T, next *http.Transport) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		if _, err := httputil.DumpRequestOut(r, true); err != nil {
			return nil, err
		}
		return next.RoundTrip(r)
	})
}

// signing puts a digest of the body into the header.
func signing(_ *testing.T, next *http.Transport) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Header.Set("X-Signature", hex.EncodeToString(hash.Sum(nil)))
		return next.RoundTrip(r)
	})
}

// recording has go-vcr record each exchange. It reads what was sent as soon as the answer is there, which is a data race
// of its own where the upload still goes on. So an early answer waits for the end of the upload.
func recording(t *testing.T, next *http.Transport) http.RoundTripper {
	r, err := recorder.New(t.TempDir()+"/cassette", recorder.WithMode(recorder.ModeRecordOnly),
		recorder.WithRealTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			sent := make(chan struct{})
			r = r.Clone(r.Context())
			r.Body = upload{r.Body, sync.OnceFunc(func() { close(sent) })}
			resp, err := next.RoundTrip(r)
			if err == nil {
				<-sent
			}
			return resp, err
		})))
	require.NoError(t, err)
	return r
}

// An upload is a body that says when it is closed.
type upload struct {
	io.ReadCloser
	closed func()
}

func (u upload) Close() error {
	u.closed()
	return u.ReadCloser.Close()
}

func retrying(_ *testing.T, next *http.Transport) http.RoundTripper {
	c := retryablehttp.NewClient()
	c.HTTPClient, c.Logger, c.RetryWaitMin, c.RetryWaitMax = &http.Client{Transport: next}, nil, time.Millisecond, 10*time.Millisecond
	return c.StandardClient().Transport
}

func failsafe(_ *testing.T, next *http.Transport) http.RoundTripper {
	return failsafehttp.NewRoundTripper(next, failsafehttp.NewRetryPolicyBuilder().WithDelay(time.Millisecond).Build())
}

const stall = 3 * time.Second

var errBroken = errors.New("broken disk")

// A source is a recording that goes wrong half way.
type source struct {
	*bytes.Reader
	wrong string
	ended chan struct{} // when the test is over
}

func (s source) ReadAt(p []byte, off int64) (int, error) {
	if off > s.Size()/2 {
		switch s.wrong {
		case "fails":
			return 0, errBroken
		case "panics":
			panic(errBroken)
		case "hangs", "hangs, deadline":
			<-s.ended
		}
	}
	return s.Reader.ReadAt(p[:min(len(p), 16<<10)], off)
}

// submit makes the call and says what came of it.
func submit(t *testing.T, tr transport, o outcome) string {
	protocol := tr.protocol
	if protocol == "" {
		protocol = "http/1.1"
	}
	srv, base := startService(t, protocol, o.script, o.refuse)
	policy := ambient.RetryPolicy{BaseDelay: time.Millisecond, MaxAttempts: 3}
	if o.safe {
		policy.Submits = ambient.RetrySafe
	}
	client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithToken("synthetic"), ambient.WithRetryPolicy(policy),
		ambient.WithStallTimeout(stall), ambient.WithHTTPClient(&http.Client{Transport: tr.wrap(t, base)}))
	require.NoError(t, err)
	content := bytes.Repeat([]byte("synthetic "), cmp.Or(o.size, 300_000)/10)
	copy(content, "ID3\x04")
	recording := source{bytes.NewReader(content), o.source, make(chan struct{})}
	t.Cleanup(func() { close(recording.ended) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if o.source == "hangs, deadline" {
		ctx, cancel = context.WithTimeout(ctx, stall/3)
		defer cancel()
	}
	commits := 0
	var opts []ambient.CallOption
	if o.commit != "" {
		opts = append(opts, ambient.WithCommit(func(context.Context) error {
			if commits++; o.commit == "refuses" {
				return errBroken
			}
			return nil
		}))
	}
	said := caught(func() string {
		sub, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioReaderAt("visit.mp3", recording, int64(len(content)))}, opts...)
		return told(sub, err, o)
	})
	srv.mu.Lock()
	defer srv.mu.Unlock()
	what, doubt, _ := strings.Cut(said, "; ")
	said = fmt.Sprintf("%s, %d whole", what, srv.whole)
	if doubt != "" {
		said += ", " + doubt
	}
	if commits > 0 {
		said += fmt.Sprintf(", %d commit", commits)
	}
	return said
}

func caught(f func() string) (said string) {
	defer func() {
		if recover() != nil {
			said = "panic"
		}
	}()
	return f()
}

func told(sub *ambient.TranscriptionSubmission, err error, o outcome) string {
	said := "created"
	switch {
	case err == nil && sub.PossibleDuplicate():
		return "created; doubt"
	case err == nil:
		return said
	case o.commit == "refuses" && errors.Is(err, errBroken):
		said = "not committed"
	case errors.Is(err, context.DeadlineExceeded):
		said = "deadline"
	default:
		said = kind(err)
	}
	if ambient.MaybeSubmitted(err) {
		said += ", maybe"
	}
	return said
}

func kind(err error) string {
	if api, ok := errors.AsType[*ambient.APIError](err); ok {
		return fmt.Sprint(api.StatusCode)
	}
	if _, ok := errors.AsType[*ambient.AudioError](err); ok {
		return "audio error"
	}
	if _, ok := errors.AsType[*ambient.NetworkError](err); ok {
		return "network error"
	}
	return err.Error()
}

// TestMatrix checks every outcome with every transport.
func TestMatrix(t *testing.T) {
	names := map[string]bool{}
	for _, o := range outcomes {
		names[o.name] = true
	}
	for _, tr := range transports {
		for name, c := range tr.odd {
			assert.True(t, names[name], "%s: there is no outcome %q", tr.name, name)
			assert.NotEmpty(t, c.reason, "%s, %s: why?", tr.name, name)
		}
		holds(t, tr)
	}
}

// holds checks every outcome of a transport.
func holds(t *testing.T, tr transport) {
	for _, o := range outcomes {
		t.Run(tr.name+"/"+o.name, func(t *testing.T) {
			t.Parallel()
			want := o.right
			if c, ok := tr.odd[o.name]; ok {
				want = c.got
			}
			assert.Equal(t, want, submit(t, tr, o))
		})
	}
}
