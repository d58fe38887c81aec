package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// errorTypes are all exported errors, by pointer.
var errorTypes = []error{
	&ambient.APIError{}, &ambient.BadRequestError{}, &ambient.UnauthorizedError{}, &ambient.ForbiddenError{}, &ambient.NotFoundError{},
	&ambient.ConflictError{}, &ambient.ValidationError{}, &ambient.RateLimitError{}, &ambient.InternalServerError{}, &ambient.BadGatewayError{},
	&ambient.ServiceUnavailableError{}, &ambient.GatewayTimeoutError{}, &ambient.NetworkError{}, &ambient.DecodeError{}, &ambient.RequestError{},
	&ambient.CredentialsError{}, &ambient.AudioError{}, &ambient.WaitError{}, &ambient.TranscriptionFailedError{}, &ambient.TranscriptionIncompleteError{}, &ambient.ScribeFailedError{},
}

// errors.As with a value type does not compile under vet, and errors.AsType
// with one does not compile at all: it is no error.
func TestValueTypesAreNoErrors(t *testing.T) {
	for _, err := range errorTypes {
		value := reflect.TypeOf(err).Elem()
		assert.False(t, value.Implements(reflect.TypeFor[error]()), value.String())
		assert.True(t, reflect.PointerTo(value).Implements(reflect.TypeFor[fmt.Formatter]()), value.String())
	}
}

// failingClient sends nothing anywhere.
func failingClient(t *testing.T, err error, opts ...ambient.Option) *ambient.Client {
	t.Helper()
	client, e := ambient.NewClient(append([]ambient.Option{
		ambient.WithToken("token"), ambient.WithHTTPClient(&http.Client{Transport: harness.FailWith{Err: err}}), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1}),
	}, opts...)...)
	require.NoError(t, e)
	return client
}

// A fmtState is what a Format method is given.
type fmtState struct{ strings.Builder }

func (*fmtState) Width() (int, bool)     { return 0, false }
func (*fmtState) Precision() (int, bool) { return 0, false }
func (*fmtState) Flag(int) bool          { return false }

func TestEveryMethodMayBeCalledOnNilAndZero(t *testing.T) {
	for _, zero := range errorTypes {
		typ := reflect.TypeOf(zero)
		for _, v := range []reflect.Value{reflect.Zero(typ), reflect.New(typ.Elem())} {
			for i := range typ.NumMethod() {
				if _, ofValue := typ.Elem().MethodByName(typ.Method(i).Name); ofValue && v.IsNil() {
					continue // which fmt and encoding/json do not call on nil: see below
				}
				method := v.Method(i)
				args := make([]reflect.Value, method.Type().NumIn())
				for j := range args {
					switch in := method.Type().In(j); in {
					case reflect.TypeFor[fmt.State]():
						args[j] = reflect.ValueOf(&fmtState{})
					case reflect.TypeFor[error]():
						args[j] = reflect.ValueOf(context.DeadlineExceeded)
					default:
						args[j] = reflect.Zero(in)
					}
				}
				assert.NotPanics(t, func() { method.Call(args) }, "%v.%s", typ, typ.Method(i).Name)
			}
			err := v.Interface().(error)
			assert.NotPanics(t, func() {
				assert.True(t, strings.HasPrefix(err.Error(), "ambient: "), err.Error())
				ambient.Retryable(err)
				ambient.MaybeSubmitted(fmt.Errorf("%w", errors.Join(err, err)))
				assert.NotEmpty(t, ambient.SupportReport(err))
				_ = errors.Is(err, context.Canceled)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s %q %d", err, err, err, err, err, err), "PANIC")
				_, e := json.Marshal(err)
				assert.NoError(t, e)
			}, "%v", typ)
		}
	}
	assert.False(t, ambient.Retryable(nil))
	assert.False(t, ambient.MaybeSubmitted(nil))
	assert.NotEmpty(t, ambient.SupportReport(nil))
}

