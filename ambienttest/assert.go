package ambienttest

import (
	"fmt"
	"slices"
	"strings"
)

// Unreached tells, in words, which scripts and faults have not been reached so far. Of a [Server.FaultRange] one request
// is enough.
func (s *Server) Unreached() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(s.jobs.transcriptions.unreached("ScriptTranscription"), s.jobs.scribes.unreached("ScriptScribe")...)
	for _, p := range s.faults {
		if !p.reached {
			all = append(all, fmt.Sprintf("%s: %d arrived", p, s.arrived[p.route]))
		}
	}
	return all
}

// AssertCount checks how many requests have gone to a route; "*" counts all. An unknown route is a panic, as in
// [Server.Fault].
func (s *Server) AssertCount(tb TB, route string, want int) {
	tb.Helper()
	if got := len(s.RequestsTo(route)); got != want {
		tb.Errorf("ambienttest: %d requests to %q, want %d; arrived:%s", got, route, want, s.listing())
	}
}

// AssertRoutes checks that requests to exactly these routes have arrived, in this order, those for tokens and every poll
// among them.
func (s *Server) AssertRoutes(tb TB, want ...string) {
	tb.Helper()
	var got []string
	for _, r := range s.Requests() {
		got = append(got, r.Route)
	}
	for _, route := range want {
		mustKnow(route)
	}
	if !slices.Equal(got, want) {
		tb.Errorf("ambienttest: want %s; arrived:%s", strings.Join(want, ", "), s.listing())
	}
}

func (s *Server) listing() string {
	var b strings.Builder
	for _, r := range s.Requests() {
		b.WriteString("\n\t" + r.String())
	}
	if b.Len() == 0 {
		return " nothing"
	}
	return b.String()
}
