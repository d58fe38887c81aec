package ambient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// NetworkError is a call that ended without a usable answer: no connection, a
// reset, a timeout, an answer cut off, or a context that ended meanwhile. It is a
// net.Error; errors.Is and errors.As find what it was caused by.
type NetworkError struct {
	Route    string
	Sent     Delivery // how far the last attempt got
	Attempts []Attempt

	record *record
	cause  error
}

// Error is safe to log.
func (e *NetworkError) Error() string {
	if e == nil || e.record == nil {
		return "ambient: no network error"
	}
	return fmt.Sprintf("ambient: %s %s: %s, %v%s", e.record.method, e.Route, safeerr.Text(e.cause), e.Sent, e.record.tail(""))
}

// Unwrap returns the cause, whose text is safe too.
func (e *NetworkError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

// Is reports a context.DeadlineExceeded also where the call ended because its
// next wait would have passed the context's deadline.
func (e *NetworkError) Is(target error) bool {
	return target == context.DeadlineExceeded && e != nil && e.record.endsAtDeadline()
}

// Timeout reports whether the cause was a timeout, as a net.Error does.
func (e *NetworkError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Unwrap())
	return ok && t.Timeout()
}

// Temporary completes net.Error; it is the same as Timeout.
func (e *NetworkError) Temporary() bool { return e.Timeout() }

