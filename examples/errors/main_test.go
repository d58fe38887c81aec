package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	table, report, _ := strings.Cut(out.String(), "\n\n")
	for name, want := range map[string]string{
		"malformed request":    "BadRequestError fix the request or the set-up, see the status",
		"wrong password":       "UnauthorizedError renew the user name, password or token",
		"invalid token":        "UnauthorizedError renew the user name, password or token",
		"no access":            "ForbiddenError ask the administrator for access",
		"unknown id":           "NotFoundError check the id and the account",
		"duplicate":            "ConflictError ask the vendor what exists already",
		"missing parameter":    "ValidationError fix the request: body.audio_file",
		"too many requests":    "RateLimitError call again in 2m0s",
		"service failed":       "InternalServerError ask the vendor, with SupportReport, before submitting again",
		"gateway failed":       "BadGatewayError ask the vendor, with SupportReport, before submitting again",
		"service is down":      "ServiceUnavailableError call again later",
		"gateway timed out":    "GatewayTimeoutError ask the vendor, with SupportReport, before submitting again",
		"redirect":             "APIError fix the request or the set-up, see the status",
		"no connection":        "NetworkError call again later",
		"connection lost":      "NetworkError ask the vendor, with SupportReport, before submitting again",
		"unusable answer":      "DecodeError ask the vendor, with SupportReport, before submitting again",
		"vault is sealed":      "CredentialsError see to the source that WithCredentialsFunc set, call again",
		"no recording":         "RequestError fix the request: audio_file",
		"recording cut off":    "AudioError fix the recording's source, then submit again",
		"transcription failed": "TranscriptionFailedError see what the service says of the job",
		"partial transcript":   "TranscriptionIncompleteError use the 12 bytes of text there are",
		"note failed":          "ScribeFailedError see what the service says of the job",
		"job is not found":     "WaitError check the account, then Wait(ctx, 101)",
		"deadline":             "WaitError it goes on: Wait(ctx, 101) later",
	} {
		if want = name + " " + want; !hasLine(table, want) {
			t.Errorf("no line %q in:\n%s", want, table)
		}
	}
	for _, want := range []string{"Status:     504 Gateway Timeout", "May have been submitted: true"} {
		if !strings.Contains(report, want) {
			t.Errorf("no %q in:\n%s", want, report)
		}
	}
	if n := strings.Count(table, "\n"); n != len(trials) {
		t.Errorf("%d lines for %d errors", n, len(trials))
	}
}

// hasLine looks for a line, whatever its columns' widths.
func hasLine(table, line string) bool {
	for l := range strings.Lines(table) {
		if strings.Join(strings.Fields(l), " ") == line {
			return true
		}
	}
	return false
}

func TestUnknownError(t *testing.T) {
	if got := advise(errors.New("another")); got != "report it" {
		t.Error(got)
	}
}
