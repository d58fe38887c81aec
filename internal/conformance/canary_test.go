package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// Everything that a caller can put into a request, and a server into an answer,
// is a canary here.

func loudAudio() ambient.Audio {
	return ambient.AudioBytes("/"+canary+".mp3", []byte("ID3\x04"+canary)).WithUploadName(canary + ".mp3").WithContentType("audio/" + canaryWord)
}

func loudTranscription() *ambient.TranscriptionRequest {
	return &ambient.TranscriptionRequest{Audio: loudAudio(), PatientName: canary, DateOfService: canaryDate, AdditionalContext: map[string]any{canary: canary}}
}

func loudScribe() *ambient.ScribeRequest {
	return &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{loudAudio()}, Transcripts: []string{canary}, PatientName: canary,
		DateOfService: canaryDate, AdditionalContext: struct{ Zanqxkey string }{canary}}
}

func loudHeader() http.Header {
	h := http.Header{"X-" + canaryWord: {canary}, "Set-Cookie": {canaryWord + "=" + canaryWord + "; Path=/" + canaryWord}}
	for _, name := range []string{"X-Request-Id", "Server", "Via", "Location", "Retry-After", "X-Ratelimit-Limit", "X-Ratelimit-Reset", "Ratelimit", "Ratelimit-Policy",
		"Content-Type", "Www-Authenticate", "Date", "Cf-Ray"} {
		h.Set(name, canary)
	}
	return h
}

var loudBodies = []string{
	`{"detail": "` + canary + `"}`, `{"details": "note for ` + canary + ` failed"}`, `{"error": {"message": "` + canary + `"}}`,
	`{"detail": [{"loc": ["body", "` + canary + `", 77310042], "msg": "` + canary + `", "type": "` + canary + `", "input": "` + canary + `", "ctx": {"` + canaryWord + `": "` + canary + `"}}]}`,
	`{"detail": {"` + canaryWord + `": "` + canary + `", "message": "` + canary + `"}}`, `{"detail": ["` + canary + `", "` + canary + `"]}`,
	`{"detail": "` + canary, "<html><title>" + canary + "</title><body>" + canary + "</body></html>", canary, "\xff\x00" + canary, `"` + canary + `"`, canary + "\r\n" + canary,
	`{"Message": "` + canary + `"}`, `{"errors": {"` + canary + `": ["` + canary + `"]}}`, `{"errors": [{"field": "` + canary + `", "errorMessage": "` + canary + `"}]}`,
	`{"fault": {"faultstring": "` + canary + `"}}`, `{"title": "` + canary + `", "reason": "` + canary + `"}`, "\ufeff" + `{"detail": "` + canary + `"}`,
}

type textError string

func (e textError) Error() string { return string(e) }

type formattedError struct{ text string }

func (e formattedError) Error() string                 { return e.text }
func (e formattedError) Format(s fmt.State, verb rune) { fmt.Fprint(s, e.text) }

// embeddedError is an error of another package that embeds one of this SDK.
type embeddedError struct{ *ambient.APIError }

func (e embeddedError) Error() string { return canary }
func (e embeddedError) Unwrap() error { return errors.New(canary) }

// errCanary is an errors.New of the canary, a word in capitals.
var errCanary = errors.New(strings.Clone(canary))

// foreignErrors are what a caller's own code may fail with.
var foreignErrors = []error{
	errCanary, fmt.Errorf("%s: %w", canary, io.ErrUnexpectedEOF), textError(canary), formattedError{canary}, &formattedError{canary}, embeddedError{}, errors.Join(errCanary, textError(canary)),
	&url.Error{Op: "Get", URL: "https://" + canaryWord + "?" + canary, Err: errCanary}, &url.Error{Op: canary, URL: canary, Err: &url.Error{URL: canary, Err: textError(canary)}},
	&fs.PathError{Op: "open", Path: canary, Err: syscall.ENOENT}, &os.LinkError{Op: "link", Old: canary, New: canary, Err: errCanary},
	&net.OpError{Op: canary, Net: canary, Addr: &net.UnixAddr{Name: canary}, Source: &net.UnixAddr{Name: canary}, Err: errCanary},
	&net.DNSError{Err: canary, Name: canary, Server: canary}, &json.UnsupportedValueError{Str: canary},
}

// A loudWatch collects every event and log of a client.
type loudWatch struct {
	mu     sync.Mutex
	text   bytes.Buffer
	events []ambient.Event
	polls  []ambient.PollEvent
}

func (w *loudWatch) options() []ambient.Option {
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	return []ambient.Option{
		ambient.WithLogger(slog.New(slog.NewTextHandler(w, debug))), ambient.WithLogger(slog.New(slog.NewJSONHandler(w, debug))),
		ambient.WithObserver(func(_ context.Context, e ambient.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}),
	}
}

func (w *loudWatch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *loudWatch) onPoll() ambient.WaitOption {
	return ambient.WithOnPoll(func(e ambient.PollEvent) { w.polls = append(w.polls, e) })
}

