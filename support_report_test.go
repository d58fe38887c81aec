package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// checkGolden compares with a file under testdata, or with -update writes it.
func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, runtime.Version(), "go1.x")
	if *harness.Update {
		require.NoError(t, os.MkdirAll("testdata/errors", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the tests with -update once")
	assert.Equal(t, string(want), got)
}

const requestIDOfGateway = "0b1f2c9e-2f5a-4a3e-9a52-0d3c1a7f8e21"

// saying is an answer with a request id.
func saying(status int, body string) ambienttest.Fault {
	return ambienttest.Fault{Status: status, Body: body, Header: http.Header{"X-Request-Id": {requestIDOfGateway}}}
}

func after(f ambienttest.Fault, seconds string) ambienttest.Fault {
	if f.Header == nil {
		f.Header = http.Header{}
	}
	f.Header.Set("Retry-After", seconds)
	return f
}

// A mishap is a typical failure of a call.
type mishap struct {
	name  string
	fails func(t *testing.T, srv *ambienttest.Server) error
}

const submits, reads, tokens = "POST /transcribe", "GET /transcribe/{id}", "POST /auth/token"

var mishaps = []mishap{
	{"wrong password", func(t *testing.T, srv *ambienttest.Server) error {
		return harness.NewClient(t, srv, ambient.WithCredentials("clinic", "wrong")).Authenticate(t.Context())
	}},
	{"no such job", func(t *testing.T, srv *ambienttest.Server) error { return getting(t, srv) }},
	{"foreign template", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault("POST /scribe", 1, saying(403, `{"detail": "You do not have access to these template_ids [234234]"}`))
		_, err := harness.NewClient(t, srv).Scribes.Create(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{234234}, Transcripts: []string{"Hello."}})
		return err
	}},
	{"invalid field", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, saying(422, `{"detail": [{"loc": ["body", "date_of_service"], "msg": "invalid datetime format", "type": "value_error.datetime", "input": "Jane Doe"}]}`))
		return submitting(t, srv)
	}},
	{"a message with a name in it", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, saying(409, `{"detail": "A visit of Jane Doe on 2025-11-06 already exists"}`))
		return submitting(t, srv)
	}},
	{"too large for the proxy", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, ambienttest.ProxyHTML(413))
		return submitting(t, srv)
	}},
	{"outage", func(t *testing.T, srv *ambienttest.Server) error {
		srv.FaultRange(reads, 1, 4, after(ambienttest.ProxyHTML(503), "20"))
		return getting(t, srv)
	}},
	{"submit that may have been taken", func(t *testing.T, srv *ambienttest.Server) error {
		srv.FaultRange(submits, 1, 4, after(saying(502, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"), "2"))
		return submitting(t, srv)
	}},
	{"submit of RetrySafe", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, saying(504, `{"detail": "Gateway Timeout"}`))
		return submitting(t, srv, ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: ambient.RetrySafe}))
	}},
	{"maintenance longer than the client waits", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, after(ambienttest.Answer(503), "3600"))
		return getting(t, srv)
	}},
	{"rate limit beyond the deadline", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, ambienttest.RetryAfter(429, "600"))
		return getting(t, srv)
	}},
	{"rate limit of another call", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, ambienttest.RetryAfter(429, "600"))
		client := harness.NewClient(t, srv)
		_ = gettingWith(t, client)
		return gettingWith(t, client)
	}},
	{"no connection", func(t *testing.T, _ *ambienttest.Server) error {
		refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 443}, Err: os.NewSyscallError("connect", harness.ErrRefused)}
		return gettingWith(t, undialed(t, refused))
	}},
	{"no such host", func(t *testing.T, _ *ambienttest.Server) error {
		return gettingWith(t, undialed(t, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "rcm-api.example", IsNotFound: true}}))
	}},
	{"reset after the upload", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
		return submitting(t, srv)
	}},
	{"no answer", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, ambienttest.Fault{Delay: time.Hour})
		return submitting(t, srv, ambient.WithResponseTimeout(20*time.Second))
	}},
	{"deadline in flight", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, ambienttest.Fault{Delay: time.Hour})
		return getting(t, srv, ambient.WithResponseTimeout(0))
	}},
	{"cancelled between attempts", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, after(ambienttest.Answer(503), "20"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		_, err := harness.NewClient(t, srv).Transcriptions.Get(ctx, 7)
		return err
	}},
	{"cancelled before", func(t *testing.T, srv *ambienttest.Server) error {
		client := harness.NewClient(t, srv)
		require.NoError(t, client.Authenticate(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.Transcriptions.Get(ctx, 7)
		return err
	}},
	{"the token is lost in mid-call", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, after(ambienttest.Answer(502), "6")) // after which the token is no new one
		srv.Fault(submits, 2, ambienttest.Answer(401))
		srv.Fault(tokens, 2, ambienttest.Answer(401))
		return submitting(t, srv)
	}},
	{"a vault that is sealed", func(t *testing.T, srv *ambienttest.Server) error {
		return getting(t, srv, ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
			return "", "", errors.New("vault is sealed: permission denied")
		}))
	}},
	{"an answer of somebody else", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(reads, 1, ambienttest.ProxyHTML(200))
		return getting(t, srv)
	}},
	{"submit with an unusable answer", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, saying(202, `{"id": "seven"}`))
		return submitting(t, srv)
	}},
	{"no file", func(t *testing.T, srv *ambienttest.Server) error {
		return submittingWith(t, harness.NewClient(t, srv), ambient.AudioFile("/nowhere/jane-doe.mp3"))
	}},
	{"a file that is cut while it is sent", func(t *testing.T, srv *ambienttest.Server) error {
		return submittingWith(t, harness.NewClient(t, srv), ambient.AudioReaderAt("visit.mp3", strings.NewReader("ID3\x04"+strings.Repeat("x", 5000)), 9000))
	}},
	{"a stream that fails", func(t *testing.T, srv *ambienttest.Server) error {
		srv.Fault(submits, 1, ambienttest.Answer(503))
		return submittingWith(t, harness.NewClient(t, srv), ambient.AudioReader("visit.mp3", strings.NewReader("ID3\x04"+strings.Repeat("x", 5000))))
	}},
	{"context that is no object", func(t *testing.T, srv *ambienttest.Server) error {
		_, err := harness.NewClient(t, srv).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit(), AdditionalContext: "{'age': 42}"})
		return err
	}},
	{"failed job", func(t *testing.T, srv *ambienttest.Server) error {
		srv.ScriptTranscription(ambienttest.TranscriptionFails(time.Minute, "No speech of Jane Doe found")...)
		return waiting(t, srv, time.Hour)
	}},
	{"incomplete job", func(t *testing.T, srv *ambienttest.Server) error {
		srv.ScriptTranscription(ambienttest.TranscriptionIncomplete(time.Minute, "Good morning")...)
		return waiting(t, srv, time.Hour)
	}},
	{"wait that is too short", func(t *testing.T, srv *ambienttest.Server) error {
		srv.ScriptTranscription(ambienttest.TranscriptionCompletes(time.Hour, "Good morning")...)
		return waiting(t, srv, time.Minute)
	}},
	{"wait whose polls fail", func(t *testing.T, srv *ambienttest.Server) error {
		srv.FaultRange(reads, 1, 3, ambienttest.Answer(403))
		return waiting(t, srv, time.Hour)
	}},
	{"no credentials, bad URL", func(t *testing.T, _ *ambienttest.Server) error {
		t.Setenv("AMBIENT_USERNAME", "")
		_, err := ambient.NewClient(ambient.WithBaseURL("http://api.example"), ambient.WithRateLimit(0, 1))
		return err
	}},
}

