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

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// maxVisits is how many visits the page shows, the newest first.
const maxVisits = 100

// A visit is one line of the page's list.
type visit struct {
	ID          string    `json:"id"`
	Code        string    `json:"code"`
	Started     time.Time `json:"started"`
	State       string    `json:"state"` // "recording" while it is open, and then the pipeline's
	Chunks      int       `json:"chunks,omitempty"`
	Interrupted bool      `json:"interrupted,omitempty"`
	Stage       string    `json:"stage,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Submitted   time.Time `json:"submitted,omitzero"`
}

// visits returns the newest visits of a user.
func (s *Server) visits(ctx context.Context, user string) ([]visit, error) {
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
	states, err := s.Notes.States(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := s.addState(&list[i], states); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (s *Server) addState(v *visit, states map[string]pipeline.Status) error {
	ending, err := s.Store.Ending(v.ID)
	if errors.Is(err, recording.ErrNotFound) {
		have, err := s.Store.Have(v.ID)
		v.State, v.Chunks = "recording", len(have)
		return err
	}
	if err != nil {
		return err
	}
	v.Interrupted = ending.Interrupted
	status, known := states[v.Code]
	switch {
	case s.Store.HasResult(v.ID):
		v.State = string(pipeline.Done)
	case known:
		v.State, v.Stage, v.Reason, v.Submitted = string(status.State), status.Stage, status.Reason, status.Submitted
	default: // not handed over yet
		v.State = string(pipeline.Todo)
	}
	return nil
}

// showResult gives the transcript and the note of a visit.
func (s *Server) showResult(w http.ResponseWriter, r *http.Request, who session) error {
	kept, err := s.own(r, who)
	if err != nil {
		return err
	}
	var result notes.Result
	if err := s.Store.Result(kept.ID, &result); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, result)
	return nil
}

// resolve carries out what a person has decided about a visit that the service may have.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, who session) error {
	kept, err := s.own(r, who)
	if err != nil {
		return err
	}
	var form struct {
		Adopt    int64 `json:"adopt,string"` // JavaScript's numbers end at 2^53
		Resubmit bool  `json:"resubmit"`
		Drop     bool  `json:"drop"`
	}
	if err := readJSON(w, r, &form); err != nil {
		return err
	}
	d := pipeline.Decision{Adopt: form.Adopt, Resubmit: form.Resubmit, Drop: form.Drop}
	if err := s.Notes.Resolve(r.Context(), kept.Code, d); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
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

// end gives the error to the caller, unless the answer has begun. The browser then connects again by itself.
func (s *stream) end(err error) error {
	if s.last == nil {
		s.Header().Set("Content-Type", "application/json")
		return err
	}
	return nil
}
