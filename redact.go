package ambient

import (
	"fmt"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// formatText prints a safe text under any verb. Without a Format method of
// their own, values are printed field by field by verbs such as %d and %#v.
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

// ownText prints an error of this package as it is and any other in safe words.
func safeText(err error) string {
	if isSDKError(err) {
		return err.Error()
	}
	return safeerr.Text(err)
}

// innerText is ownText inside of another error's.
func safeInnerText(err error) string { return strings.TrimPrefix(safeText(err), "ambient: ") }

// isOwn reports whether err is of this package, so that its text is safe. It is
// a list, because no method tells: others embed our types and change the text. In
// line, the list would stand in each of its many callers.
//
//go:noinline
func isSDKError(err error) bool {
	switch err.(type) {
	case *APIError, *BadRequestError, *UnauthorizedError, *ForbiddenError, *NotFoundError, *ConflictError, *ValidationError,
		*RateLimitError, *InternalServerError, *BadGatewayError, *ServiceUnavailableError, *GatewayTimeoutError,
		*NetworkError, *DecodeError, *RequestError, *AudioError, *WaitError, *interruptedError, *contextEnd,
		*TranscriptionFailedError, *TranscriptionIncompleteError, *ScribeFailedError:
		return true
	}
	return false
}

// safe returns an error of this package as it is and any other scrubbed.
func safeError(err error) error {
	if isSDKError(err) {
		return err
	}
	return safeerr.Error(err)
}

// round tells a duration in two or three digits: 1.2s, 1m, 1h30m.
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

// A client and its services hold headers and credentials, into which fmt looks
// for a verb that it finds wrong.

func (Client) Format(s fmt.State, verb rune) { formatText(s, verb, "Client") }
func (TranscriptionsService) Format(s fmt.State, verb rune) {
	formatText(s, verb, "TranscriptionsService")
}
func (ScribesService) Format(s fmt.State, verb rune) { formatText(s, verb, "ScribesService") }

// hidden keeps a value two pointers away: fmt prints the unexported fields of
// other people's types without asking, and for a verb that it finds wrong it
// follows one pointer.
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
