package ambienttest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A Request is what arrived. Files are hashed as they stream in and never held.
type Request struct {
	Method  string
	Route   string // method and path template, such as "GET /transcribe/{id}"; empty for an unknown path
	Path    string // as sent, decoded, without the query
	ID      int64  // the id in the path, or 0
	Account string // user name of the account whose token came, or whose password was right; or ""
	Host    string
	Header  http.Header // without the Expect of an HTTP/2 request, which net/http takes out
	Proto   string      // such as "HTTP/1.1"
	Conn    int         // number of the connection, counted from 1; 0 where the handler is mounted elsewhere
	Time    time.Time   // of arrival

	Fields     []Field // of the form, in order
	Files      []File  // of the form, in order
	Raw        []byte  // the body if it was not multipart, its first MiB
	Complete   bool    // the whole body arrived, well-formed; false where the server answered without reading it
	BodySize   int64   // bytes of body read
	BodySHA256 string  // of those bytes, in hex; empty if none were due

	Status int // what was answered; 0 for nothing so far
}

// A Field is one value of a form.
type Field struct{ Name, Value string }

// A File is one uploaded file. Filename is as sent, without any cleaning.
type File struct {
	Field       string
	Filename    string
	ContentType string
	Size        int64  // bytes
	SHA256      string // in hex
}

// Value returns the first value of a form field, or "" if it was not sent. A token call
// has the fields username and password. A job has patient_name, date_of_service (RFC
// 3339), additional_context (JSON), transcripts and template_ids. Its files, in
// [Request.Files], are audio_file of a transcription and audio_files of a scribe.
func (r Request) Value(name string) string {
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Values returns all the values of a form field, in order.
func (r Request) Values(name string) []string {
	var values []string
	for _, f := range r.Fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// String shows what arrived and what was answered, without any content.
func (r Request) String() string {
	answered := "no answer"
	if r.Status != 0 {
		answered = fmt.Sprint(r.Status)
	}
	body := ""
	if r.BodySize > 0 {
		body = fmt.Sprintf(", %d fields, %d files, %d bytes", len(r.Fields), len(r.Files), r.BodySize)
	}
	if !r.Complete {
		body += ", body not complete"
	}
	return fmt.Sprintf("%s %s%s: %s", r.Method, r.Path, body, answered)
}

// Requests returns what has arrived so far, in order of arrival. What a request's body
// held is known as soon as it has been answered, or was cut off by a [Reset], when its
// Status stays 0.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.requests))
	for i, r := range s.requests {
		all[i] = *r
	}
	return all
}

// RequestsTo is the part of [Server.Requests] that went to one route, such as "POST
// /transcribe".
func (s *Server) RequestsTo(route string) []Request {
	mustKnow(route)
	return slices.DeleteFunc(s.Requests(), func(r Request) bool {
		return route != anyRoute && r.Route != route
	})
}

// mustKnow panics on a route that does not exist. A spelling mistake in a test would
// otherwise pass as silence.
func mustKnow(route string) {
	if !knownRoute(route) {
		panic(fmt.Sprintf("ambienttest: unknown route %q", route))
	}
}
