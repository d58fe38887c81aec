package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	ambient "github.com/ambient-scribe/ambient-go"
)

// noJob is the route of a job that no account has. Its answer shows whether the
// service takes the token, and has the service's headers.
const noJob = "/transcribe/0"

func (c *doctor) checkAccount(ctx context.Context) {
	account, err := c.accountOption()
	if err != nil {
		c.checks = append(c.checks, check{"token", stateFailed, err.Error(), exitCredentials})
		return
	}
	opts := []ambient.Option{account, ambient.WithHTTPClient(&http.Client{Transport: c.transport})}
	if url := c.getenv("AMBIENT_BASE_URL"); url != "" {
		opts = append(opts, ambient.WithBaseURL(url))
	}
	client, err := ambient.NewClient(opts...)
	if err != nil {
		c.addFailure(ctx, "token", err)
		return
	}
	if !c.checkToken(ctx, client) {
		return
	}
	if c.transcription != 0 {
		c.checkTranscription(ctx, client)
	}
	if c.scribe != 0 {
		c.checkScribe(ctx, client)
	}
	c.addHeaders()
}

// checkToken reports whether the service gives a token and takes it.
func (c *doctor) checkToken(ctx context.Context, client *ambient.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := client.Authenticate(ctx); err != nil {
		c.addFailure(ctx, "token", err)
		return false
	}
	err := client.Do(ctx, http.MethodGet, noJob, nil, nil)
	answer, answered := errors.AsType[*ambient.APIError](err)
	switch {
	case err == nil, answered && (answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusUnprocessableEntity || answer.StatusCode == http.StatusBadRequest):
		c.add("token", stateOK, "the service gave one and takes it")
		return true
	}
	c.addFailure(ctx, "token", err)
	return answered
}

func (c *doctor) addFailure(ctx context.Context, name string, err error) {
	f := explain(ctx, err)
	c.checks = append(c.checks, check{name, stateFailed, f.text, f.code})
}

func (c *doctor) checkTranscription(ctx context.Context, client *ambient.Client) {
	t, err := client.Transcriptions.Get(ctx, c.transcription)
	if err != nil {
		c.addFailure(ctx, "job", err)
		return
	}
	known := []string{
		string(ambient.TranscriptionDetectedFile), string(ambient.TranscriptionProcessing), string(ambient.TranscriptionCompleted),
		string(ambient.TranscriptionError), string(ambient.TranscriptionIncomplete),
	}
	c.addJob(string(t.Status), known, t.Extra)
}

func (c *doctor) checkScribe(ctx context.Context, client *ambient.Client) {
	s, err := client.Scribes.Get(ctx, c.scribe)
	if err != nil {
		c.addFailure(ctx, "job", err)
		return
	}
	known := []string{string(ambient.ScribeInProgress), string(ambient.ScribeCompleted), string(ambient.ScribeFailed)}
	c.addJob(string(s.Status), known, s.Extra)
}

// addJob names what of a job the vendor has not documented.
func (c *doctor) addJob(status string, known []string, extra map[string]json.RawMessage) {
	switch {
	case slices.Contains(known, strings.ToUpper(status)):
		c.add("state", stateOK, "documented")
	case isStateName(status):
		c.add("state", stateWarning, "%s is not documented", status)
	default:
		c.add("state", stateWarning, "not documented, and not printed since it is no plain name")
	}
	c.add("fields", stateOK, "not documented: %s", listNames(fieldNames(extra), isFieldName))
}

// addHeaders names the headers that answers had. The vendor has documented none.
func (c *doctor) addHeaders() {
	names := c.transport.headerNames()
	limits := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !isLimitHeader(name) })
	if len(limits) == 0 {
		c.add("limits", stateWarning, "the answers have no rate-limit header: set the account's limit where it is known")
	} else {
		c.add("limits", stateOK, "told in %s", listNames(limits, isHeaderName))
	}
	c.add("headers", stateOK, "%s", listNames(names, isHeaderName))
	if fields := c.transport.tokenFields(); len(fields) > 0 {
		c.add("fields", stateOK, "of the token, not documented: %s", listNames(fields, isFieldName))
	}
}

func isLimitHeader(name string) bool {
	plain := strings.ReplaceAll(strings.ToLower(name), "-", "")
	return strings.Contains(plain, "ratelimit") || plain == "retryafter"
}

// listNames joins those names that are surely names. A name that is data, such as
// a patient's in a field's place, is counted and not printed.
func listNames(names []string, isName func(string) bool) string {
	all := len(names)
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !isName(s) })
	text := strings.Join(names, ", ")
	if hidden := all - len(names); hidden > 0 {
		text = strings.TrimPrefix(fmt.Sprintf("%s, and %d that look like data", text, hidden), ", ")
	}
	if text == "" {
		return "none"
	}
	return text
}

// fieldNames lists the fields of an object, and those of the objects in it as
// note.plan.
func fieldNames(fields map[string]json.RawMessage) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		names = append(names, name)
		var inner map[string]json.RawMessage
		if json.Unmarshal(fields[name], &inner) == nil {
			for _, below := range slices.Sorted(maps.Keys(inner)) {
				names = append(names, name+"."+below)
			}
		}
	}
	return names
}
