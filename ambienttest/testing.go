package ambienttest

import (
	"fmt"
	"slices"
	"strings"
)

// TB is the part of testing.TB that this package uses, so that programs which run the
// fake do not import testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start is [NewServer] for the length of a test. At the end of the test the server is
// closed, and what [Server.Unreached] returns is an error of the test.
func Start(tb TB, opts ...Option) *Server {
	tb.Helper()
	return forTest(tb, NewServer(opts...))
}

// StartInMemory is [NewInMemory] for the length of a test, like [Start]. Make server
// and client inside the testing/synctest bubble, and pass the bubble's own *testing.T,
// whose cleanup still runs in the bubble. Take its t.Context() too, since the context
// of the outer test is not in the bubble. A client renews a token of [WithTokenLifetime]
// in the background, so call t.Cleanup(synctest.Wait) after StartInMemory. Else a renewal
// may outlive the bubble, which synctest reports as a deadlock.
func StartInMemory(tb TB, opts ...Option) *Server {
	tb.Helper()
	return forTest(tb, NewInMemory(opts...))
}

func forTest(tb TB, s *Server) *Server {
	tb.Cleanup(func() {
		tb.Helper()
		s.Close()
		for _, u := range s.Unreached() {
			tb.Errorf("ambienttest: never reached: %s", u)
		}
	})
	return s
}

// Unreached returns, in words that may change, which scripts and faults have not been
// reached so far. Of a [Server.FaultRange] one request is enough.
func (s *Server) Unreached() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(s.jobs.transcriptions.unreached("ScriptTranscription"), s.jobs.scribes.unreached("ScriptScribe")...)
	for _, p := range s.faults {
		if p.match != nil && !p.reached {
			all = append(all, p.String()+": none did")
		} else if !p.reached {
			all = append(all, fmt.Sprintf("%s: %d arrived", p, s.arrived[p.route]))
		}
	}
	return all
}

// AssertCount checks how many requests have gone to a route. "*" counts all. An unknown
// route is a panic, as in [Server.Fault].
func (s *Server) AssertCount(tb TB, route string, want int) {
	tb.Helper()
	if got := len(s.RequestsTo(route)); got != want {
		tb.Errorf("ambienttest: %d requests to %q, want %d; arrived:%s", got, route, want, s.listing())
	}
}

// AssertRoutes checks that requests to exactly these routes have arrived, in this
// order, those for tokens and every poll among them.
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