// errorTypes must name every error that the package exports.
func TestListOfErrorTypesIsComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, err := range errorTypes {
		listed[reflect.TypeOf(err).Elem().Name()] = true
	}
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Error" {
				star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
				require.True(t, ok, "Error has a pointer receiver")
				if name := star.X.(*ast.Ident).Name; ast.IsExported(name) {
					assert.True(t, listed[name], name)
				}
			}
		}
	}
}

// What the caller makes itself, e.g. for a test of its own, prints too.
func TestErrorsMadeByHandPrint(t *testing.T) {
	err := &ambient.NotFoundError{APIError: &ambient.APIError{StatusCode: 404, Method: "GET", Route: "/transcribe/7", Detail: "Jane Doe not found"}}
	assert.Equal(t, "ambient: GET /transcribe/7: 404 Not Found: … … not found", err.Error())
	assert.False(t, ambient.MaybeSubmitted(err))
	assert.Contains(t, ambient.SupportReport(err), "404 Not Found")
}

// An error that a test of the caller's makes answers as a real one would: of a POST
// that was sent whole, where it does not say otherwise.
func TestErrorsMadeByHandAnswerAsRealOnes(t *testing.T) {
	api := func(status int, method string) *ambient.APIError {
		return &ambient.APIError{StatusCode: status, Method: method, Route: "/transcribe"}
	}
	attempts := func(statuses ...int) (all []ambient.Attempt) {
		for _, status := range statuses {
			all = append(all, ambient.Attempt{StatusCode: status})
		}
		return all
	}
	for _, c := range []struct {
		err                  error
		text                 string
		retryable, submitted bool
	}{
		{&ambient.NetworkError{Sent: ambient.FullySent}, "ambient: no answer, fully sent (may have been submitted)", true, true},
		{&ambient.NetworkError{Sent: ambient.Answered}, "ambient: no answer, answered (may have been submitted)", true, true},
		{&ambient.NetworkError{Sent: ambient.PartlySent}, "ambient: no answer, partly sent", true, false},
		{&ambient.NetworkError{}, "ambient: no answer, not sent", true, false},
		{&ambient.NetworkError{Method: "GET", Route: "/transcribe/7", Sent: ambient.FullySent}, "ambient: GET /transcribe/7: no answer, fully sent", true, false},
		{&ambient.NetworkError{Method: "POST", Route: "/auth/token", Sent: ambient.FullySent}, "ambient: POST /auth/token: no answer, fully sent", true, false},
		{&ambient.NetworkError{Method: "PUT", Sent: ambient.FullySent}, "ambient: PUT: no answer, fully sent", true, false},
		{&ambient.NetworkError{Attempts: attempts(502, 0)}, "ambient: no answer, not sent (2 attempts in 0s; may have been submitted)", true, true},
		{&ambient.NetworkError{Attempts: []ambient.Attempt{{Sent: ambient.PartlySent}, {}}}, "ambient: no answer, not sent (2 attempts in 0s)", true, false},

		{&ambient.DecodeError{StatusCode: 202}, "ambient: 202 with an unusable body of 0 bytes (may have been submitted)", false, true},
		{&ambient.DecodeError{StatusCode: 202, Method: "POST", Route: "/scribe"}, "ambient: POST /scribe: 202 with an unusable body of 0 bytes (may have been submitted)", false, true},
		{&ambient.DecodeError{StatusCode: 200, Method: "GET", Route: "/scribe/7"}, "ambient: GET /scribe/7: 200 with an unusable body of 0 bytes", false, false},

		{api(502, "POST"), "ambient: POST /transcribe: 502 Bad Gateway (may have been submitted)", true, true},
		{api(502, "GET"), "ambient: GET /transcribe: 502 Bad Gateway", true, false},
		{api(303, "POST"), "ambient: POST /transcribe: 303 See Other (may have been submitted)", false, true},
		{api(503, "POST"), "ambient: POST /transcribe: 503 Service Unavailable", true, false},
		{api(501, "POST"), "ambient: POST /transcribe: 501 Not Implemented", false, false},
		{api(520, "POST"), "ambient: POST /transcribe: 520 (may have been submitted)", true, true},
		{&ambient.APIError{StatusCode: 504}, "ambient: 504 Gateway Timeout (may have been submitted)", true, true},
		{&ambient.APIError{StatusCode: 504, Method: "POST", Route: "/auth/token"}, "ambient: POST /auth/token: 504 Gateway Timeout", true, false},
		{&ambient.APIError{StatusCode: 503, Attempts: attempts(500, 503)}, "ambient: 503 Service Unavailable (2 attempts in 0s; may have been submitted)", true, true},
		{&ambient.BadGatewayError{APIError: api(502, "POST")}, "ambient: POST /transcribe: 502 Bad Gateway (may have been submitted)", true, true},
		{&ambient.BadGatewayError{APIError: &ambient.APIError{Method: "GET", Route: "/scribe/7"}}, "ambient: GET /scribe/7: 502 Bad Gateway", true, false},
		{&ambient.InternalServerError{}, "ambient: 500 Internal Server Error (may have been submitted)", true, true},
		{&ambient.ServiceUnavailableError{}, "ambient: 503 Service Unavailable", true, false},
		{&ambient.NotFoundError{}, "ambient: 404 Not Found", false, false},
		{&ambient.ValidationError{}, "ambient: 422 Unprocessable Entity", false, false},
		{&ambient.RateLimitError{ResetAt: time.Now()}, "ambient: 429 Too Many Requests", true, false},

		{&ambient.WaitError{ID: 7}, "ambient: waiting for job 7 ended after 0 polls, no status yet", true, true},
		{&ambient.WaitError{ID: 7, LastStatus: "STT_PROCESSING", Polls: 1}, "ambient: waiting for job 7 ended after 1 poll, last status STT_PROCESSING", true, true},
		{&ambient.RequestError{Field: "audio_file", Problem: "is empty"}, "ambient: audio_file: is empty", false, false},
		{&ambient.CredentialsError{Source: "WithTokenSource"}, "ambient: WithTokenSource: the token source failed", true, false},
		{&ambient.CredentialsError{Source: "WithCredentialsFunc"}, "ambient: WithCredentialsFunc: the function failed", true, false},
		{&ambient.AudioError{Part: 1, Offset: 77}, "ambient: audio 2 failed at byte 77", false, false},
		{&ambient.ScribeFailedError{Scribe: &ambient.Scribe{ID: 7, Status: "FAILED"}}, "ambient: scribe 7 failed (FAILED)", false, false},
	} {
		assert.Equal(t, c.text, c.err.Error())
		for _, err := range []error{c.err, fmt.Errorf("visit: %w", c.err)} {
			assert.Equal(t, c.retryable, ambient.Retryable(err), "%v", err)
			assert.Equal(t, c.submitted, ambient.MaybeSubmitted(err), "%v", err)
			assert.Contains(t, ambient.SupportReport(err), c.text)
		}
	}
	var found *ambient.APIError
	require.ErrorAs(t, &ambient.ConflictError{}, &found)
	assert.Equal(t, 409, found.StatusCode)
}

