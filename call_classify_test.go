package ambient

import (
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

var (
	read      = request{requestSummary: &requestSummary{method: "GET"}}
	submit    = request{requestSummary: &requestSummary{method: "POST", submit: true}}
	streamed  = request{requestSummary: &requestSummary{method: "POST", submit: true}, once: true}
	tokenCall = request{requestSummary: &requestSummary{method: "POST"}, isTokenCall: true}
)

// status is an answer to a request that was sent whole.
func status(code int) exchange.Report {
	return exchange.Report{Status: code, FullySent: true, BodyRead: true, BytesSent: 5}
}

// lost is a request without an answer.
func lost(sent Delivery, bytes int64) exchange.Report {
	return exchange.Report{NotSent: sent == NotSent, FullySent: sent == FullySent, BodyRead: bytes > 0, BytesSent: bytes, Err: errors.New("reset")}
}

func TestClassify(t *testing.T) {
	badCertificate := lost(NotSent, 0)
	badCertificate.Err = &tls.CertificateVerificationError{}
	brokenAudio := lost(PartlySent, 3)
	brokenAudio.SourceErr = io.ErrUnexpectedEOF
	cutSuccess := status(202)
	cutSuccess.Err = io.ErrUnexpectedEOF
	cutError := status(503)
	cutError.Err = io.ErrUnexpectedEOF
	goodJSON := exchange.Report{Status: 202, Body: []byte(`{"id": 7}`), FullySent: true, Err: io.ErrUnexpectedEOF}
	notCommitted := lost(PartlySent, 3)
	notCommitted.CommitErr = errors.New("not now")
	lostExpect := lost(PartlySent, 0)
	lostExpect.LostExpect = true
	buffered := lost(NotSent, 0)
	buffered.BodyRead = true
	early := exchange.Report{Status: 502, BodyRead: true, BytesSent: 2}
	replayed := lost(PartlySent, 3)
	replayed.Replayed = true
	replayed503 := status(503)
	replayed503.Replayed = true
	elsewhere := lost(FullySent, 0)
	elsewhere.Err = exchange.ErrOtherOrigin
	tooLong := exchange.Report{Status: 200, Body: []byte(`{"id": 7}`), FullySent: true, Err: readbody.ErrTooLong}

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
		{"read, no answer", read, lost(FullySent, 0), retry, retry},
		{"read, 200 cut off", read, exchange.Report{Status: 200, FullySent: true, Err: io.ErrUnexpectedEOF}, retry, retry},
		{"read, bad certificate", read, badCertificate, stop, stop},
		{"read, answered from elsewhere", read, elsewhere, stop, stop},
		{"read, an answer too long to read", read, tooLong, stop, stop},
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
		{"submit 503, repeated by the transport", submit, replayed503, retry, stop},
		{"submit 504", submit, status(504), retry, stop},
		{"submit 505", submit, status(505), stop, stop},
		{"submit 507", submit, status(507), stop, stop},
		{"submit 520", submit, status(520), stop, stop},
		{"submit 524 before the whole body", submit, exchange.Report{Status: 524, BodyRead: true, BytesSent: 2}, retry, retry},
		{"submit, 202 cut off", submit, cutSuccess, stop, stop},
		{"submit, not sent", submit, lost(NotSent, 0), retry, retry},
		{"submit, partly sent", submit, lost(PartlySent, 3), retry, retry},
		{"submit, fully sent", submit, lost(FullySent, 5), stop, stop},
		{"submit, repeated by the transport", submit, replayed, stop, stop},
		{"submit, 202 whose framing ends behind the JSON", submit, goodJSON, stop, stop},
		{"submit, lost while Expect was pending", submit, lostExpect, retryWithoutExpect, retryWithoutExpect},
		{"submit, not committed", submit, notCommitted, stop, stop},
		{"submit, audio broke", submit, brokenAudio, stop, stop},

		{"streamed 202", streamed, status(202), stop, stop},
		{"streamed 401", streamed, status(401), stop, stop},
		{"streamed 429", streamed, status(429), stop, stop},
		{"streamed 503", streamed, status(503), stop, stop},
		{"streamed 503, no byte read", streamed, exchange.Report{Status: 503}, retry, retry},
		{"streamed, not sent", streamed, lost(NotSent, 0), retry, retry},
		{"streamed, not sent, but read by the transport", streamed, buffered, stop, stop},
		{"streamed, lost while Expect was pending", streamed, lostExpect, retryWithoutExpect, retryWithoutExpect},
		{"streamed, partly sent", streamed, lost(PartlySent, 3), stop, stop},

		{"token call 401", tokenCall, status(401), stop, stop},
		{"token call 429", tokenCall, status(429), awaitReset, awaitReset},
		{"token call 502", tokenCall, status(502), retry, retry},
		{"token call 521", tokenCall, status(521), retry, retry},
		{"token call, no answer", tokenCall, lost(FullySent, 5), retry, retry},
	} {
		t.Run(row.name, func(t *testing.T) {
			for submits, want := range map[SubmitRetry]action{RetryDocumented: row.documented, RetrySafe: row.safe} {
				got, reason := classify(&row.request, submits, &row.report)
				assert.Equal(t, want, got)
				assert.Equal(t, row.request.once && row.report.Status/100 != 2 && got == stop && row.report.BodyRead, reason == cannotReplay)
			}
		})
	}
}

func TestMayHaveCreated(t *testing.T) {
	for code, want := range map[int]bool{
		199: true, 202: true, 300: false, 303: true, 302: false, 400: false, 401: false, 429: false,
		500: true, 501: false, 502: true, 503: false, 504: true, 505: false, 520: true,
	} {
		report := status(code)
		assert.Equal(t, want, mayHaveCreated(&submit, &report), code)
		assert.False(t, mayHaveCreated(&read, &report), code)
		assert.False(t, mayHaveCreated(&tokenCall, &report), code)
	}
}

// TestMayHaveCreatedBeforeTheEnd: an answer that points to a result says that there is
// one, though the transport shows no whole request.
func TestMayHaveCreatedBeforeTheEnd(t *testing.T) {
	for code, want := range map[int]bool{0: false, 202: true, 204: true, 303: true, 302: false, 500: false, 502: false} {
		assert.Equal(t, want, mayHaveCreated(&submit, &exchange.Report{Status: code, BytesSent: 2}), code)
	}
}

func TestSucceeded(t *testing.T) {
	whole, part := []byte(`{"id": 7}`), []byte(`{"id"`)
	for _, c := range []struct {
		report exchange.Report
		want   bool
	}{
		{exchange.Report{Status: 200, Body: part}, true}, // another check refuses it
		{exchange.Report{Status: 200, Body: whole, Err: io.ErrUnexpectedEOF}, true},
		{exchange.Report{Status: 200, Body: part, Err: io.ErrUnexpectedEOF}, false},
		{exchange.Report{Status: 200, Body: whole, Err: readbody.ErrTooLong}, false},
		{exchange.Report{Status: 300, Body: whole}, false},
	} {
		assert.Equal(t, c.want, succeeded(&c.report), c.report)
	}
}
