package ambient

import (
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// An action is what follows from an attempt.
type action int

const (
	stop               action = iota // success, or an error that another attempt would meet again
	retry                            // try again after a backoff
	refreshToken                     // attempt again with another token
	awaitReset                       // attempt again when the rate limit allows it
	retryWithoutExpect               // attempt again without Expect: 100-continue, if it was sent
)

const cannotReplay = "not repeated: the audio cannot be read twice"

// classify is the table of doc.go. It returns what follows from an attempt, and why the
// attempt is not repeated where that needs to be said.
func classify(r *request, submits SubmitRetry, report *exchange.Report) (action, string) {
	a := stop
	switch {
	case report.CommitErr != nil, report.SourceErr != nil:
	case answered(report):
		a = classifyStatus(r, submits, report)
	default:
		a = classifyNoResponse(r, report)
	}
	if a != stop && !replayable(r, report) {
		return stop, cannotReplay
	}
	return a, ""
}

func classifyStatus(r *request, submits SubmitRetry, report *exchange.Report) action {
	switch report.Status {
	case http.StatusUnauthorized:
		if !r.isTokenCall {
			return refreshToken
		}
	case http.StatusTooManyRequests:
		return awaitReset
	case http.StatusExpectationFailed:
		return retryWithoutExpect
	default:
		risked := submits == RetryDocumented && documentedRetry(report.Status)
		if retriedStatus(report.Status) && (risked || !mayHaveCreated(r, report)) {
			return retry
		}
	}
	return stop
}

// retriedStatus reports whether a call may succeed later that met the status: 408, 425
// and what went wrong in the service or before it, 520 to 530 of CDNs among that. A
// method or version that is not implemented will not be later.
func retriedStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status/100 == 5
}

// documentedRetry reports whether the API's documentation asks for another try, of a
// submit too.
func documentedRetry(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func classifyNoResponse(r *request, report *exchange.Report) action {
	switch {
	case permanent(report.Err), report.Err == readbody.ErrTooLong, mayHaveCreated(r, report):
		return stop
	case report.LostExpect:
		return retryWithoutExpect
	}
	return retry
}

// answered reports whether the answer can be used. An error's status counts even
// if its body broke off.
func answered(r *exchange.Report) bool { return r.Status != 0 && (r.Status/100 != 2 || succeeded(r)) }

// succeeded reports whether the answer is a 2xx that was read to its end, or to the end
// of its JSON where the framing breaks off behind that.
func succeeded(r *exchange.Report) bool {
	return r.Status/100 == 2 && (r.Err == nil || r.Err != readbody.ErrTooLong && jsonobject.IsComplete(r.Body))
}

// early reports whether an answer came before the whole request had left, as far as the
// transport shows that.
func early(r *exchange.Report) bool { return r.Conns > 0 && !r.FullySent }

// permanent reports a failure that another attempt would meet again.
func permanent(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted || errors.Is(err, exchange.ErrOtherOrigin)
}

// replayable reports whether the request can be sent again.
func replayable(r *request, report *exchange.Report) bool {
	return !r.once || !report.BodyRead
}

// mayHaveCreated reports whether the service may have created what an attempt of a
// submit asked for. A success, or a pointer to the result, says so whatever was sent
// by then. Without the whole request the service cannot have created anything.
func mayHaveCreated(r *request, report *exchange.Report) bool {
	switch {
	case !r.submit:
		return false
	case report.Status/100 == 2, report.Status == http.StatusSeeOther, report.Replayed:
		return true
	}
	return report.FullySent && statusMayHaveCreated(report.Status)
}

// statusMayHaveCreated reports whether the service may have created a job before it, or
// something in front of it, answered with the status.
func statusMayHaveCreated(status int) bool {
	switch status {
	case http.StatusSeeOther:
		return true
	case http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status < 300 || status >= 500
}
