package server

import (
	"net/http"

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

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
