package ambienttest

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// exchange is one request on its way through the server.
type exchange struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	route  route
	id     string   // as it stands in the path
	allow  string   // methods of the path, where the route is not known
	record *Request // in the server's list; written under the server's mutex
	fault  Fault
	conn   net.Conn    // nil where the handler is mounted elsewhere
	header http.Header // of the rate limit, for whatever is answered
}

// serveHTTP is the walk of one request: what needs no body comes first, because the client may be waiting for leave
// to send it.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	e := s.arrive(w, r)
	switch {
	case e.fault.Reset == ResetBeforeRead:
		e.wait(e.fault.Delay)
		e.reset()
	case e.fault.Reset == ResetMidBody:
		e.readHalf()
		e.wait(e.fault.Delay)
		e.reset()
	case e.fault.Early:
		e.send(e.fault.answer())
	case e.fault.replaces():
		e.readBody()
		e.send(e.fault.answer())
	case e.fault.Status != 0:
		e.handle()
		e.send(e.fault.answer())
	default:
		e.send(e.handle())
	}
}

// arrive records a request and finds the fault that is due.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request) *exchange {
	e := &exchange{server: s, w: w, r: r, header: http.Header{}}
	e.route, e.id, e.allow = match(r.Method, r.URL.Path)
	number, err := strconv.ParseInt(e.id, 10, 64)
	if err != nil {
		number = 0
	}
	e.record = &Request{
		Method: r.Method, Route: e.route.name, Path: r.URL.Path, ID: number,
		Host: r.Host, Header: r.Header.Clone(), Proto: r.Proto, Time: time.Now(),
		Complete: r.ContentLength == 0,
	}
	if c, ok := r.Context().Value(connectionKey{}).(connection); ok {
		e.conn, e.record.Conn = c.Conn, c.number
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, e.record)
	s.arrived[anyRoute]++
	if e.route.name != "" {
		s.arrived[e.route.name]++
	}
	e.fault = s.dueFault(e.route.name)
	return e
}

// handle does the real work of a request.
func (e *exchange) handle() answer {
	if e.route.handle == nil {
		e.readBody()
		return noRoute(e.allow)
	}
	if e.route.name != tokenRoute {
		if a, ok := e.admit(); !ok {
			return a
		}
	}
	if a, ok := e.readBody(); !ok {
		return a
	}
	if problems := e.validate(); problems != nil {
		return invalid(problems...)
	}
	return e.route.handle(e, time.Now())
}

// admit checks authorisation and the rate limit.
func (e *exchange) admit() (answer, bool) {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.authorized(e.r.Header) {
		return unauthorized(), false
	}
	if s.limiter.Limit <= 0 {
		return answer{}, true
	}
	now := time.Now()
	v := s.limiter.take(now)
	e.header = s.limiter.headers(v, now)
	if !v.ok {
		return documented(http.StatusTooManyRequests), false
	}
	return answer{}, true
}

// wait lets time pass; where the client or the server goes away meanwhile, the exchange ends here.
func (e *exchange) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-e.server.done:
		panic(http.ErrAbortHandler)
	}
}
