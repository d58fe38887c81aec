package ambient_test

import (
	"fmt"
	"net/http"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// policyTable is the package documentation's table as data.
func policyTable() []policyRow {
	var rows []policyRow
	for _, part := range [][]policyRow{
		goodAnswers(), clientErrors(), unauthorized(), notTaken(), rateLimited(), serverErrors(), sentInPart(), sentInFull(),
		brokenSources(), redirects(), sentOnlyOnce(),
	} {
		rows = append(rows, part...)
	}
	return rows
}

var typeOf = map[int]error{
	400: (*ambient.BadRequestError)(nil), 401: (*ambient.UnauthorizedError)(nil), 403: (*ambient.ForbiddenError)(nil),
	404: (*ambient.NotFoundError)(nil), 409: (*ambient.ConflictError)(nil), 422: (*ambient.ValidationError)(nil),
	429: (*ambient.RateLimitError)(nil), 500: (*ambient.InternalServerError)(nil), 502: (*ambient.BadGatewayError)(nil),
	503: (*ambient.ServiceUnavailableError)(nil), 504: (*ambient.GatewayTimeoutError)(nil),
}

func errorOf(status int) error {
	if err := typeOf[status]; err != nil {
		return err
	}
	return (*ambient.APIError)(nil)
}

func goodAnswers() []policyRow {
	decode := (*ambient.DecodeError)(nil)
	broken := ambienttest.Fault{Status: 200, Body: `{"id": "?", "task_status": 7`}
	html := ambienttest.ProxyHTML(200)
	return []policyRow{
		{outcome: "2xx", kind: read, requests: 1},
		{outcome: "2xx", kind: token, requests: 1},
		{outcome: "2xx", kind: submit, requests: 1},
		{outcome: "2xx that does not decode", kind: read, fault: broken, met: always, requests: 1, err: decode},
		{outcome: "2xx that does not decode", kind: read, fault: html, met: always, requests: 1, err: decode},
		{outcome: "2xx that does not decode", kind: token, fault: broken, met: always, requests: 1, err: decode},
		{outcome: "2xx that does not decode", kind: submit, fault: broken, met: always, requests: 1, err: decode, maybeSubmitted: true},
	}
}

func clientErrors() (rows []policyRow) {
	for _, status := range []int{400, 402, 403, 404, 405, 409, 413, 418, 422, 451} {
		for _, kind := range []string{read, token, submit} {
			rows = append(rows, policyRow{outcome: fmt.Sprint(status), kind: kind, fault: ambienttest.Answer(status), met: always,
				requests: 1, err: errorOf(status), status: status})
		}
	}
	return rows
}

func unauthorized() []policyRow {
	refused := ambienttest.Answer(401)
	return []policyRow{
		{outcome: "401", kind: read, fault: refused, met: once, requests: 2},
		{outcome: "401", kind: read, fault: refused, met: always, requests: 2, err: errorOf(401), status: 401},
		{outcome: "401", kind: token, fault: refused, met: always, requests: 1, err: errorOf(401), status: 401},
		{outcome: "401", kind: submit, fault: refused, met: once, requests: 2},
		{outcome: "401", kind: submit, fault: refused, met: always, requests: 2, err: errorOf(401), status: 401},
	}
}

func notTaken() (rows []policyRow) {
	for _, status := range []int{408, 425} {
		rows = append(rows, bothPolicies(policyRow{outcome: fmt.Sprint(status), fault: ambienttest.Answer(status), met: once, requests: 2})...)
		rows = append(rows, bothPolicies(policyRow{outcome: fmt.Sprint(status), fault: ambienttest.Answer(status), met: always, requests: 4,
			err: errorOf(status), status: status})...)
	}
	return rows
}

// rateLimited: five waits of 170 s fit into the default MaxLimitWait of 15 min,
// and are more than MaxAttempts.
func rateLimited() (rows []policyRow) {
	refused := ambienttest.RetryAfter(429, "170")
	rows = append(rows, bothPolicies(policyRow{outcome: "429", fault: refused, met: twice, requests: 3})...)
	return append(rows, bothPolicies(policyRow{outcome: "429", fault: refused, met: always, requests: 6, err: errorOf(429), status: 429})...)
}

func serverErrors() (rows []policyRow) {
	for _, status := range []int{500, 502, 503, 504} {
		taken := status != 503
		row := policyRow{outcome: fmt.Sprint(status), fault: ambienttest.ProxyHTML(status), status: status}
		answered := func(kind string) policyRow { r := row; r.kind = kind; return r }

		for _, kind := range []string{read, token, submit} {
			good := answered(kind)
			good.status, good.met, good.requests, good.possibleDuplicate = 0, once, 2, taken && kind == submit
			bad := answered(kind)
			bad.met, bad.requests, bad.err, bad.maybeSubmitted = always, 4, errorOf(status), taken && kind == submit
			rows = append(rows, good, bad)
		}
		safe := answered(submit)
		safe.policy, safe.met, safe.requests, safe.err, safe.maybeSubmitted = ambient.RetrySafe, always, 1, errorOf(status), true
		if !taken {
			safe.requests, safe.maybeSubmitted = 4, false
		}
		rows = append(rows, safe)
	}
	for _, status := range []int{501, 505} { // the service says that it does not do such a thing
		rows = append(rows, bothPolicies(policyRow{outcome: fmt.Sprint(status), fault: ambienttest.Answer(status), met: always,
			requests: 1, err: errorOf(status), status: status})...)
	}
	for _, row := range bothPolicies(policyRow{outcome: "other 5xx", fault: ambienttest.ProxyHTML(520), met: always,
		requests: 1, err: errorOf(520), status: 520}) {
		row.maybeSubmitted = row.kind == submit
		rows = append(rows, row)
	}
	return rows
}

func sentInPart() (rows []policyRow) {
	network := (*ambient.NetworkError)(nil)
	rows = append(rows, bothPolicies(policyRow{outcome: "nothing sent", dialFail: true, met: once, requests: 1})...)
	rows = append(rows, bothPolicies(policyRow{outcome: "nothing sent", dialFail: true, met: always, requests: 0, err: network, sent: ambient.NotSent})...)
	for _, policy := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
		for _, reset := range []ambienttest.Reset{ambienttest.ResetBeforeRead, ambienttest.ResetMidBody} {
			row := policyRow{outcome: "part of the body sent", kind: submit, policy: policy, fault: ambienttest.Fault{Reset: reset}, sent: ambient.PartlySent}
			good, bad := row, row
			good.met, good.requests = once, 2
			bad.met, bad.requests, bad.err = always, 4, network
			rows = append(rows, good, bad)
		}
	}
	return rows
}