// A submission that a test makes says itself whether it may be there twice.
func TestSubmissionsMadeByHand(t *testing.T) {
	for _, c := range []struct {
		attempts []ambient.Attempt
		want     bool
	}{
		{[]ambient.Attempt{{StatusCode: 502}, {StatusCode: 202}}, true},
		{[]ambient.Attempt{{Sent: ambient.FullySent}, {StatusCode: 202}}, true},
		{[]ambient.Attempt{{StatusCode: 500, Sent: ambient.Answered}, {StatusCode: 429}, {StatusCode: 202}}, true},
		{[]ambient.Attempt{{StatusCode: 503}, {StatusCode: 202}}, false},
		{[]ambient.Attempt{{StatusCode: 401}, {Sent: ambient.PartlySent}, {StatusCode: 202}}, false},
		{[]ambient.Attempt{{StatusCode: 202}}, false},
		{nil, false},
	} {
		call := ambient.CallInfo{Attempts: c.attempts}
		transcription, scribe := ambient.TranscriptionSubmission{ID: 7, Call: call}, ambient.ScribeSubmission{ID: 7, Call: call}
		assert.Equal(t, c.want, call.PossibleDuplicate(), "%v", c.attempts)
		assert.Equal(t, c.want, transcription.PossibleDuplicate())
		assert.Equal(t, c.want, scribe.PossibleDuplicate())
		assert.Contains(t, transcription.String(), fmt.Sprint("possible duplicate ", c.want))
		stored, err := json.Marshal(scribe)
		require.NoError(t, err)
		var back ambient.ScribeSubmission
		require.NoError(t, json.Unmarshal(stored, &back))
		assert.Equal(t, c.want, back.PossibleDuplicate(), "without its attempts")
	}
}

