package ambient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
)

// commitFunc is what an exchange calls before the last bytes of a request leave. To
// read something commits to nothing.
func (c *call) commitFunc() func(context.Context) error {
	switch c.request.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return nil
	}
	f := c.options.commit
	if f == nil || c.send.Body != nil {
		return f
	}
	return func(ctx context.Context) error { // f may hang, and without a body the exchange waits for it
		err, left := callWithContext(ctx, c.client, func() error { return f(ctx) })
		return cmp.Or(err, left)
	}
}

// A commitError is a call whose request was cut since f of WithCommit failed.
type commitError struct {
	history *history
	cause   error
}

func (e *commitError) Error() string {
	return fmt.Sprintf("ambient: %s %s: not submitted: the function of WithCommit failed%s", e.history.method, e.history.route, e.history.errorSuffix(""))
}

func isCommitError(err error) bool {
	_, ok := errors.AsType[*commitError](err)
	return ok
}

// Unwrap returns the error of f, whose text is not shown.
func (e *commitError) Unwrap() error { return safeError(e.cause) }

func (e *commitError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *commitError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }
