package ambient

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// formatText prints a safe text under any verb. Without a Format method, fmt prints
// a value field by field for verbs such as %d and %#v.
func formatText(s fmt.State, verb rune, text string) {
	switch verb {
	case 's', 'q', 'x', 'X':
	default:
		verb = 's'
	}
	if s.Flag('#') && verb == 's' {
		verb = 'q' // Go syntax
	}
	width, hasWidth := s.Width()
	switch {
	case hasWidth && s.Flag('-'):
		fmt.Fprintf(s, "%-*"+string(verb), width, text)
	case hasWidth:
		fmt.Fprintf(s, "%*"+string(verb), width, text)
	default:
		fmt.Fprintf(s, "%"+string(verb), text)
	}
}

// safeText returns the text of an error of this package, and safe words for any
// other error.
func safeText(err error) string {
	if isSDKError(err) {
		return err.Error()
	}
	return safeerr.Text(err)
}

// safeInnerText is safeText for use within the text of another error.
func safeInnerText(err error) string { return strings.TrimPrefix(safeText(err), "ambient: ") }

// isSDKError reports whether this package made err, so that its text is safe. It
// lists the types, since another package may embed one of them and change its text.
// The list is too long to be inlined into its callers.
//
//go:noinline
func isSDKError(err error) bool {
	switch err.(type) {
	case *APIError, *BadRequestError, *UnauthorizedError, *ForbiddenError, *NotFoundError, *ConflictError, *ValidationError,
		*RateLimitError, *InternalServerError, *BadGatewayError, *ServiceUnavailableError, *GatewayTimeoutError,
		*NetworkError, *DecodeError, *RequestError, *CredentialsError, *AudioError, *WaitError, *interruptedError, *commitError, *contextEnd,
		*TranscriptionFailedError, *TranscriptionIncompleteError, *ScribeFailedError:
		return true
	}
	return false
}

// safeError returns err itself if this package made it, else an error with the same
// identity and a safe text.
func safeError(err error) error {
	if isSDKError(err) {
		return err
	}
	return safeerr.Error(err)
}

