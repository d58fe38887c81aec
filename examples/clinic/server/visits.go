package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

// maxVisits is how many visits the page shows, the newest first.
const maxVisits = 100

// A visit is one line of the page's list.
type visit struct {
	ID          string    `json:"id"`
	Code        string    `json:"code"`
	Started     time.Time `json:"started"`
	State       string    `json:"state"` // "recording", "stored"
	Chunks      int       `json:"chunks,omitempty"`
	Interrupted bool      `json:"interrupted,omitempty"`
}

// visits returns the newest visits of a user.
func (s *Server) visits(_ context.Context, user string) ([]visit, error) {
	ids, err := s.Store.IDs()
	if err != nil {
		return nil, err
	}
	list := []visit{}
	for _, id := range ids {
		r, err := s.Store.Recording(id)
		if errors.Is(err, recording.ErrNotFound) || err == nil && r.Owner != user { // not found: it is being created
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, visit{ID: id, Code: r.Code, Started: r.Started})
	}
	slices.SortFunc(list, func(a, b visit) int { return b.Started.Compare(a.Started) })
	list = list[:min(len(list), maxVisits)]
	for i := range list {
		if err := s.addState(&list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Server) addState(v *visit) error {
	ending, err := s.Store.Ending(v.ID)
	if err == nil {
		v.State, v.Interrupted = "stored", ending.Interrupted
		return nil
	}
	if !errors.Is(err, recording.ErrNotFound) {
		return err
	}
	have, err := s.Store.Have(v.ID)
	v.State, v.Chunks = "recording", len(have)
	return err
}

const (
	lookEvery = time.Second      // how often a stream looks for a change
	beatEvery = 15 * time.Second // how often it writes something, so that no proxy cuts it
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
		list, err := s.visits(r.Context(), who.User)
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

// end gives the error to the caller, unless the answer has begun: the browser connects again by itself.
func (s *stream) end(err error) error {
	if s.last == nil {
		s.Header().Set("Content-Type", "application/json")
		return err
	}
	return nil
}
