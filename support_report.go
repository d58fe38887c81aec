package ambient

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/redact"
	"github.com/ambient-scribe/ambient-go/internal/safeerr"
)

// SupportReport returns what the vendor's support asks for about err. It has the
// endpoint, the status, the message, some headers, the name and size of each field of
// the request, and the time and outcome of every attempt.
//
// The report is safe to paste into a ticket. The message is masked as in Error, and no
// value of a field is shown. The report of an error from another package is one line.
func SupportReport(err error) string {
	var b strings.Builder
	if err == nil {
		return "No error.\n"
	}
	fmt.Fprintf(&b, "Error:      %s\n", safeText(firstSDKError(err)))
	if wait, ok := find[*WaitError](err); ok {
		fmt.Fprintf(&b, "Job:        %d\n", wait.ID)
	}
	if api, ok := find[*APIError](err); ok {
		reportAnswer(&b, api)
	}
	if h := historyOf(err); h != nil {
		reportRequest(&b, h)
	}
	fmt.Fprintf(&b, "SDK:        %s\n", userAgent)
	return b.String()
}

// firstSDKError is the first error of this package in the tree of err, else err.
func firstSDKError(err error) error {
	for e := range errorTree(err) {
		if isSDKError(e) {
			return e
		}
	}
	return err
}

// reportAnswer writes the answer of the server.
func reportAnswer(b *strings.Builder, e *APIError) {
	fmt.Fprintf(b, "Time:       %s\n", e.Time.UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(b, "Status:     %d %s\n", e.StatusCode, http.StatusText(e.StatusCode))
	fmt.Fprintf(b, "Request id: %s\n", cmp.Or(redact.ID(e.RequestID), "none"))
	if e.Detail != "" {
		fmt.Fprintf(b, "Message:    %s\n", redact.Text(e.Detail, e.past().ids...))
	}
	for _, f := range e.Fields {
		fmt.Fprintf(b, "Field:      %s: %s (%s)\n", redact.Text(f.Path), redact.Text(f.Message, e.past().ids...), redact.Text(f.Type))
	}
	for _, name := range reportedHeaders {
		for _, v := range e.Header[name] {
			fmt.Fprintf(b, "Header:     %s: %s\n", name, redact.Text(v))
		}
	}
	for _, name := range reportedNumbers {
		for _, v := range e.Header[name] {
			fmt.Fprintf(b, "Header:     %s: %s\n", name, numberText(v))
		}
	}
	fmt.Fprintf(b, "Body:       %d bytes\n", len(e.Body()))
}

// The headers of an answer that help to find an error and contain no data of the call.
// The first have words, and the others have numbers and dates.
var (
	reportedHeaders = []string{"Content-Type", "Server", "Via"}
	reportedNumbers = []string{
		"Content-Length", "Date", "Retry-After",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset",
		"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset",
		"Ratelimit", "Ratelimit-Policy", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset",
	}
)

// numberText returns a date or number as it is, and masks the rest.
func numberText(v string) string {
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC().Format(http.TimeFormat)
	}
	return redact.Number(v)
}

// reportRequest writes the request and its attempts.
func reportRequest(b *strings.Builder, h *history) {
	fmt.Fprintf(b, "Endpoint:   %s %s\n", h.method, h.route)
	for _, p := range h.parts {
		if p.bytes < 0 {
			fmt.Fprintf(b, "Sent field: %s, size unknown\n", p.name)
		} else {
			fmt.Fprintf(b, "Sent field: %s, %d bytes\n", p.name, p.bytes)
		}
	}
	for i, a := range h.attempts {
		outcome := fmt.Sprintf("status %d", a.StatusCode)
		if a.Err != nil {
			outcome = safeerr.Text(a.Err)
		}
		fmt.Fprintf(b, "Attempt %d:  %s, waited %v, took %v, %v, %d bytes of the body sent: %s\n",
			i+1, a.Start.UTC().Format(time.RFC3339Nano), round(a.Wait), round(a.Duration), a.Sent, a.BytesSent, outcome)
	}
	if h.reason != "" {
		fmt.Fprintf(b, "Note:       %s\n", h.reason)
	}
	fmt.Fprintf(b, "May have been submitted: %t\n", h.maybeSubmitted())
}

// historyOf finds the history of the call in the tree of err, nil if there is none.
func historyOf(err error) *history {
	for e := range errorTree(err) {
		if h := ownHistory(e); h != nil {
			return h
		}
	}
	return nil
}
