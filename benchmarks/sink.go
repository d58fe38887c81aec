package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// A sink is a server that takes uploads and throws them away.
type sink struct {
	url    string
	env    []string // that a client needs
	server *http.Server

	mu   sync.Mutex
	fail bool  // the next upload
	last int64 // bytes of the last upload that was answered with success
}

func startSink() *sink {
	s := &sink{}
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	s.url = "http://" + l.Addr().String()
	s.server = &http.Server{Handler: s}
	go func() { _ = s.server.Serve(l) }()
	return s
}

func (s *sink) close() { _ = s.server.Close() }

func (s *sink) begin(with503 bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.last = with503, 0
}

func (s *sink) taken() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// ServeHTTP reads the whole upload before it answers, also before a 503, so that
// every client sees the status.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	fail := s.fail
	s.fail = false
	if !fail {
		s.last = n
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case fail:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"detail":"Service Unavailable"}`)
	case strings.Contains(r.URL.Path, "/releases/"): // GitHub's ids are numbers
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":7,"name":"visit.mp3"}`)
	default:
		_, _ = io.WriteString(w, `{"transcription_id":101,"id":"file_7","object":"file","upload_url":"https://files.example/7"}`)
	}
}
