package server

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

// A created recording is what the page hears of one. Its code may have been taken, and chunks may be there.
type created struct {
	Code   string `json:"code"`
	Have   []int  `json:"have"`
	Closed bool   `json:"closed"`
}

func (s *Server) createRecording(w http.ResponseWriter, r *http.Request, who session) error {
	var form struct {
		Code    string    `json:"code"`
		Type    string    `json:"type"`
		Started time.Time `json:"started"`
	}
	if err := readJSON(w, r, &form); err != nil {
		return err
	}
	kept, err := s.Store.Create(recording.Recording{
		ID: r.PathValue("id"), Code: form.Code, Owner: who.User, Type: form.Type, Started: form.Started,
	})
	if err != nil {
		return err
	}
	have, err := s.Store.Have(kept.ID)
	if err != nil {
		return err
	}
	_, err = s.Store.Ending(kept.ID)
	writeJSON(w, http.StatusOK, created{kept.Code, have, err == nil})
	return nil
}

func (s *Server) putChunk(w http.ResponseWriter, r *http.Request, who session) error {
	if _, err := s.own(r, who); err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return recording.ErrInvalid
	}
	if r.ContentLength > recording.MaxChunk {
		return recording.ErrTooLarge
	}
	digest, err := contentDigest(r.Header.Values("Content-Digest"))
	if err != nil {
		return err
	}
	stored, err := s.Store.Put(r.PathValue("id"), n, digest, http.MaxBytesReader(w, r.Body, recording.MaxChunk+1))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if stored {
		status = http.StatusCreated
		s.metrics.chunks.Inc()
	}
	w.WriteHeader(status)
	return nil
}

func (s *Server) closeRecording(w http.ResponseWriter, r *http.Request, who session) error {
	if _, err := s.own(r, who); err != nil {
		return err
	}
	var form struct {
		Chunks      []recording.Digest `json:"chunks"`
		Interrupted bool               `json:"interrupted"`
	}
	if err := readJSON(w, r, &form); err != nil {
		return err
	}
	ended, err := s.Store.End(r.PathValue("id"), form.Chunks, form.Interrupted)
	if err != nil {
		return err
	}
	if ended {
		s.metrics.closed.Inc()
		s.Notes.Closed()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// own returns the recording of a request. That of another user does not exist for this one.
func (s *Server) own(r *http.Request, who session) (recording.Recording, error) {
	kept, err := s.Store.Recording(r.PathValue("id"))
	if err == nil && kept.Owner != who.User {
		return kept, recording.ErrNotFound
	}
	return kept, err
}

// contentDigest reads the sha-256 of a Content-Digest field (RFC 9530).
func contentDigest(values []string) (recording.Digest, error) {
	var digest recording.Digest
	for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
		text, found := strings.CutPrefix(strings.TrimSpace(member), "sha-256=:")
		text, ended := strings.CutSuffix(text, ":")
		if !found || !ended {
			continue
		}
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || copy(digest[:], sum) != len(digest) || len(sum) != len(digest) {
			return digest, errHeader
		}
		return digest, nil
	}
	return digest, errHeader
}