// showsNothing checks the error of a call and the events and logs before it.
func (w *loudWatch) showsNothing(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	showsNoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.Empty(t, leak(w.text.String()), "log")
	assert.Empty(t, leak(fmt.Sprintf(plainFormat, w.events)+logged(w.events)+marshalled(t, w.events)), "events")
	assert.Empty(t, leak(fmt.Sprintf(plainFormat, w.polls)+logged(w.polls)+marshalled(t, w.polls)), "poll events")
	for _, e := range w.events {
		if e.Err != nil && e.Err != err {
			showsNoError(t, e.Err)
		}
	}
	w.text.Reset()
	w.events, w.polls = nil, nil
}

// canned returns a client whose every request is answered, or fails, at once.
func canned(t *testing.T, w *loudWatch, transport http.RoundTripper, opts ...ambient.Option) *ambient.Client {
	t.Helper()
	client, err := ambient.NewClient(append(append([]ambient.Option{
		ambient.WithToken(canaryWord), ambient.WithHTTPClient(&http.Client{Transport: transport}), ambient.WithBaseURL("https://zanqx.example/zanqxbase"),
		ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxLimitWait: -1}), ambient.WithHeader("X-Zanqx", canaryWord), ambient.WithUserAgent(canaryWord),
	}, w.options()...), opts...)...)
	require.NoError(t, err)
	return client
}

func reply(status int, body string) replyWith {
	return func(r *http.Request) *http.Response {
		return &http.Response{Status: fmt.Sprint(status, " ", canary), StatusCode: status, Header: loudHeader(), Body: io.NopCloser(strings.NewReader(body)), Request: r}
	}
}

// everyLoudCall makes each kind of call once.
func everyLoudCall(client *ambient.Client) map[string]error {
	ctx := context.Background()
	errs := map[string]error{}
	_, errs["submit"] = client.Transcriptions.Submit(ctx, loudTranscription())
	_, errs["get"] = client.Transcriptions.Get(ctx, 7)
	_, errs["create"] = client.Scribes.Create(ctx, loudScribe())
	_, errs["regenerate"] = client.Scribes.RegenerateFromAudio(ctx, 7, []ambient.Audio{loudAudio()})
	errs["do"] = client.Do(ctx, "PUT", "/patients/Zanqx-%D0%96%D0%B0%D0%BD%D0%BA%D1%85/zanqx7731x/1987-03-29?name=zanqx", map[string]string{canary: canary}, new(struct{ Zanqx int }))
	return errs
}

func TestNoBodyShowsData(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404} {
		for _, body := range loudBodies {
			w := &loudWatch{}
			calls := everyLoudCall(canned(t, w, reply(status, body)))
			if status == 200 { // a good answer to the one that looks at nothing
				calls = map[string]error{"get": calls["get"], "create": calls["create"]}
			}
			for _, err := range calls {
				w.showsNothing(t, err)
			}
			require.False(t, t.Failed(), "%d %s", status, body)
		}
	}
}

func TestNoStatusShowsData(t *testing.T) {
	t.Parallel()
	for i, status := range allStatuses() {
		w := &loudWatch{}
		client := canned(t, w, reply(status, loudBodies[i%len(loudBodies)]))
		var err error
		if i%2 == 0 {
			_, err = client.Transcriptions.Get(t.Context(), 7)
		} else {
			_, err = client.Scribes.Create(t.Context(), loudScribe())
		}
		w.showsNothing(t, err)
		require.False(t, t.Failed(), "%d", status)
	}
}

// One error of each type in every format there is.
func TestNoFormatShowsData(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404} {
		_, err := canned(t, &loudWatch{}, reply(status, loudBodies[3])).Scribes.Create(t.Context(), loudScribe())
		showsNoErrorAtAll(t, err)
	}
	for _, foreign := range []error{textError(canary), formattedError{canary}} {
		client := canned(t, &loudWatch{}, harness.FailWith{Err: foreign})
		_, err := client.Transcriptions.Get(t.Context(), 7)
		showsNoErrorAtAll(t, err)
		_, err = client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioFS(loudFS{foreign}, canary)})
		showsNoErrorAtAll(t, err)
		_, err = client.Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: ambient.AudioReader(canary, errReader{foreign})})
		showsNoErrorAtAll(t, err)
		_, err = client.Transcriptions.Wait(oddContext{t.Context(), foreign}, 7)
		showsNoErrorAtAll(t, err)
		_, err = canned(t, &loudWatch{}, reply(200, canary), ambient.WithTokenSource(harness.FailingTokens{Err: foreign})).Transcriptions.Get(t.Context(), 7)
		showsNoErrorAtAll(t, err)
		_, err = canned(t, &loudWatch{}, reply(200, canary), ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { return canary, canary, foreign })).Transcriptions.Get(t.Context(), 7)
		showsNoErrorAtAll(t, err)
	}
	_, err := canned(t, &loudWatch{}, reply(200, canary), ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { return canary, canary + "\n", nil })).Transcriptions.Get(t.Context(), 7)
	showsNoErrorAtAll(t, err)
	showsNoErrorAtAll(t, canned(t, &loudWatch{}, reply(404, canary)).Do(t.Context(), "GET", "/patients/77310042/"+canaryWord+"/1987/03/29", nil, nil))
	_, err = canned(t, &loudWatch{}, reply(200, canary)).Transcriptions.Submit(t.Context(), &ambient.TranscriptionRequest{Audio: loudAudio(), PatientName: canary + "\xff", AdditionalContext: map[string]string{canary: canary + "\xff"}})
	showsNoErrorAtAll(t, err)
	ended, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // while its polls fail
	defer cancel()
	_, err = canned(t, &loudWatch{}, reply(503, loudBodies[0])).Transcriptions.Wait(ended, 7, ambient.WithPollInterval(time.Millisecond, time.Millisecond))
	showsNoErrorAtAll(t, err)
	showsNoErrorAtAll(t, (&ambient.Scribe{ID: 7, Status: ambient.ScribeFailed, Extra: map[string]json.RawMessage{canary: []byte(canary)}}).Err())
}

