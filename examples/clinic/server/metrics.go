package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics hold no code, user or id.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	chunks   prometheus.Counter
	closed   prometheus.Counter
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		registry: r,
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "clinic_http_request_duration_seconds", Help: "Time from a request to the end of its answer.",
		}, []string{"route", "status"}),
		chunks: prometheus.NewCounter(prometheus.CounterOpts{Name: "clinic_chunks_stored_total", Help: "Chunks of recordings that came to the disk."}),
		closed: prometheus.NewCounter(prometheus.CounterOpts{Name: "clinic_recordings_closed_total", Help: "Recordings that were closed."}),
	}
	r.MustRegister(m.requests, m.chunks, m.closed)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// observe logs and counts each request by its route. A route has no id in it, and neither has the log.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(sw, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		took := time.Since(start)
		s.metrics.requests.WithLabelValues(route, strconv.Itoa(sw.status)).Observe(took.Seconds())
		s.Logger.DebugContext(r.Context(), "request", "route", route, "status", sw.status, "took", took)
	})
}

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
