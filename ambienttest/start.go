package ambienttest

// TB is the part of testing.TB that this package uses, so that programs which run the fake do not import testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// Start is [NewServer] for the length of a test: at its end the server is closed, and what [Server.Unreached] tells is an
// error of the test.
func Start(tb TB, opts ...Option) *Server {
	tb.Helper()
	return forTest(tb, NewServer(opts...))
}

// StartInMemory is [NewInMemory] for the length of a test, like [Start]. Make server and client inside the
// testing/synctest bubble, and pass the bubble's own *testing.T, whose cleanup still runs in the bubble.
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
