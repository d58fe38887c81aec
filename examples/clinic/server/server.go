// Package server is the web server of the clinic. It signs doctors in, takes the chunks of their recordings and shows
// what became of each visit. It gives nothing of the Ambient API's account to the browser.
package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

// A Config is what a server needs. Store, Notes, Sessions, Users, Page, Logger and Registry are required.
type Config struct {
	Store    *recording.Store
	Notes    *notes.Notes
	Sessions string            // directory of the sessions; processes that share it share the sessions
	Users    map[string]string // passwords by user: a login for the demo, in place of the clinic's own
	Page     fs.FS             // index.html and what it loads
	Sample   []byte            // an MP3 that the page offers in place of a microphone; nil = none
	Secure   bool              // browsers come by https: the cookie is for https alone, and HSTS is sent
	Lifetime time.Duration     // of a session; default 12 h
	Rate     float64           // requests a second of one user that change something; default 20
	Logger   *slog.Logger
	Registry *prometheus.Registry // of the metrics page
}

// A Server answers browsers. Its Handler is ready for use, and Stop ends the streams before a shutdown.
type Server struct {
	Config
	sessions *sessions
	limits   *limits
	page     *page
	list     *lists
	metrics  *metrics
	streams  context.Context // ends with Stop
	Stop     context.CancelFunc
}

// New makes a server. It makes the directory of the sessions where there is none.
func New(c Config) (*Server, error) {
	if c.Lifetime == 0 {
		c.Lifetime = 12 * time.Hour
	}
	if c.Rate == 0 {
		c.Rate = 20
	}
	if len(c.Users) == 0 {
		return nil, errors.New("server: Users is empty: nobody could sign in")
	}
	sessions, err := openSessions(c.Sessions, c.Lifetime)
	if err != nil {
		return nil, err
	}
	page, err := readPage(c.Page)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config: c, sessions: sessions, limits: newLimits(c.Users, c.Rate), page: page, metrics: newMetrics(c.Registry),
		list: &lists{store: c.Store, notes: c.Notes, known: map[string]*visit{}},
	}
	s.streams, s.Stop = context.WithCancel(context.Background())
	return s, nil
}

// Handler returns the whole site.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.page)
	mux.Handle("GET /assets/{name}", s.page)
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.Handle("POST /session", s.public(s.signIn))
	mux.Handle("GET /session", s.private(s.showSession))
	mux.Handle("DELETE /session", s.private(s.signOut))
	mux.Handle("GET /sample", s.private(s.sample))
	mux.Handle("PUT /recordings/{id}", s.private(s.createRecording))
	mux.Handle("PUT /recordings/{id}/chunks/{n}", s.private(s.putChunk))
	mux.Handle("POST /recordings/{id}/close", s.private(s.closeRecording))
	mux.Handle("GET /recordings/{id}/result", s.private(s.showResult))
	mux.Handle("POST /recordings/{id}/resolve", s.private(s.resolve))
	mux.Handle("GET /events", s.private(s.events))
	return s.observe(s.secure(checkOrigin(mux)))
}

// health answers load balancers with 503 once a shutdown has begun.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.streams.Err() != nil {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	writeText(w, "ok\n")
}

func (s *Server) sample(w http.ResponseWriter, _ *http.Request, _ session) error {
	if s.Sample == nil {
		return recording.ErrNotFound
	}
	w.Header().Set("Content-Type", "audio/mpeg")
	_, err := w.Write(s.Sample)
	return err
}
