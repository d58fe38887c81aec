package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
)

// maxJSON bounds the JSON that a browser sends. The digests of MaxChunks chunks take 270 KiB.
const maxJSON = 512 << 10

// bodyTime is how long a browser may take to send a request and to read the answer.
const bodyTime = time.Minute

// A refusal is an answer other than success. The page knows each word.
type refusal struct {
	Status    int    `json:"-"`
	Word      string `json:"error"`
	Missing   []int  `json:"missing,omitempty"`
	Different []int  `json:"different,omitempty"`
}

func (r *refusal) Error() string { return "server: refused: " + r.Word }

var (
	errSignIn   = &refusal{Status: http.StatusUnauthorized, Word: "sign-in"}
	errPassword = &refusal{Status: http.StatusForbidden, Word: "password"}
	errCSRF     = &refusal{Status: http.StatusForbidden, Word: "csrf"}
	errRate     = &refusal{Status: http.StatusTooManyRequests, Word: "rate"}
	errJSON     = &refusal{Status: http.StatusBadRequest, Word: "json"}
	errHeader   = &refusal{Status: http.StatusBadRequest, Word: "content-digest"}
)

// refusalOf is what the browser hears of an error. Nothing of the error's text leaves the server.
func refusalOf(err error) *refusal {
	var (
		ours  *refusal
		gap   *recording.GapError
		large *http.MaxBytesError
	)
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &gap):
		return &refusal{Status: http.StatusConflict, Word: "gap", Missing: gap.Missing, Different: gap.Different}
	case errors.As(err, &large), errors.Is(err, recording.ErrTooLarge):
		return &refusal{Status: http.StatusRequestEntityTooLarge, Word: "too-large"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{Status: http.StatusRequestTimeout, Word: "incomplete"} // the browser is gone or slow
	case errors.Is(err, recording.ErrNotFound):
		return &refusal{Status: http.StatusNotFound, Word: "unknown"}
	case errors.Is(err, recording.ErrInvalid):
		return &refusal{Status: http.StatusBadRequest, Word: "invalid"}
	case errors.Is(err, recording.ErrExists):
		return &refusal{Status: http.StatusConflict, Word: "exists"}
	case errors.Is(err, recording.ErrConflict):
		return &refusal{Status: http.StatusConflict, Word: "conflict"}
	case errors.Is(err, recording.ErrClosed):
		return &refusal{Status: http.StatusConflict, Word: "closed"}
	case errors.Is(err, notes.ErrNotUnknown):
		return &refusal{Status: http.StatusConflict, Word: "not-unknown"}
	case errors.Is(err, recording.ErrEmpty):
		return &refusal{Status: http.StatusUnprocessableEntity, Word: "empty"}
	case errors.Is(err, recording.ErrDigest):
		return &refusal{Status: http.StatusUnprocessableEntity, Word: "digest"}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &refusal{Status: http.StatusInsufficientStorage, Word: "disk-full"}
	}
	return &refusal{Status: http.StatusInternalServerError, Word: "internal"}
}

// refuse writes what the browser hears of an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusalOf(err)
	if answer.Status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err)
	}
	if answer.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, answer.Status, answer)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the browser may be gone
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
}

// readJSON reads a body of at most maxJSON bytes. A form, which any site can send, is no JSON.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return errJSON
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJSON))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, recording.ErrInvalid):
		return err
	case err != nil:
		return errJSON
	}
	return nil
}
