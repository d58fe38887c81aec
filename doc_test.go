package ambient_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
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
	"DecodeError":            func(r policyRow) bool { return isA[*ambient.DecodeError](r.err) && r.requests == 1 },
	"DecodeError, maybe submitted": func(r policyRow) bool {
		return isA[*ambient.DecodeError](r.err) && r.requests == 1 && r.maybeSubmitted
	},
	"NetworkError, maybe submitted": func(r policyRow) bool {
		return isA[*ambient.NetworkError](r.err) && r.requests == 1 && r.maybeSubmitted
	},
	"AudioError":         func(r policyRow) bool { return isA[*ambient.AudioError](r.err) && r.requests == 1 && !r.maybeSubmitted },
	"once, new token":    func(r policyRow) bool { return r.err != nil && r.requests == 2 },
	"repeat":             func(r policyRow) bool { return r.err != nil && (r.requests == 4 || r.dialFail && r.requests == 0) },
	"wait for the reset": func(r policyRow) bool { return r.err != nil && r.requests > 4 },
	"repeat; RetrySafe: error, maybe submitted": func(r policyRow) bool {
		if r.policy == ambient.RetrySafe {
			return r.requests == 1 && r.maybeSubmitted
		}
		return r.requests == 4
	},
}

func isA[T error](err error) bool { _, ok := err.(T); return ok }

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
