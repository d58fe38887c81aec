package ambient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net"
	"net/http"
	"os"
	"reflect"
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

func TestRetryableAndMaybeSubmittedThroughEveryWrapping(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
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
