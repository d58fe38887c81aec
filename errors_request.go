package ambient

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ambient-scribe/ambient-go/internal/form"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// RequestError is a request, or an option of NewClient, that was refused before it was
// sent. A recording that is missing, empty or no regular file is one too, with the
// Field audio_file or audio_files. Problem names the remedy. A source of credentials or
// tokens that gives an unusable value, and a Limiter that fails, end a call with one
// too. Both may be asked in mid-call.
type RequestError struct {
	Field   string // the API's field, or the option's name
	Problem string

	cause error
}

// Error is safe to log.
func (e *RequestError) Error() string {
	if e == nil {
		return "ambient: no request error"
	}
	return "ambient: " + e.Field + ": " + e.Problem
}

// Unwrap returns the cause, e.g. one that is fs.ErrNotExist, without its path.
func (e *RequestError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

// AudioError is a source of audio that failed, ended early, or changed while
// it was being sent. The connection was cut, so the service has no whole
// request. errors.Is and errors.As find the source's error, such as an
// *http.MaxBytesError. If the source gave no byte for WithStallTimeout, errors.Is finds
// os.ErrDeadlineExceeded.
type AudioError struct {
	Part   int   // which audio of the request, counted from 0
	Offset int64 // bytes of it sent before

	history *history
	cause   error
}

// Error is safe to log, and names no file.
func (e *AudioError) Error() string {
	switch {
	case e == nil:
		return "ambient: no audio error"
	case e.history == nil: // made by the caller, e.g. in a test
		return fmt.Sprintf("ambient: audio %d failed at byte %d", e.Part+1, e.Offset)
	}
	return fmt.Sprintf("ambient: %saudio %d failed at byte %d: %s%s",
		e.history.callText(), e.Part+1, e.Offset, safeerr.Text(e.cause), e.history.errorSuffix(""))
}

// Unwrap returns the source's error without its path.
func (e *AudioError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

func audioError(h *history, err error) error {
	e := &AudioError{history: h, cause: safeerr.Error(err)}
	if at, ok := errors.AsType[*form.FileError](err); ok {
		e.Part, e.Offset, e.cause = at.File, at.Offset, safeerr.Error(at.Err)
	}
	return e
}

// CredentialsError is a source of credentials that failed, either the function of
// WithCredentialsFunc or a TokenSource. Nothing is wrong with the request. An attempt may
// have been sent before, and MaybeSubmitted says whether the service may have the job. A
// call does not ask a failed source again. A wait does, as after a network failure.
type CredentialsError struct {
	Source string // the option that set the source

	cause error
}

// Error is safe to log.
func (e *CredentialsError) Error() string {
	if e == nil {
		return "ambient: no credentials error"
	}
	text := "ambient: " + cmp.Or(e.Source, "credentials") + ": the function failed"
	if e.Source == "WithTokenSource" {
		text = "ambient: " + e.Source + ": the token source failed"
	}
	if e.cause != nil {
		text += ": " + safeText(e.cause)
	}
	return text
}

// Unwrap returns the source's own error in safe words.
func (e *CredentialsError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
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
