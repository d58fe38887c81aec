package ambienttest

import (
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// exchange is one request on its way through the server.
type exchange struct {
	server  *Server
	w       http.ResponseWriter
	r       *http.Request
	route   route
	id      string   // as it stands in the path
	allow   string   // methods of the path, where the route is not known
	record  *Request // in the server's list; written under the server's mutex
	account *account
	fault   Fault
	conn    net.Conn    // nil where the handler is mounted elsewhere
	header  http.Header // of the rate limit and of a fault without a status, for whatever is answered
}

// serveHTTP takes the steps of one request. What needs no body comes first, because the
// client may wait for leave to send it.
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
		e.send(e.fault.answer(e.route))
	case e.fault.replaces():
		e.readBody()
		e.send(e.fault.answer(e.route))
	case e.fault.Status != 0:
		e.handle()
		e.send(e.fault.answer(e.route))
	default:
		a := e.handle()
		maps.Copy(e.header, e.fault.Header)
		e.send(a)
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
	arrived := s.record(e)
	s.matching.Lock()
	defer s.matching.Unlock()
	e.fault = s.dueFault(*e.record, arrived)
	return e
}

// record puts a request into the server's list. It returns how many have arrived on its
// route, and on any.
func (s *Server) record(e *exchange) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.authorized(e.r.Header); a != nil {
		e.record.Account = a.username
	}
	s.requests = append(s.requests, e.record)
	s.arrived[anyRoute]++
	arrived := map[string]int{anyRoute: s.arrived[anyRoute]}
	if name := e.route.name; name != "" {
		s.arrived[name]++
		arrived[name] = s.arrived[name]
	}
	return arrived
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
	if e.account = s.authorized(e.r.Header); e.account == nil {
		return unauthorized(), false
	}
	l := s.limiterOf(e.account, e.route.name)
	if l == nil {
		return answer{}, true
	}
	now := time.Now()
	v := l.take(now)
	e.header = l.headers(v, now)
	if !v.ok {
		return documented(http.StatusTooManyRequests, e.route), false
	}
	return answer{}, true
}

// wait lets time pass. The exchange ends here if the client or the server goes away
// meanwhile.
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
