package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/container"
)

// The exit codes.
const (
	exitDone           = 0
	exitOther          = 1
	exitUsage          = 2
	exitCredentials    = 3
	exitJobFailed      = 4
	exitPartial        = 5
	exitWaitEnded      = 6
	exitMaybeSubmitted = 7
	exitNeedsPerson    = 8
	exitInterrupted    = 130
)

const exitHelp = `Exit codes:
    0  done
    1  other errors: the line on stderr says what to do
    2  wrong usage
    3  the credentials are missing or refused
    4  the job failed
    5  the transcript is partial
    6  the wait ended before the job: its id is printed
    7  the service may have the recording: ask before submitting again
    8  some recordings of a batch need a person
  130  interrupted`

// A failure is how a command ends that has not done what it was asked. Its text
// is one line that says what to do, without patient data.
type failure struct {
	code int
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func failuref(code int, format string, args ...any) *failure {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

const credentialsRemedy = "check the user name and password, and that the account is active and has API access"

// explain turns an error into the failure that its exit code and text are read
// from. The order is that of the SDK's table of errors.
func explain(ctx context.Context, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	code, advice := exitOther, ""
	switch {
	case errors.Is(err, container.ErrEndsEarly):
		return &failure{exitOther, "stdin ended before the length that the recording announces; nothing was submitted; check the command that is piped into this one", err}
	case ambient.MaybeSubmitted(err):
		code, advice = exitMaybeSubmitted, "the service may have the recording; ask the vendor's support before you submit it again"
	case interrupted(ctx):
		return &failure{exitInterrupted, "interrupted: nothing was submitted; run the same command again", err}
	case isCredentials(err):
		code, advice = exitCredentials, credentialsRemedy
	default:
		advice = remedy(err)
	}
	text := plainText(err)
	if code == exitMaybeSubmitted {
		text += ", at " + time.Now().UTC().Format(time.RFC3339)
	}
	if advice != "" {
		text += "; " + advice
	}
	return &failure{code, text, err}
}

const tokenRoute = "/auth/token"

// isCredentials reports whether the service refused the credentials, or there
// are none.
func isCredentials(err error) bool {
	if _, ok := errors.AsType[*ambient.UnauthorizedError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*ambient.APIError](err); ok && e.Route == tokenRoute {
		return e.StatusCode == 400 || e.StatusCode == 403
	}
	e, ok := errors.AsType[*ambient.RequestError](err)
	return ok && (e.Field == "credentials" || e.Field == "WithCredentials")
}

// remedy says what to do after an error that left nothing at the service.
func remedy(err error) string {
	var (
		limited   *ambient.RateLimitError
		forbidden *ambient.ForbiddenError
		missing   *ambient.NotFoundError
		invalid   *ambient.ValidationError
		audio     *ambient.AudioError
		network   *ambient.NetworkError
		decode    *ambient.DecodeError
		request   *ambient.RequestError
	)
	switch {
	case errors.As(err, &limited):
		if limited.ResetAt.IsZero() {
			return "run the command again later"
		}
		return "run the command again after " + limited.ResetAt.Local().Format(time.TimeOnly)
	case errors.As(err, &request) && strings.HasPrefix(request.Field, "audio_"):
		return "nothing was submitted; check the recording"
	case errors.As(err, &audio):
		return "nothing was submitted; wait until the recording is complete and run the command again"
	case errors.Is(err, context.DeadlineExceeded):
		return "the time of --timeout is over and nothing was submitted; run the command again"
	case errors.As(err, &network):
		return "nothing was submitted; check the network and run the command again: ambient doctor tells more"
	case ambient.Retryable(err):
		return "run the command again later"
	case errors.As(err, &forbidden):
		return "ask the vendor for access, or choose another template"
	case errors.As(err, &missing) && missing.Route == tokenRoute:
		return "check AMBIENT_BASE_URL: ambient doctor tells more"
	case errors.As(err, &missing):
		return "check the id and the account"
	case errors.As(err, &invalid):
		return "check the template and the recording"
	case errors.As(err, &decode):
		return "check AMBIENT_BASE_URL: ambient doctor tells more"
	}
	return ""
}

// plainText is an error on one line, without the SDK's prefix.
func plainText(err error) string {
	text := strings.TrimPrefix(err.Error(), "ambient: ")
	return strings.Join(strings.Fields(printableLines(text)), " ")
}

// printableLines replaces control characters by spaces.
func printableLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// reason is what the system says of a file, without its name.
func reason(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return "it cannot be used"
}