// The cancellation that a source of credentials met itself is none of the call; the
// caller's own is.
func TestCancellationsOfASource(t *testing.T) {
	_, err := failingClient(t, nil, ambient.WithTokenSource(harness.FailingTokens{Err: context.Canceled})).Transcriptions.Get(t.Context(), 7)
	assert.ErrorIs(t, err, context.Canceled)
	assert.True(t, ambient.Retryable(err))
	assert.False(t, ambient.Retryable(errors.Join(err, context.Canceled)))
}

func TestRetryableAndMaybeSubmittedThroughEveryWrapping(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: harness.ErrReset}
	for name, c := range map[string]struct {
		fault                ambienttest.Fault
		retryable, submitted bool
	}{
		"400":            {ambienttest.Answer(400), false, false},
		"401":            {ambienttest.Answer(401), false, false},
		"403":            {ambienttest.Answer(403), false, false},
		"408":            {ambienttest.Answer(408), true, false},
		"409":            {ambienttest.Answer(409), false, false},
		"413":            {ambienttest.Answer(413), false, false},
		"422":            {ambienttest.Answer(422), false, false},
		"425":            {ambienttest.Answer(425), true, false},
		"429":            {ambienttest.Answer(429), true, false},
		"500":            {ambienttest.Answer(500), true, true},
		"501":            {ambienttest.Answer(501), false, false},
		"502":            {ambienttest.Answer(502), true, true},
		"503":            {ambienttest.Answer(503), true, false},
		"504":            {ambienttest.Answer(504), true, true},
		"505":            {ambienttest.Answer(505), false, false},
		"520":            {ambienttest.Answer(520), true, true},
		"307":            {ambienttest.Redirect("/elsewhere"), false, false},
		"303":            {ambienttest.Answer(303), false, true},
		"200 of nothing": {ambienttest.Fault{Status: 200}, false, true},
		"202 of another": {ambienttest.Fault{Status: 202, Body: `{"id": "seven"}`}, false, true},
		"no answer":      {ambienttest.Fault{Reset: ambienttest.ResetAfterRead}, true, true},
		"half an answer": {ambienttest.Fault{Reset: ambienttest.ResetMidResponse}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				srv.Fault("POST /transcribe", 1, c.fault)
				client := harness.NewClient(t, srv, ambient.WithToken("token"), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1}))
				if c.fault.Status == 0 { // which the fake handles as usual
					client = harness.NewClient(t, srv, ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1}))
				}
				_, err := client.Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
				require.Error(t, err)
				for _, err := range []error{err, fmt.Errorf("visit 3: %w", err), errors.Join(reset, err), fmt.Errorf("%w: %w", reset, errors.Join(nil, err))} {
					assert.Equal(t, c.retryable, ambient.Retryable(err), "%v", err)
					assert.Equal(t, c.submitted, ambient.MaybeSubmitted(err), "%v", err)
				}
				assert.Equal(t, c.submitted, strings.Contains(err.Error(), "may have been submitted"), err.Error())
				assert.Contains(t, ambient.SupportReport(err), fmt.Sprintf("May have been submitted: %t\n", c.submitted))
			})
		})
	}
}

func TestCancelledIsNotRetryable(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := failingClient(t, nil).Transcriptions.Get(ctx, 7)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, ambient.Retryable(err))
	assert.False(t, ambient.Retryable(errors.Join(&ambient.APIError{StatusCode: 503}, context.Canceled)))
}