func (e *NetworkError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *NetworkError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// DecodeError is a 2xx answer that is not what the API documents: no JSON, a
// missing or mistyped id, an answer about another job, or one that came before the
// whole request was sent. After a submit MaybeSubmitted is true; Body may still tell
// the id.
type DecodeError struct {
	StatusCode int
	Route      string

	problem   string
	requestID string
	body      secret[[]byte]
	record    *record
}

// Body returns the answer's body in full. It may hold patient data.
func (e *DecodeError) Body() []byte {
	if e == nil {
		return nil
	}
	return bytesIn(e.body)
}

// Error is safe to log.
func (e *DecodeError) Error() string {
	if e == nil || e.record == nil {
		return "ambient: no decode error"
	}
	return fmt.Sprintf("ambient: %s %s: %d with an unusable body of %d bytes: %s%s",
		e.record.method, e.Route, e.StatusCode, len(e.Body()), e.problem, e.record.tail(redact.ID(e.requestID)))
}

func (e *DecodeError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *DecodeError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// RequestError is a request, or an option of NewClient, that was refused before
// anything was sent: also for a recording that is missing, empty or no regular file,
// whose Field is audio_file or audio_files. Problem names the remedy. A source of
// tokens or credentials that fails gives one too, and may be asked in mid-call.
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

func (e *RequestError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *RequestError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// AudioError is a source of audio that failed, ended early, or changed while
// it was being sent. The connection was cut, so the service has no whole
// request.
type AudioError struct {
	Part   int   // which audio of the request, counted from 0
	Offset int64 // bytes of it sent before

	record *record
	cause  error
}

// Error is safe to log: it names no file.
func (e *AudioError) Error() string {
	if e == nil || e.record == nil {
		return "ambient: no audio error"
	}
	return fmt.Sprintf("ambient: %s %s: audio %d failed at byte %d: %s%s",
		e.record.method, e.record.route, e.Part+1, e.Offset, safeerr.Text(e.cause), e.record.tail(""))
}

// Unwrap returns the source's error without its path.
func (e *AudioError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

func (e *AudioError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *AudioError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// TranscriptionFailedError is a transcription that ended in STT_ERROR. What the
// service says of it is in Transcription.ErrorMessage.
type TranscriptionFailedError struct {
	Transcription *Transcription `json:"-"`
}

// Error is safe to log.
func (e *TranscriptionFailedError) Error() string {
	if e == nil || e.Transcription == nil {
		return "ambient: no failed transcription"
	}
	return jobText("transcription", e.Transcription.ID, "failed", string(e.Transcription.Status))
}

func (e *TranscriptionFailedError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *TranscriptionFailedError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// TranscriptionIncompleteError is a transcription that ended in STT_INCOMPLETE:
// Transcription.RawText is a part of the transcript.
type TranscriptionIncompleteError struct {
	Transcription *Transcription `json:"-"`
}

// Error is safe to log.
func (e *TranscriptionIncompleteError) Error() string {
	if e == nil || e.Transcription == nil {
		return "ambient: no incomplete transcription"
	}
	return jobText("transcription", e.Transcription.ID, "ended with a partial transcript", string(e.Transcription.Status))
}

func (e *TranscriptionIncompleteError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *TranscriptionIncompleteError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// ScribeFailedError is a scribe that ended in FAILED. Its last answer is in Scribe.
type ScribeFailedError struct {
	Scribe *Scribe `json:"-"`
}

// Error is safe to log.
func (e *ScribeFailedError) Error() string {
	if e == nil || e.Scribe == nil {
		return "ambient: no failed scribe"
	}
	return jobText("scribe", e.Scribe.ID, "failed", string(e.Scribe.Status))
}

func (e *ScribeFailedError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ScribeFailedError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

func jobText(kind string, id int64, what, status string) string {
	return fmt.Sprintf("ambient: %s %d %s (%s)", kind, id, what, redact.Text(status))
}

// WaitError is a wait that ended before its job: the context ended, a poll was
// refused, or 10 in a row failed. The job goes on, unless the cause is a
// NotFoundError; resume with Wait(ctx, e.ID). errors.As finds the error of the
// last poll in it too, so match WaitError before any other: a 401 of a poll says
// nothing of the submit.
type WaitError struct {
	ID         int64
	LastStatus string // in the service's words, which Error masks; empty before the first answer
	Polls      int

	duplicate bool
	cause     error
}

// PossibleDuplicate is that of the submission, where SubmitAndWait or
// CreateAndWait made it: the service may hold the visit under another id, too.
func (e *WaitError) PossibleDuplicate() bool { return e != nil && e.duplicate }

// Error is safe to log.
func (e *WaitError) Error() string {
	if e == nil || e.cause == nil {
		return "ambient: no wait error"
	}
	status := "no status yet"
	if e.LastStatus != "" {
		status = "last status " + redact.Text(e.LastStatus)
	}
	polls := "1 poll"
	if e.Polls != 1 {
		polls = fmt.Sprintf("%d polls", e.Polls)
	}
	duplicate := ""
	if e.duplicate {
		duplicate = " (may have been submitted twice)"
	}
	return fmt.Sprintf("ambient: waiting for job %d%s ended after %s, %s: %s", e.ID, duplicate, polls, status, safeInnerText(e.cause))
}

// Unwrap returns the error of the context or of the last poll.
func (e *WaitError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeError(e.cause)
}

func (e *WaitError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *WaitError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// An interruptedError is a call that ended while nothing was on its way: before
// it, or between two attempts. last is what the last attempt met.
type interruptedError struct {
	record *record
	by     error // the context's error, or why no other attempt could be made
	last   error // nil if there was no attempt
}

func (e *interruptedError) Error() string {
	call := fmt.Sprintf("ambient: %s %s: ", e.record.method, e.record.route)
	if e.last == nil {
		return call + safeInnerText(e.by) + " before anything was sent"
	}
	last := strings.TrimPrefix(e.last.Error(), call)
	if _, ended := e.by.(*contextEnd); ended || !isSDKError(e.by) {
		return call + safeInnerText(e.by) + " while waiting after " + last
	}
	return call + last + "; then " + safeInnerText(e.by)
}

func (e *interruptedError) Unwrap() []error {
	if e.last == nil {
		return []error{safeError(e.by)}
	}
	return []error{safeError(e.by), e.last}
}

func (e *interruptedError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *interruptedError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// A contextEnd is a context's error together with its cause.
type contextEnd struct{ err, cause error }

func (e *contextEnd) Error() string                 { return safeerr.Text(e.err) }
func (e *contextEnd) Unwrap() []error               { return []error{safeError(e.err), safeError(e.cause)} }
func (e *contextEnd) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *contextEnd) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }
