package pipeline

import (
	"context"
	"time"

	"github.com/ambient-scribe/ambient-go"
)

// Source finds a visit by its key. It is asked again for each submit, since nothing of a visit is stored. It must be
// safe for concurrent use.
type Source interface {
	// Visit returns the visit of a key. An error that is fs.ErrNotExist ends the visit as Failed. After any other error,
	// a panic, or a minute without an answer the source is asked again later.
	Visit(ctx context.Context, key string) (*Visit, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, key string) (*Visit, error)

// Visit calls f.
func (f SourceFunc) Visit(ctx context.Context, key string) (*Visit, error) { return f(ctx, key) }

// Visit is what is submitted. The pipeline stores nothing of it. Patient, date and context go with the transcription
// and with the note.
type Visit struct {
	Audio             ambient.Audio // required
	PatientName       string        // optional
	DateOfService     time.Time     // optional
	AdditionalContext any           // optional; must marshal to a JSON object
	TemplateIDs       []int64       // of the note; without any there is no note
}

// Result is a finished visit.
type Result struct {
	Key               string                 // the idempotency key of the delivery
	Transcript        *ambient.Transcription // never nil
	Note              *ambient.Scribe        // nil for a visit without TemplateIDs
	PossibleDuplicate bool                   // the service may hold the visit under another id too
}

// State is where a visit is in its stage.
type State string

const (
	Todo    State = "todo"    // waits for its turn, or is being uploaded or delivered
	Sent    State = "sent"    // is past its commit: the service may have it, and has not answered yet
	Waiting State = "waiting" // the service has it and works on it
	Done    State = "done"    // was delivered
	Unknown State = "unknown" // may have been submitted, and nobody knows: a person must Resolve it
	Failed  State = "failed"  // ended without a result
)

const (
	stageTranscript = "transcript"
	stageNote       = "note"
	stageDeliver    = "deliver"
)

// Status is what the pipeline knows of a visit.
type Status struct {
	Key          string
	Stage        string // "transcript", "note" or "deliver"
	State        State
	TranscriptID int64     // 0 until the service has given it
	NoteID       int64     // likewise
	NotBefore    time.Time // when the next try is due; zero unless State is Todo
	Submitted    time.Time // when the last byte of the stage's submit left, by the database's clock; zero before
	Reason       string    // why the visit failed, is unknown or has to be tried again, in fixed words; empty otherwise
}

// Decision says what becomes of a visit whose State is Unknown. Exactly one field must be set.
type Decision struct {
	Adopt    int64 // the id that the vendor's support found: go on with it
	Resubmit bool  // the vendor does not have it, or it may have it twice: submit it again
	Drop     bool  // give it up: it ends as Failed
}
