package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// docTable is the table of doc.go: an outcome, and what follows for a read and
// for a submit.
var docTable = regexp.MustCompile(`(?m)^//\t(\S.{31,33}?)  +(\S.*?)  +(\S.*)$`)

// meanings are the words of the table's cells as conditions on a row of
// policyTable that always meets the outcome.
var meanings = map[string]func(r policyRow) bool{
	"success":                func(r policyRow) bool { return r.err == nil && r.requests == 1 },
	"error":                  func(r policyRow) bool { return r.err != nil && r.requests == 1 && !r.maybeSubmitted },
	"error, maybe submitted": func(r policyRow) bool { return r.err != nil && r.requests == 1 && r.maybeSubmitted },
	"DecodeError":            func(r policyRow) bool { return harness.IsA[*ambient.DecodeError](r.err) && r.requests == 1 },
	"DecodeError, maybe submitted": func(r policyRow) bool {
		return harness.IsA[*ambient.DecodeError](r.err) && r.requests == 1 && r.maybeSubmitted
	},
	"NetworkError, maybe submitted": func(r policyRow) bool {
		return harness.IsA[*ambient.NetworkError](r.err) && r.requests == 1 && r.maybeSubmitted
	},
	"AudioError": func(r policyRow) bool {
		return harness.IsA[*ambient.AudioError](r.err) && r.requests == 1 && !r.maybeSubmitted
	},
	"once, new token":    func(r policyRow) bool { return r.err != nil && r.requests == 4 }, // the new one is tried three times
	"repeat":             func(r policyRow) bool { return r.err != nil && (r.requests == 4 || r.dialFail && r.requests == 0) },
	"wait for the reset": func(r policyRow) bool { return r.err != nil && r.requests > 4 },
	"repeat; RetrySafe: error, maybe submitted": func(r policyRow) bool {
		if r.policy == ambient.RetrySafe {
			return r.requests == 1 && r.maybeSubmitted
		}
		return r.requests == 4
	},
}

// outcomesOf are the outcomes of policyTable that a line of the documentation
// speaks of.
func outcomesOf(line string) func(outcome string) bool {
	prefixes := map[string]string{
		"2xx, unusable body": "2xx that does not decode", "nothing sent": "nothing sent", "part sent": "part of the body sent",
		"all sent, no answer": "all sent, no answer", "audio failed or changed": "the audio source", "redirect": "redirect",
	}
	return func(outcome string) bool {
		if prefix, ok := prefixes[line]; ok {
			// A 303 is the one redirect that says the request was processed.
			return strings.HasPrefix(outcome, prefix) && outcome != "redirect 303"
		}
		for _, part := range strings.Split(line, ", ") {
			if part == outcome || part == "other 4xx" && (outcome == "402" || outcome == "451") {
				return true
			}
			for code := range strings.FieldsSeq(part) {
				if code == outcome {
					return true
				}
			}
		}
		return false
	}
}

// Each line of the documentation's table holds for every row of the table that
// the client is tested against, and leaves no row out.
func TestDocumentedTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(doc), "outcome of an attempt")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "//\n")

	documented := map[string]bool{}
	for _, m := range docTable.FindAllStringSubmatch(table, -1) {
		line, cells := strings.TrimSpace(m[1]), map[string]string{read: m[2], token: m[2], submit: strings.TrimSpace(m[3])}
		matches, shown := outcomesOf(line), 0
		for _, row := range policyTable() {
			if row.met != always && !(line == "2xx" && row.outcome == "2xx") && row.source == "" || !matches(row.outcome) {
				continue
			}
			documented[row.outcome] = true
			cell := cells[row.kind]
			meaning := meanings[cell]
			if row.kind == token && cell == "once, new token" { // a token call has no token to renew
				meaning = meanings["error"]
			}
			if assert.NotNil(t, meaning, "the words %q of the line %q", cell, line) {
				assert.True(t, meaning(row), "%q says %q, which is not so: %s", line, cell, row.name())
				shown++
			}
		}
		assert.NotZero(t, shown, "nothing shows the line %q", line)
	}
	for _, row := range policyTable() {
		outcome := row.outcome
		if strings.HasPrefix(outcome, "body not rewindable") || strings.HasPrefix(outcome, "answer cut off") || outcome == "redirect 303" {
			continue // said in the text
		}
		assert.True(t, documented[outcome] || outcomesOf("400 403 404 409 422 402 405 413 418 451")(outcome), "%s is not documented", outcome)
	}
}

// What a call may be, as far as the policy tells calls apart.
const (
	read   = "read"   // GET
	token  = "token"  // POST /auth/token
	submit = "submit" // POST of a job
)

var callRoute = map[string]string{
	read:   "GET /transcribe/{id}",
	token:  "POST /auth/token",
	submit: "POST /transcribe",
}

// How many requests of a row meet its fault.
const (
	once   = 1
	twice  = 2
	always = 1000
)

// policyRow is one cell of the package documentation's table: what becomes of
// a call whose requests meet an outcome.
type policyRow struct {
	outcome  string // as the documentation's table names it
	kind     string // read, token or submit
	policy   ambient.SubmitRetry
	met      int // requests that meet it, from the first on
	fault    ambienttest.Fault
	source   string // of the audio; "" is memory
	dialFail bool   // no connection is had; takes the place of fault

	requests          int   // that arrive at the server
	err               error // a nil pointer of the expected type; nil = success
	status            int   // of the error, if it has one
	sent              ambient.Delivery
	maybeSubmitted    bool
	possibleDuplicate bool
}

