package main

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestMetrics(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	printed := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"retry 1", "limit_closed 1", "token 1",
		"POST /transcribe: 202 1", "POST /transcribe: 503 1", "GET /transcribe/{id}: 429 1", "POST /auth/token: 200 1",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if strings.Contains(printed, "for the rate limit 0s") {
		t.Error("did not wait for the rate limit")
	}
}

// Every line is JSON, and none has anything of the visit.
func TestJSON(t *testing.T) {
	var logged safeBuilder
	if err := run(t.Context(), []string{"-json", "-level", "debug"}, io.Discard, &logged); err != nil {
		t.Fatal(err)
	}
	messages := map[string]int{}
	log := logged.String()
	for line := range strings.Lines(log) {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		messages[entry.Msg]++
	}
	for _, want := range []string{"ambient: attempt", "ambient: retry", "ambient: limit_closed", "ambient: poll", "visit transcribed"} {
		if messages[want] == 0 {
			t.Errorf("no %q in:\n%s", want, log)
		}
	}
	if strings.Contains(log, "cough") {
		t.Error("the transcript was logged")
	}
}

// A safeBuilder may be read while it is written: an event may be logged after
// the call that it tells of has returned.
type safeBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
