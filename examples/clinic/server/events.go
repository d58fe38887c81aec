package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	lookEvery = time.Second      // how often streams look for a change
	beatEvery = 15 * time.Second // how often a stream writes something, so that no proxy cuts it
)

// events streams the list of visits whenever it changes, for as long as the session lasts.
func (s *Server) events(w http.ResponseWriter, r *http.Request, who session) error {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := &stream{ResponseWriter: w, control: http.NewResponseController(w)}
	if err := stream.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		list, err := s.list.of(r.Context(), who.User)
		if err != nil {
			return stream.end(err)
		}
		if err := stream.send(list); err != nil {
			return nil // the browser is gone
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-s.streams.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.sessions.of(who.token); err != nil {
			return nil // the page asks again, and hears why
		}
	}
}

// A stream is an answer of server-sent events.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
	last    []byte
	written time.Time
}

// send writes the list if it has changed, or a comment if nothing was written for a while.
func (s *stream) send(list []visit) error {
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(data, s.last):
		s.last = data
		return s.write(fmt.Sprintf("event: visits\ndata: %s\n\n", data))
	case time.Since(s.written) > beatEvery:
		return s.write(": beat\n\n")
	}
	return nil
}

func (s *stream) write(text string) error {
	s.written = time.Now()
	if err := s.control.SetWriteDeadline(s.written.Add(bodyTime)); err != nil {
		return err
	}
	if _, err := s.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// end gives the error to the caller, unless the answer has begun. The browser then connects again by itself.
func (s *stream) end(err error) error {
	if s.last == nil {
		return err
	}
	return nil
}