// round returns a duration in two or three digits, such as 1.2s, 1m or 1h30m.
func round(d time.Duration) string {
	switch {
	case d > 10*time.Second:
		d = d.Round(time.Second)
	case d > time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// A secret keeps a value two pointers away. fmt prints the unexported fields of a
// struct without calling their methods, and follows one pointer for a verb that does
// not fit.
type secret[T any] struct{ p **T }

func newSecret[T any](v T) secret[T] {
	p := &v
	return secret[T]{&p}
}

// get returns the value, nil for none.
func (h secret[T]) get() *T {
	if h.p == nil {
		return nil
	}
	return *h.p
}

func bytesIn(h secret[[]byte]) []byte {
	if b := h.get(); b != nil {
		return *b
	}
	return nil
}

// The methods below print every exported type, and every error inside one, with its
// safe text only. fmt calls Format under any verb, and encoding/json and slog call
// MarshalText.

// A copy of an APIError prints like its pointer.
func (e APIError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e APIError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

func (e *RateLimitError) Format(s fmt.State, verb rune)               { formatText(s, verb, e.Error()) }
func (e *BadRequestError) Format(s fmt.State, verb rune)              { formatText(s, verb, e.Error()) }
func (e *UnauthorizedError) Format(s fmt.State, verb rune)            { formatText(s, verb, e.Error()) }
func (e *ForbiddenError) Format(s fmt.State, verb rune)               { formatText(s, verb, e.Error()) }
func (e *NotFoundError) Format(s fmt.State, verb rune)                { formatText(s, verb, e.Error()) }
func (e *ConflictError) Format(s fmt.State, verb rune)                { formatText(s, verb, e.Error()) }
func (e *ValidationError) Format(s fmt.State, verb rune)              { formatText(s, verb, e.Error()) }
func (e *InternalServerError) Format(s fmt.State, verb rune)          { formatText(s, verb, e.Error()) }
func (e *BadGatewayError) Format(s fmt.State, verb rune)              { formatText(s, verb, e.Error()) }
func (e *ServiceUnavailableError) Format(s fmt.State, verb rune)      { formatText(s, verb, e.Error()) }
func (e *GatewayTimeoutError) Format(s fmt.State, verb rune)          { formatText(s, verb, e.Error()) }
func (e *NetworkError) Format(s fmt.State, verb rune)                 { formatText(s, verb, e.Error()) }
func (e *DecodeError) Format(s fmt.State, verb rune)                  { formatText(s, verb, e.Error()) }
func (e *RequestError) Format(s fmt.State, verb rune)                 { formatText(s, verb, e.Error()) }
func (e *CredentialsError) Format(s fmt.State, verb rune)             { formatText(s, verb, e.Error()) }
func (e *AudioError) Format(s fmt.State, verb rune)                   { formatText(s, verb, e.Error()) }
func (e *WaitError) Format(s fmt.State, verb rune)                    { formatText(s, verb, e.Error()) }
func (e *TranscriptionFailedError) Format(s fmt.State, verb rune)     { formatText(s, verb, e.Error()) }
func (e *TranscriptionIncompleteError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ScribeFailedError) Format(s fmt.State, verb rune)            { formatText(s, verb, e.Error()) }
func (e *interruptedError) Format(s fmt.State, verb rune)             { formatText(s, verb, e.Error()) }
func (e *contextEnd) Format(s fmt.State, verb rune)                   { formatText(s, verb, e.Error()) }

func (e *RateLimitError) MarshalText() ([]byte, error)               { return []byte(e.Error()), nil }
func (e *BadRequestError) MarshalText() ([]byte, error)              { return []byte(e.Error()), nil }
func (e *UnauthorizedError) MarshalText() ([]byte, error)            { return []byte(e.Error()), nil }
func (e *ForbiddenError) MarshalText() ([]byte, error)               { return []byte(e.Error()), nil }
func (e *NotFoundError) MarshalText() ([]byte, error)                { return []byte(e.Error()), nil }
func (e *ConflictError) MarshalText() ([]byte, error)                { return []byte(e.Error()), nil }
func (e *ValidationError) MarshalText() ([]byte, error)              { return []byte(e.Error()), nil }
func (e *InternalServerError) MarshalText() ([]byte, error)          { return []byte(e.Error()), nil }
func (e *BadGatewayError) MarshalText() ([]byte, error)              { return []byte(e.Error()), nil }
func (e *ServiceUnavailableError) MarshalText() ([]byte, error)      { return []byte(e.Error()), nil }
func (e *GatewayTimeoutError) MarshalText() ([]byte, error)          { return []byte(e.Error()), nil }
func (e *NetworkError) MarshalText() ([]byte, error)                 { return []byte(e.Error()), nil }
func (e *DecodeError) MarshalText() ([]byte, error)                  { return []byte(e.Error()), nil }
func (e *RequestError) MarshalText() ([]byte, error)                 { return []byte(e.Error()), nil }
func (e *CredentialsError) MarshalText() ([]byte, error)             { return []byte(e.Error()), nil }
func (e *AudioError) MarshalText() ([]byte, error)                   { return []byte(e.Error()), nil }
func (e *WaitError) MarshalText() ([]byte, error)                    { return []byte(e.Error()), nil }
func (e *TranscriptionFailedError) MarshalText() ([]byte, error)     { return []byte(e.Error()), nil }
func (e *TranscriptionIncompleteError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }
func (e *ScribeFailedError) MarshalText() ([]byte, error)            { return []byte(e.Error()), nil }
func (e *interruptedError) MarshalText() ([]byte, error)             { return []byte(e.Error()), nil }
func (e *contextEnd) MarshalText() ([]byte, error)                   { return []byte(e.Error()), nil }

// Requests, results and audio marshal to JSON in full, so that a program can store
// them. LogValue keeps that JSON out of logs.

func (a Audio) Format(s fmt.State, verb rune)                   { formatText(s, verb, a.String()) }
func (r TranscriptionRequest) Format(s fmt.State, verb rune)    { formatText(s, verb, r.String()) }
func (s TranscriptionSubmission) Format(f fmt.State, verb rune) { formatText(f, verb, s.String()) }
func (t Transcription) Format(s fmt.State, verb rune)           { formatText(s, verb, t.String()) }
func (r ScribeRequest) Format(s fmt.State, verb rune)           { formatText(s, verb, r.String()) }
func (s ScribeSubmission) Format(f fmt.State, verb rune)        { formatText(f, verb, s.String()) }
func (s Scribe) Format(f fmt.State, verb rune)                  { formatText(f, verb, s.String()) }

func (a Audio) LogValue() slog.Value                   { return slog.StringValue(a.String()) }
func (r TranscriptionRequest) LogValue() slog.Value    { return slog.StringValue(r.String()) }
func (s TranscriptionSubmission) LogValue() slog.Value { return slog.StringValue(s.String()) }
func (t Transcription) LogValue() slog.Value           { return slog.StringValue(t.String()) }
func (r ScribeRequest) LogValue() slog.Value           { return slog.StringValue(r.String()) }
func (s ScribeSubmission) LogValue() slog.Value        { return slog.StringValue(s.String()) }
func (s Scribe) LogValue() slog.Value                  { return slog.StringValue(s.String()) }

// A FieldError, a CallInfo and a Token have no JSON that a program could need.

func (e FieldError) Format(s fmt.State, verb rune) { formatText(s, verb, e.String()) }
func (i CallInfo) Format(s fmt.State, verb rune)   { formatText(s, verb, i.String()) }
func (t Token) Format(s fmt.State, verb rune)      { formatText(s, verb, t.String()) }

func (e FieldError) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
func (i CallInfo) MarshalText() ([]byte, error)   { return []byte(i.String()), nil }
func (t Token) MarshalText() ([]byte, error)      { return []byte(t.String()), nil }

func (e FieldError) LogValue() slog.Value { return slog.StringValue(e.String()) }
func (i CallInfo) LogValue() slog.Value   { return slog.StringValue(i.String()) }

// A client and its services hold headers and credentials.

func (Client) Format(s fmt.State, verb rune) { formatText(s, verb, "Client") }
func (TranscriptionsService) Format(s fmt.State, verb rune) {
	formatText(s, verb, "TranscriptionsService")
}
func (ScribesService) Format(s fmt.State, verb rune) { formatText(s, verb, "ScribesService") }