// The end of a context is found with its cause, whenever it comes.
func TestContextsAndTheirCauses(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shift of Jane Doe ends")
	for name, fault := range map[string]ambienttest.Fault{
		"in flight":        {Delay: time.Hour},
		"while it retries": ambienttest.RetryAfter(503, "60"),
		"at the limit":     ambienttest.RetryAfter(429, "60"),
	} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			srv.Fault("GET /transcribe/{id}", 1, fault)
			ctx, cancel := context.WithCancelCause(context.Background())
			defer time.AfterFunc(10*time.Second, func() { cancel(shutdown) }).Stop()
			_, err := harness.NewClient(t, srv).Transcriptions.Get(ctx, 7)
			assert.ErrorIs(t, err, context.Canceled, name)
			assert.ErrorIs(t, err, shutdown, name)
			assert.NotContains(t, allText(err), "Jane", name)
			if fault.Status != 0 {
				harness.CheckType(t, fault.Status, err)
			}
		})
	}
}

func TestNetworkErrorIsANetError(t *testing.T) {
	timeout := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err     error
		timeout bool
	}{{timeout, true}, {fmt.Errorf("tunnel: %w", timeout), true}, {harness.ErrRefused, false}, {context.DeadlineExceeded, true}, {errors.New("down"), false}} {
		_, err := failingClient(t, c.err).Transcriptions.Get(context.Background(), 7)
		n, ok := errors.AsType[net.Error](fmt.Errorf("%w", err))
		require.True(t, ok)
		assert.Equal(t, c.timeout, n.Timeout(), "%v", err)
		assert.IsType(t, &ambient.NetworkError{}, n)
		assert.ErrorIs(t, err, c.err)
	}
}

// A transport of the caller may wrap its errors in the request's URL, a file
// system in a path.
func TestURLsAndPathsAreTakenOutOfErrors(t *testing.T) {
	cause := &url.Error{Op: "Get", URL: "https://host/patients/Jane?name=Doe", Err: &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}}
	_, err := failingClient(t, cause).Transcriptions.Get(context.Background(), 7)
	u, ok := errors.AsType[*url.Error](err)
	require.True(t, ok)
	assert.Equal(t, `Get "…": read tcp: i/o timeout`, u.Error())
	assert.True(t, u.Timeout())
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.NotContains(t, allText(err), "Jane")
	assert.NotContains(t, allText(err), "Doe")

	_, err = failingClient(t, nil).Transcriptions.Submit(context.Background(), &ambient.TranscriptionRequest{Audio: ambient.AudioFile("/nowhere/Jane-Doe.mp3")})
	p, ok := errors.AsType[*fs.PathError](err)
	require.True(t, ok)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorIs(t, p, syscall.ENOENT)
	assert.NotContains(t, p.Error(), "Jane")
	assert.NotContains(t, allText(err), "Doe")
}

// allText is the text of every link of a chain.
func allText(err error) string {
	var b strings.Builder
	harness.EachLink(err, func(err error) { fmt.Fprintln(&b, err) })
	return b.String()
}

// Width and flags are honoured.
func TestFormatting(t *testing.T) {
	_, err := failingClient(t, errors.New("down")).Transcriptions.Get(context.Background(), 7)
	text := err.Error()
	assert.Equal(t, text, fmt.Sprintf("%v", err))
	assert.Equal(t, text, fmt.Sprintf("%+v", err))
	assert.Equal(t, text, fmt.Sprintf("%d", err))
	assert.Equal(t, strconv.Quote(text), fmt.Sprintf("%q", err))
	assert.Equal(t, strconv.Quote(text), fmt.Sprintf("%#v", err))
	assert.Equal(t, fmt.Sprintf("%x", text), fmt.Sprintf("%x", err))
	assert.Equal(t, fmt.Sprintf("%200s|%-200s|", text, text), fmt.Sprintf("%200v|%-200v|", err, err))
}
