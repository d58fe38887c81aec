package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
)

// ErrShutdown is a cause that a caller gives to a cancelled context.
var ErrShutdown = errors.New("shutting down")

// IsA reports whether err itself, not one that it wraps, is a T.
func IsA[T error](err error) bool { _, ok := err.(T); return ok }

// Secret stands for a path, a name or a password, which no output may show.
const Secret = "Zzyzx-Quimby"

// TellsNothing checks that no way to print an error, or one it wraps, shows
// the secret.
func TellsNothing(t testing.TB, err error) {
	t.Helper()
	for e := range EveryError(err) {
		marshalled, _ := json.Marshal(e)
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "err", e)
		for _, text := range []string{e.Error(), fmt.Sprintf("%v|%+v|%#v|%s|%q|%x|%d", e, e, e, e, e, e, e), string(marshalled), logged.String()} {
			assert.NotContains(t, text, Secret)
			assert.NotContains(t, text, fmt.Sprintf("%x", Secret))
		}
	}
}

// FailingTokens is a token source that fails.
type FailingTokens struct{ Err error }

func (f FailingTokens) Token(context.Context) (ambient.Token, error) { return ambient.Token{}, f.Err }
func (FailingTokens) Invalidate(ambient.Token)                       {}

// EveryError walks the tree of an error.
func EveryError(err error) func(func(error) bool) {
	var walk func(error, func(error) bool) bool
	walk = func(err error, yield func(error) bool) bool {
		if err == nil {
			return true
		}
		if !yield(err) {
			return false
		}
		if e, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range e.Unwrap() {
				if !walk(err, yield) {
					return false
				}
			}
		}
		return walk(errors.Unwrap(err), yield)
	}
	return func(yield func(error) bool) { walk(err, yield) }
}

// BadMarshaler fails with an error that shows its content.
type BadMarshaler struct{}

func (BadMarshaler) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot marshal " + Secret) }

// Idle is a broken reader that gives neither a byte nor an error.
type Idle struct{}

func (Idle) Read([]byte) (int, error) { return 0, nil }

// HoldsError reports whether err is an E or wraps one.
func HoldsError[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// StatusTypes has the type of each documented status. All others are an
// APIError alone.
var StatusTypes = map[int]func(error) bool{
	400: HoldsError[*ambient.BadRequestError],
	401: HoldsError[*ambient.UnauthorizedError],
	403: HoldsError[*ambient.ForbiddenError],
	404: HoldsError[*ambient.NotFoundError],
	409: HoldsError[*ambient.ConflictError],
	422: HoldsError[*ambient.ValidationError],
	429: HoldsError[*ambient.RateLimitError],
	500: HoldsError[*ambient.InternalServerError],
	502: HoldsError[*ambient.BadGatewayError],
	503: HoldsError[*ambient.ServiceUnavailableError],
	504: HoldsError[*ambient.GatewayTimeoutError],
}

// CheckType checks that an error is found as what its status is, and as nothing
// else.
func CheckType(t *testing.T, status int, err error) *ambient.APIError {
	t.Helper()
	for other, is := range StatusTypes {
		assert.Equal(t, other == status, is(err), "status %d as the type of %d", status, other)
	}
	var api *ambient.APIError
	require.True(t, errors.As(err, &api), "%v", err)
	assert.Equal(t, status, api.StatusCode)
	return api
}

// FailWith is a transport that fails.
type FailWith struct{ Err error }

func (f FailWith) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.Err }

// EachLink visits err and all that it wraps.
func EachLink(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		EachLink(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			EachLink(err, visit)
		}
	}
}