func sentInFull() (rows []policyRow) {
	network := (*ambient.NetworkError)(nil)
	for _, s := range []struct {
		outcome string
		fault   ambienttest.Fault
		sent    ambient.Delivery
	}{
		{"all sent, no answer (reset)", ambienttest.Fault{Reset: ambienttest.ResetAfterRead}, ambient.FullySent},
		{"all sent, no answer (taken, reset)", ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}, ambient.FullySent},
		{"all sent, no answer (silence)", ambienttest.Fault{Delay: time.Hour}, ambient.FullySent},
		{"answer cut off (reset)", ambienttest.Fault{Reset: ambienttest.ResetMidResponse}, ambient.Answered},
		{"answer cut off (short)", ambienttest.Fault{Truncate: true}, ambient.Answered},
	} {
		for _, kind := range []string{read, token} {
			rows = append(rows,
				policyRow{outcome: s.outcome, kind: kind, fault: s.fault, met: once, requests: 2},
				policyRow{outcome: s.outcome, kind: kind, fault: s.fault, met: always, requests: 4, err: network, sent: s.sent})
		}
		for _, policy := range []ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe} {
			rows = append(rows, policyRow{outcome: s.outcome, kind: submit, policy: policy, fault: s.fault, met: always,
				requests: 1, err: network, sent: s.sent, maybeSubmitted: true})
		}
	}
	return rows
}

func brokenSources() (rows []policyRow) {
	for _, source := range []string{"failing", "short", "changed"} {
		rows = append(rows, policyRow{outcome: "the audio source " + source, kind: submit, source: source,
			requests: 1, err: (*ambient.AudioError)(nil)})
	}
	return rows
}

func redirects() (rows []policyRow) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := ambienttest.Fault{Status: status, Header: http.Header{"Location": {"/elsewhere"}}}
		for _, row := range bothPolicies(policyRow{outcome: fmt.Sprintf("redirect %d", status), fault: elsewhere, met: always,
			requests: 1, err: errorOf(status), status: status}) {
			row.maybeSubmitted = row.kind == submit && status == 303 // See Other: done, the result is over there
			rows = append(rows, row)
		}
	}
	return rows
}

// sentOnlyOnce: from an io.Reader of unknown length, so sent in chunks.
func sentOnlyOnce() []policyRow {
	row := func(outcome string, f ambienttest.Fault) policyRow {
		return policyRow{outcome: "body not rewindable, " + outcome, kind: submit, source: "reader", fault: f, met: always, requests: 1}
	}
	good, bad, unavailable, lost, refused := row("2xx", ambienttest.Fault{}), row("400", ambienttest.Answer(400)),
		row("503", ambienttest.Answer(503)), row("part of the body sent", ambienttest.Fault{Reset: ambienttest.ResetMidBody}),
		row("401", ambienttest.Answer(401))
	good.met = 0
	bad.err, bad.status = errorOf(400), 400
	unavailable.err, unavailable.status = errorOf(503), 503
	refused.err, refused.status = errorOf(401), 401
	lost.err, lost.sent = (*ambient.NetworkError)(nil), ambient.PartlySent

	// Refused before a byte was asked for, it can be sent after all.
	early := ambienttest.Answer(401)
	early.Early = true
	untouched := row("401 before any of it was sent", early)
	untouched.met, untouched.requests = once, 2
	return []policyRow{good, bad, unavailable, lost, refused, untouched}
}

// bothPolicies is a row for reads and tokens, and for submits under each policy.
func bothPolicies(row policyRow) (rows []policyRow) {
	for _, kind := range []string{read, token, submit} {
		row.kind = kind
		rows = append(rows, row)
	}
	row.policy = ambient.RetrySafe
	return append(rows, row)
}
