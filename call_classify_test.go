package ambient

import (
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

var (
	read      = request{requestSummary: &requestSummary{method: "GET"}}
	submit    = request{requestSummary: &requestSummary{method: "POST", submit: true}}
	streamed  = request{requestSummary: &requestSummary{method: "POST", submit: true}, once: true}
	tokenCall = request{requestSummary: &requestSummary{method: "POST"}, isTokenCall: true}
)

// status is an answer to a request that was sent whole.
func status(code int) exchange.Report {
	return exchange.Report{Status: code, Sent: exchange.Answered, Whole: true, BytesSent: 5}
}

// lost is a request without an answer.
func lost(sent exchange.Delivery, bytes int64) exchange.Report {
	return exchange.Report{Sent: sent, Whole: sent == exchange.FullySent, BytesSent: bytes, Err: errors.New("reset")}
}

func TestClassify(t *testing.T) {
	badCertificate := lost(exchange.NotSent, 0)
	badCertificate.Err = &tls.CertificateVerificationError{}
	brokenAudio := lost(exchange.PartlySent, 3)
	brokenAudio.SourceErr = io.ErrUnexpectedEOF
	cutSuccess := status(202)
	cutSuccess.Err = io.ErrUnexpectedEOF
	cutError := status(503)
	cutError.Err = io.ErrUnexpectedEOF
	early := exchange.Report{Status: 502, Sent: exchange.Answered, BytesSent: 2}
	repeatedByTransport := lost(exchange.PartlySent, 3)
	repeatedByTransport.Repeated = true

	for _, row := range []struct {
		name       string
		request    request
		report     exchange.Report
		documented action
		safe       action // under RetrySafe
	}{
		{"read 200", read, status(200), stop, stop},
		{"read 401", read, status(401), refreshToken, refreshToken},
		{"read 404", read, status(404), stop, stop},
		{"read 408", read, status(408), retry, retry},
		{"read 425", read, status(425), retry, retry},
		{"read 429", read, status(429), awaitReset, awaitReset},
		{"read 500", read, status(500), retry, retry},
		{"read 501", read, status(501), stop, stop},
		{"read 502", read, status(502), retry, retry},
		{"read 503", read, status(503), retry, retry},
		{"read 504", read, status(504), retry, retry},
		{"read 505", read, status(505), stop, stop},
		{"read 507", read, status(507), retry, retry},
		{"read 520", read, status(520), retry, retry},
		{"read 530", read, status(530), retry, retry},
		{"read 599", read, status(599), retry, retry},
		{"read 600", read, status(600), stop, stop},
		{"read, no answer", read, lost(exchange.FullySent, 0), retry, retry},
		{"read, 200 cut off", read, exchange.Report{Status: 200, Whole: true, Err: io.ErrUnexpectedEOF}, retry, retry},
		{"read, bad certificate", read, badCertificate, stop, stop},
		{"read, redirect", read, status(302), stop, stop},

		{"submit 202", submit, status(202), stop, stop},
		{"submit 303", submit, status(303), stop, stop},
		{"submit 400", submit, status(400), stop, stop},
		{"submit 401", submit, status(401), refreshToken, refreshToken},
		{"submit 408", submit, status(408), retry, retry},
		{"submit 409", submit, status(409), stop, stop},
		{"submit 417", submit, status(417), retryWithoutExpect, retryWithoutExpect},
		{"submit 429", submit, status(429), awaitReset, awaitReset},
		{"submit 500", submit, status(500), retry, stop},
		{"submit 501", submit, status(501), stop, stop},
		{"submit 502", submit, status(502), retry, stop},
		{"submit 502 before the whole body", submit, early, retry, retry},
		{"submit 503", submit, status(503), retry, retry},
		{"submit 503 whose body was cut off", submit, cutError, retry, retry},
		{"submit 504", submit, status(504), retry, stop},
		{"submit 505", submit, status(505), stop, stop},
		{"submit 507", submit, status(507), stop, stop},
		{"submit 520", submit, status(520), stop, stop},
		{"submit 524 before the whole body", submit, exchange.Report{Status: 524, Sent: exchange.Answered, BytesSent: 2}, retry, retry},
		{"submit, 202 cut off", submit, cutSuccess, stop, stop},
		{"submit, not sent", submit, lost(exchange.NotSent, 0), retry, retry},
		{"submit, partly sent", submit, lost(exchange.PartlySent, 3), retry, retry},
		{"submit, fully sent", submit, lost(exchange.FullySent, 5), stop, stop},
		{"submit, repeated by the transport", submit, repeatedByTransport, stop, stop},
		{"submit, audio broke", submit, brokenAudio, stop, stop},

		{"streamed 401", streamed, status(401), stop, stop},
		{"streamed 429", streamed, status(429), stop, stop},
		{"streamed 503", streamed, status(503), stop, stop},
		{"streamed 503, no byte read", streamed, exchange.Report{Status: 503}, retry, retry},
		{"streamed, not sent", streamed, lost(exchange.NotSent, 0), retry, retry},
		{"streamed, partly sent", streamed, lost(exchange.PartlySent, 3), stop, stop},

		{"token call 401", tokenCall, status(401), stop, stop},
		{"token call 429", tokenCall, status(429), awaitReset, awaitReset},
		{"token call 502", tokenCall, status(502), retry, retry},
		{"token call 521", tokenCall, status(521), retry, retry},
		{"token call, no answer", tokenCall, lost(exchange.FullySent, 5), retry, retry},
	} {
		t.Run(row.name, func(t *testing.T) {
			for submits, want := range map[SubmitRetry]action{RetryDocumented: row.documented, RetrySafe: row.safe} {
				got, reason := classify(&row.request, submits, &row.report)
				assert.Equal(t, want, got)
				assert.Equal(t, row.request.once && got == stop && row.report.BytesSent > 0, reason == cannotReplay)
			}
		})
	}
}

func TestMayHaveCreated(t *testing.T) {
	for code, want := range map[int]bool{
		199: true, 202: true, 303: true, 302: false, 400: false, 401: false, 429: false,
		500: true, 501: false, 502: true, 503: false, 504: true, 505: false, 520: true,
	} {
		report := status(code)
		assert.Equal(t, want, mayHaveCreated(&submit, &report), code)
		assert.False(t, mayHaveCreated(&read, &report), code)
		assert.False(t, mayHaveCreated(&tokenCall, &report), code)
	}
}
