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
		"duplicate":            "ConflictError fix the request or the set-up, see the status",
		"missing parameter":    "ValidationError fix the request: body.template_ids",
		"too many requests":    "RateLimitError submit again after 2m0s",
		"service failed":       "InternalServerError look for the job before submitting again",
		"gateway failed":       "BadGatewayError look for the job before submitting again",
		"service is down":      "ServiceUnavailableError submit again later",
		"gateway timed out":    "GatewayTimeoutError look for the job before submitting again",
		"redirect":             "APIError fix the request or the set-up, see the status",
		"no connection":        "NetworkError submit again later",
		"connection lost":      "NetworkError look for the job before submitting again",
		"unusable answer":      "DecodeError look for the job before submitting again",
		"no recording":         "RequestError fix the request: audio_file",
		"recording cut off":    "AudioError mend the recording's source, then submit again",
		"transcription failed": "TranscriptionFailedError listen to the recording, then submit anew",
		"partial transcript":   "TranscriptionIncompleteError use the 12 bytes there are, or submit anew",
		"note failed":          "ScribeFailedError listen to the recording, then submit anew",
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
