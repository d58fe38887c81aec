package ambienttest

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is what goes wrong with one request. Its parts combine. The zero Fault
// changes nothing.
type Fault struct {
	Status int         // answer with this instead of handling the request; 0 handles it as usual
	Header http.Header // of that answer, or beside the usual headers where Status is 0
	Body   string      // of that answer

	BodySize   int64         // bytes of filler text that follow Body; see [Endless]
	Truncate   bool          // announce the whole body, send half of it and close the connection
	Unfinished bool          // announce one byte more than the body has, send the body and close the connection
	Early      bool          // answer without reading the request's body, as a proxy does with 413; needs a Status
	Process    bool          // do the real work too: a job is created, with the next script, and only then answer or reset
	Delay      time.Duration // wait before answering or resetting
	Trickle    time.Duration // send one byte of the response's body per interval
	Reset      Reset         // cut the connection

	documented bool // Body is what the service documents, which depends on the route
}

// Endless is a BodySize that never ends, and is sent without a Content-Length.
const Endless int64 = math.MaxInt64

// Reset says when a connection is reset. On TCP the client sees a true RST, which on
// HTTP/2 ends all its streams. In memory the pipe is closed. Note that net/http by
// itself repeats a GET once when a kept-alive connection is lost before any answer, and
// that repetition counts as a request here.
//
// What the server has not read may still have left the client. The buffers of the
// system take some megabytes, and the connection in memory takes a few kilobytes. A
// client counts that as sent. To see an upload cut short, with [ResetBeforeRead] or
// [ResetMidBody], send 64 KiB or more in memory, 16 MiB or more over TCP.
type Reset int

const (
	NoReset          Reset = iota
	ResetBeforeRead        // before anything of the request's body is read
	ResetMidBody           // after half of the request's Content-Length, or 64 KiB where that is not known
	ResetAfterRead         // the request was read in full and no answer is sent; see also Fault.Process
	ResetMidResponse       // after the header and half of the body of the answer
)

// Answer is a fault that answers with a status and the body that the service documents
// for it. Where none is published, the body is the nearest thing.
func Answer(status int) Fault {
	a := documented(status, route{})
	return Fault{Status: a.status, Header: a.header, Body: a.body, documented: true}
}

// RetryAfter is [Answer] with a Retry-After header, which is sent as it is. It may be
// seconds, such as "600", or an HTTP date, or anything else.
func RetryAfter(status int, value string) Fault {
	f := Answer(status)
	f.Header.Set("Retry-After", value)
	return f
}

// ProxyHTML is the answer of a proxy that stands in front of the service.
func ProxyHTML(status int) Fault {
	title := fmt.Sprintf("%d %s", status, statusText(status))
	return Fault{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}, "Server": {"nginx"}},
		Body: "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
	}
}

// Redirect sends the client elsewhere, with 307 so that a client which follows repeats
// method and body.
func Redirect(location string) Fault {
	return Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {location}}}
}

// Fault plans a fault for the nth request of a route, counted from 1 and from the
// server's start. A route is a method and a path template, such as "POST /transcribe"
// or "GET /transcribe/{id}", or "*" for any request. Where several faults are due, the
// one planned first happens. A fault with a Status comes before the token is looked at,
// so that it hides one that has expired.
//
// Fault panics on an unknown route, and on a fault that contradicts itself. A fault
// that is Early, or has a Body or BodySize, needs a Status. A fault cannot Process what
// it does not read, nor truncate a body that is Endless.
//
// A good client heals one fault by itself. It answers a 401 with a new token and a 503
// with another attempt. To see its error, plan the fault for every attempt with
// [Server.FaultRange], or give the client a single one with
// ambient.RetryPolicy{MaxAttempts: 1}.
func (s *Server) Fault(route string, nth int, f Fault) { s.FaultRange(route, nth, nth, f) }

// FaultRange is [Server.Fault] for every request from one number to another, both
// included.
func (s *Server) FaultRange(route string, from, to int, f Fault) {
	mustKnow(route)
	if from < 1 || to < from {
		panic(fmt.Sprintf("ambienttest: no request is between %d and %d", from, to))
	}
	f.mustMakeSense()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &plannedFault{Fault: f, route: route, from: from, to: to})
}

// FaultWhere plans a fault for each request that a function matches. The function sees
// a request as it arrives, before its body is read. It sees route, id, account, header
// and time. It is called for one request at a time, and may call the server. It has no
// effect on a request for which another fault was planned first.
func (s *Server) FaultWhere(match func(Request) bool, f Fault) {
	f.mustMakeSense()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &plannedFault{Fault: f, match: match})
}

type plannedFault struct {
	Fault
	match    func(Request) bool // nil: by number
	route    string
	from, to int
	reached  bool
}

func (p *plannedFault) String() string {
	if p.match != nil {
		return "fault on the requests that a function matches"
	}
	which := fmt.Sprintf("request %d", p.from)
	if p.to > p.from {
		which = fmt.Sprintf("requests %d to %d", p.from, p.to)
	}
	return fmt.Sprintf("fault on %s of %q", which, p.route)
}

// dueFault finds the first fault for a request that is the nth of its route, and of all
// where the fault says so.
func (s *Server) dueFault(r Request, arrived map[string]int) Fault {
	for _, p := range s.plannedFaults() {
		if p.isDue(r, arrived[p.route]) {
			s.mu.Lock()
			defer s.mu.Unlock()
			p.reached = true
			return p.Fault
		}
	}
	return Fault{}
}

func (s *Server) plannedFaults() []*plannedFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

func (p *plannedFault) isDue(r Request, n int) bool {
	if p.match != nil {
		return p.match(r)
	}
	return (p.route == r.Route || p.route == anyRoute) && p.from <= n && n <= p.to
}

func (f Fault) mustMakeSense() {
	notRead := f.Early || f.Reset == ResetBeforeRead || f.Reset == ResetMidBody
	switch {
	case f.Status != 0 && (f.Status < 200 || f.Status > 999):
		panic(fmt.Sprintf("ambienttest: no final status: %d", f.Status))
	case f.Early && f.Status == 0:
		panic("ambienttest: an early answer needs a Status")
	case f.Process && notRead:
		panic("ambienttest: a request that is not read cannot be processed")
	case f.BodySize == Endless && (f.Truncate || f.Unfinished || f.Reset == ResetMidResponse):
		panic("ambienttest: half of an endless body is never sent")
	case f.Status == 0 && (f.Body != "" || f.BodySize != 0):
		panic("ambienttest: Body and BodySize need a Status")
	}
}

// replaces reports whether the request is read but not handled.
func (f Fault) replaces() bool {
	return !f.Process && (f.Status != 0 || f.Reset == ResetAfterRead)
}

func (f Fault) answer(r route) answer {
	if f.documented && f.Body == documented(f.Status, route{}).body {
		f.Body = documented(f.Status, r).body
	}
	a := answer{f.Status, f.Header.Clone(), f.Body}
	if a.header == nil {
		a.header = http.Header{}
	}
	if a.header.Get("Content-Type") == "" && strings.HasPrefix(f.Body, "{") {
		a.header.Set("Content-Type", "application/json") // net/http would say text/plain
	}
	return a
}