func (r policyRow) name() string {
	policy := ""
	if r.kind == submit {
		policy = "/" + map[ambient.SubmitRetry]string{ambient.RetryDocumented: "RetryDocumented", ambient.RetrySafe: "RetrySafe"}[r.policy]
	}
	return fmt.Sprintf("%s/%s%s/%s", r.outcome, r.kind, policy, map[int]string{0: "never", once: "once", twice: "twice", always: "always"}[r.met])
}

func (r policyRow) run(t *testing.T, srv *ambienttest.Server) {
	dialer := &failingDialer{}
	client := harness.NewClient(t, srv,
		ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: r.policy}),
		ambient.WithHTTPClient(dialer.client(srv.Client())))
	id := int64(0)
	if r.kind == read {
		id = harness.Submitted(t, client)
	} else if r.kind == submit {
		require.NoError(t, client.Authenticate(t.Context()))
		time.Sleep(time.Minute) // so that the token is no new one
	}
	before := len(srv.RequestsTo(callRoute[r.kind]))
	switch {
	case r.dialFail:
		dialer.fail(r.met)
	case r.met > 0:
		srv.FaultRange(callRoute[r.kind], before+1, before+r.met, r.fault)
	}

	duplicate, err := r.call(client, id)

	assert.Len(t, srv.RequestsTo(callRoute[r.kind])[before:], r.requests, "requests")
	if r.err == nil {
		assert.NoError(t, err)
	} else if assert.Error(t, err) {
		target := reflect.New(reflect.TypeOf(r.err))
		assert.Truef(t, errors.As(err, target.Interface()), "is %T: %v, want %T", err, err, r.err)
	}
	if _, ok := errors.AsType[*ambient.AudioError](err); ok {
		arrived := srv.RequestsTo(callRoute[submit])[before]
		assert.False(t, arrived.Complete, "a body that is short must not look whole")
		assert.Zero(t, arrived.Status)
	}
	if api, ok := errors.AsType[*ambient.APIError](err); ok {
		assert.Equal(t, r.status, api.StatusCode)
	} else {
		assert.Zero(t, r.status)
	}
	if network, ok := errors.AsType[*ambient.NetworkError](err); ok {
		assert.Equal(t, r.sent, network.Sent, "%v", err)
	}
	assert.Equal(t, r.maybeSubmitted, ambient.MaybeSubmitted(err), "MaybeSubmitted of %v", err)
	assert.Equal(t, r.possibleDuplicate, duplicate, "PossibleDuplicate")
	if r.source == "reader" && err != nil && r.fault.Status != 400 {
		assert.ErrorContains(t, err, "not repeated: the audio cannot be read twice")
	}
}

func (r policyRow) call(client *ambient.Client, id int64) (duplicate bool, err error) {
	ctx := context.Background()
	switch r.kind {
	case read:
		_, err = client.Transcriptions.Get(ctx, id)
		return false, err
	case token:
		return false, client.Authenticate(ctx)
	}
	sub, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: harness.AudioOf(r.source)})
	return sub != nil && sub.PossibleDuplicate(), err
}

// failingDialer makes a transport's next dials fail, and keeps no connection
// from one request to the next: net/http repeats a GET by itself when a kept
// connection is lost, which is not what is counted here.
type failingDialer struct{ left int }

func (d *failingDialer) fail(n int) { d.left = n }

func (d *failingDialer) client(c *http.Client) *http.Client {
	transport := c.Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if d.left > 0 {
			d.left--
			return nil, &net.OpError{Op: "dial", Net: network, Err: harness.ErrRefused}
		}
		return dial(ctx, network, addr)
	}
	return &http.Client{Transport: transport}
}

// TestPolicyTable shows what the package documentation's table says of every
// outcome, for reads, token calls and submits.
func TestPolicyTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, row := range policyTable() {
		name := row.name()
		for n := 2; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", row.name(), n)
		}
		names[name] = true
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			harness.InBubble(t, row.run)
			assert.Less(t, time.Since(start), 5*time.Second, "real time")
		})
	}
}

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
		{outcome: "401", kind: read, fault: refused, met: always, requests: 4, err: errorOf(401), status: 401},
		{outcome: "401", kind: token, fault: refused, met: always, requests: 1, err: errorOf(401), status: 401},
		{outcome: "401", kind: submit, fault: refused, met: once, requests: 2},
		{outcome: "401", kind: submit, fault: refused, met: always, requests: 4, err: errorOf(401), status: 401},
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
	for _, status := range []int{507, 520, 521, 522, 523, 524, 525, 529, 530} {
		for _, row := range bothPolicies(policyRow{outcome: "other 5xx", fault: ambienttest.ProxyHTML(status), met: always,
			requests: 4, err: errorOf(status), status: status}) {
			if row.kind == submit {
				row.requests, row.maybeSubmitted = 1, true
			}
			rows = append(rows, row)
		}
		for _, kind := range []string{read, token} {
			rows = append(rows, policyRow{outcome: "other 5xx", kind: kind, fault: ambienttest.ProxyHTML(status), met: once, requests: 2})
		}
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