// undialed is a client that gets no connection, and tries once.
func undialed(t *testing.T, err error) *ambient.Client {
	return failingClient(t, nil, ambient.WithHTTPClient(&http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err },
	}}))
}

func getting(t *testing.T, srv *ambienttest.Server, opts ...ambient.Option) error {
	return gettingWith(t, harness.NewClient(t, srv, opts...))
}

func gettingWith(t *testing.T, client *ambient.Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, err := client.Transcriptions.Get(ctx, 7)
	return err
}

func submitting(t *testing.T, srv *ambienttest.Server, opts ...ambient.Option) error {
	return submittingWith(t, harness.NewClient(t, srv, opts...), harness.Visit())
}

func submittingWith(t *testing.T, client *ambient.Client, audio ambient.Audio) error {
	_, err := client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: audio, PatientName: "Jane Doe"})
	return err
}

func waiting(t *testing.T, srv *ambienttest.Server, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := harness.NewClient(t, srv).Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()}, ambient.WithPollInterval(10*time.Second, 10*time.Second))
	return err
}

// testdata/errors.golden is what somebody on call reads. After a change that is
// meant, write it with -update and judge it: is it plain what was called, what
// came back, and how often it was tried?
func TestErrorsReadWell(t *testing.T) {
	var golden strings.Builder
	for _, m := range mishaps {
		inMishap(t, m, func(err error) {
			fmt.Fprintf(&golden, "%s\n\t%s\n", m.name, strings.ReplaceAll(err.Error(), "\n", "\n\t"))
			assert.NotContains(t, err.Error(), "Jane")
		})
	}
	checkGolden(t, "testdata/errors.golden", golden.String())
}

// inMishap lets it happen in a bubble. One that needs the environment has none.
func inMishap(t *testing.T, m mishap, check func(error)) {
	t.Helper()
	if strings.HasPrefix(m.name, "no credentials") {
		check(m.fails(t, nil))
		return
	}
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		err := m.fails(t, srv)
		require.Error(t, err, m.name)
		check(err)
	})
}

func TestSupportReport(t *testing.T) {
	for name, file := range map[string]string{
		"submit that may have been taken": "report-502", "invalid field": "report-422", "rate limit beyond the deadline": "report-429",
		"wait that is too short": "report-wait", "reset after the upload": "report-network", "no file": "report-request", "submit with an unusable answer": "report-decode",
	} {
		for _, m := range mishaps {
			if m.name == name {
				inMishap(t, m, func(err error) {
					report := ambient.SupportReport(fmt.Errorf("visit 3: %w", err))
					assert.Equal(t, report, ambient.SupportReport(err), "whatever the caller adds")
					assert.NotContains(t, report, "Jane")
					checkGolden(t, "testdata/errors/"+file+".golden", report)
				})
			}
		}
	}
	assert.Equal(t, "No error.\n", ambient.SupportReport(nil))
	assert.NotContains(t, ambient.SupportReport(errors.New("no recording of Jane Doe")), "Jane")
}