func TestNoForeignErrorShowsData(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	good := reply(200, `{"id": 7, "task_status": "STT_PROCESSING"}`)
	for _, foreign := range foreignErrors {
		w := &loudWatch{}
		fails := func() error { return foreign }
		submit := func(client *ambient.Client, audio ambient.Audio) {
			t.Helper()
			r := loudTranscription()
			r.Audio = audio
			_, err := client.Transcriptions.Submit(ctx, r)
			assert.ErrorIs(t, err, foreign)
			w.showsNothing(t, err)
		}
		get := func(opts ...ambient.Option) {
			t.Helper()
			_, err := canned(t, w, good, opts...).Transcriptions.Get(ctx, 7)
			assert.ErrorIs(t, err, foreign)
			w.showsNothing(t, err)
		}
		_, err := canned(t, w, harness.FailWith{Err: foreign}).Scribes.Create(ctx, loudScribe())
		assert.ErrorIs(t, err, foreign)
		w.showsNothing(t, err)
		get(ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { return canary, canary, fails() }))
		if _, formats := foreign.(fmt.Formatter); !formats { // those have a test below
			get(ambient.WithTokenSource(harness.FailingTokens{Err: foreign}))
		}
		get(ambient.WithLimiter(failingWait{foreign}))
		submit(canned(t, w, good), ambient.AudioReader(canary, io.MultiReader(strings.NewReader(canary), errReader{foreign})))
		submit(canned(t, w, good), ambient.AudioReader(canary, io.MultiReader(strings.NewReader(strings.Repeat(canary, 1e3)), errReader{foreign})))
		submit(canned(t, w, good), ambient.AudioReaderAt(canary, errReader{foreign}, 1e4))
		submit(canned(t, w, good), ambient.AudioFS(loudFS{foreign}, canary))

		_, err = canned(t, w, good).Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: loudAudio(), AdditionalContext: failingJSON{foreign}})
		w.showsNothing(t, err)
		w.showsNothing(t, canned(t, w, good).Do(ctx, "POST", "/visits", failingJSON{foreign}, nil))

		stopped, stop := context.WithCancelCause(ctx)
		stop(foreign)
		_, err = canned(t, w, good).Transcriptions.Wait(stopped, 7)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, foreign)
		w.showsNothing(t, err)
		_, err = canned(t, w, good).Transcriptions.Wait(oddContext{ctx, foreign}, 7)
		w.showsNothing(t, err)
		if t.Failed() {
			t.Fatalf("%T %v", foreign, foreign)
		}
	}
}

// Errors of many packages have a Format method, as ours do.
func TestTokenSourceErrorsWithFormatAreNotTakenForOurs(t *testing.T) {
	for _, foreign := range []error{formattedError{canary}, &formattedError{canary}, embeddedError{}} {
		w := &loudWatch{}
		_, err := canned(t, w, harness.FailWith{Err: foreign}, ambient.WithTokenSource(harness.FailingTokens{Err: foreign})).Transcriptions.Get(t.Context(), 7)
		assert.ErrorIs(t, err, foreign)
		assert.IsType(t, &ambient.CredentialsError{}, err)
		showsNoError(t, err)
	}
}

type failingWait struct{ err error }

func (f failingWait) Wait(context.Context) error { return f.err }

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
func (r errReader) ReadAt(p []byte, off int64) (int, error) {
	if off > 4000 {
		return 0, r.err
	}
	return copy(p, strings.Repeat(canary, 100)), nil
}

type loudFS struct{ err error }

func (f loudFS) Open(string) (fs.File, error) { return nil, f.err }

type failingJSON struct{ err error }

func (f failingJSON) MarshalJSON() ([]byte, error) { return nil, f.err }

// oddContext has ended with an error that is not one of package context.
type oddContext struct {
	context.Context
	err error
}

func (c oddContext) Err() error { return c.err }
func (oddContext) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
