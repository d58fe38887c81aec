package ambientotel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"

	ambient "github.com/ambient-scribe/ambient-go"
)

// errorType is the kind of failure that an event ends with, in a fixed word or as the
// status of an answer. It is empty after a success.
func errorType(e ambient.Event) string {
	status := e.Attempt.StatusCode
	switch {
	case status/100 == 2 && e.Attempt.Err != nil:
		return networkErrorType(e.Attempt.Err)
	case status > 0 && status/100 != 2:
		return strconv.Itoa(status)
	case e.Err == nil:
		return ""
	case e.Kind == ambient.EventAttempt:
		return networkErrorType(e.Err)
	}
	return callErrorType(e.Err)
}

// callErrorType goes from what says most of the failure to what says least.
func callErrorType(err error) string {
	if api, ok := errors.AsType[*ambient.APIError](err); ok && !errors.Is(err, context.Canceled) {
		return strconv.Itoa(api.StatusCode)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case isA[*ambient.TranscriptionIncompleteError](err):
		return "job_incomplete"
	case isA[*ambient.TranscriptionFailedError](err), isA[*ambient.ScribeFailedError](err):
		return "job_failed"
	case isA[*ambient.CredentialsError](err):
		return "credentials"
	case isA[*ambient.RequestError](err):
		return "request"
	case isA[*ambient.AudioError](err):
		return "audio"
	case isA[*ambient.DecodeError](err):
		return "decode"
	case isA[*ambient.NetworkError](err), errors.Is(err, context.DeadlineExceeded):
		return networkErrorType(err)
	}
	return otherValue
}

func networkErrorType(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case isA[*net.DNSError](err):
		return "dns"
	case isA[*tls.CertificateVerificationError](err):
		return "tls"
	}
	return "connection"
}

func isA[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
