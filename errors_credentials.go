package ambient

import (
	"fmt"

	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// CredentialsError is a source of credentials that failed, either the function of
// WithCredentialsFunc or a TokenSource. Nothing is wrong with the request, and it was
// not sent. A call does not ask a failed source again. A wait does, as after a network
// failure.
type CredentialsError struct {
	Source string // the option that set the source

	cause error
}

// Error is safe to log.
func (e *CredentialsError) Error() string {
	switch {
	case e == nil:
		return "ambient: no credentials error"
	case e.cause == nil:
		return "ambient: " + e.Source + ": the source failed"
	}
	return "ambient: " + e.Source + ": the source failed: " + safeText(e.cause)
}

// Unwrap returns the source's own error in safe words.
func (e *CredentialsError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeerr.Error(e.cause)
}

func (e *CredentialsError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *CredentialsError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }
