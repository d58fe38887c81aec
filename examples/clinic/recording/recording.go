// Package recording keeps the recordings of visits on disk while they arrive from a browser in numbered chunks.
//
// A chunk is on disk before [Store.Put] returns, under its number and with the digest that the browser computed. Chunks
// come in any order and as often as the browser likes. [Store.End] refuses gaps, makes one file of the chunks and can
// be called again after a crash.
//
// Nothing is kept in memory between two calls. Every step that counts is one atomic operation of the file system (a
// link that fails where the name exists, or a rename) followed by an fsync of the file and its directory. A process may
// be killed at any moment, and several processes may share one directory.
package recording

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"regexp"
	"time"
)

// The limits of one recording. A browser that records slices of 5 s reaches MaxChunks after 5.7 hours.
const (
	MaxChunk  = 1 << 20 // bytes of one chunk
	MaxChunks = 4096    // chunks of one recording
)

// A Recording is what a browser says about a recording before its first chunk. It never changes.
type Recording struct {
	ID      string    `json:"id"`      // a UUID that the browser has made up
	Code    string    `json:"code"`    // the name of the visit, see ValidCode
	Owner   string    `json:"owner"`   // the user who records
	Type    string    `json:"type"`    // the browser's media type, such as "audio/webm;codecs=opus"
	Started time.Time `json:"started"` // by the browser's clock
}

// An Ending is what a closed recording consists of. It never changes.
type Ending struct {
	Digests     []Digest  `json:"digests"`     // of the chunks, in order
	Digest      Digest    `json:"digest"`      // of the whole recording
	Size        int64     `json:"size"`        // bytes of the whole recording
	Interrupted bool      `json:"interrupted"` // the visit may have gone on
	Closed      time.Time `json:"closed"`
}

// A Digest is the SHA-256 of a chunk or of a whole recording. Its text is in hex.
type Digest [sha256.Size]byte

func (d Digest) String() string               { return hex.EncodeToString(d[:]) }
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hex digits.
func (d *Digest) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(d) {
		return ErrInvalid
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return ErrInvalid
	}
	return nil
}

// What the calls of a Store refuse. No error of this package holds a code, a user or a path.
var (
	ErrNotFound = errors.New("recording: there is no such recording")
	ErrInvalid  = errors.New("recording: an id, a code, a type, a number or a digest is not valid")
	ErrExists   = errors.New("recording: the id belongs to another recording")
	ErrEmpty    = errors.New("recording: there is nothing in it")
	ErrTooLarge = errors.New("recording: the chunk is too large")
	ErrDigest   = errors.New("recording: the chunk is not what its digest says")
	ErrConflict = errors.New("recording: another chunk has this number")
	ErrClosed   = errors.New("recording: it is closed")
)

// A GapError is what [Store.End] says of chunks that are not there, or are not those of the browser's list.
type GapError struct {
	Missing   []int // numbers that did not arrive
	Different []int // numbers whose chunk has another digest, or is not in the list
}

func (e *GapError) Error() string {
	return fmt.Sprintf("recording: %d chunks are missing, %d are different", len(e.Missing), len(e.Different))
}

var (
	idPattern   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	codePattern = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{2,30}[A-Z0-9]$`)
	twoDigits   = regexp.MustCompile(`[0-9].*[0-9]`)
)

// ValidCode reports whether a visit may be named code: 4 to 32 capital letters, digits and hyphens, at least two digits
// among them. A code is no name of a person, and the digits keep most names out.
func ValidCode(code string) bool { return codePattern.MatchString(code) && twoDigits.MatchString(code) }

// validate checks what a browser says of a recording.
func (r Recording) validate() error {
	kind, _, err := mime.ParseMediaType(r.Type)
	switch {
	case err != nil, kind != "audio/webm" && kind != "audio/mp4", len(r.Type) > 100:
		return ErrInvalid
	case !idPattern.MatchString(r.ID), !ValidCode(r.Code), r.Owner == "", r.Started.IsZero():
		return ErrInvalid
	}
	return nil
}

// extension is that of the container which the browser has made.
func (r Recording) extension() string {
	if kind, _, _ := mime.ParseMediaType(r.Type); kind == "audio/mp4" {
		return ".mp4"
	}
	return ".webm"
}
