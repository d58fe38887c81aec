package ambient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// TranscriptionsService turns recordings into transcripts: POST /transcribe
// and GET /transcribe/{transcription_id}.
type TranscriptionsService struct{ client *Client }

// TranscriptionRequest is a recording to transcribe. It prints without
// patient data.
type TranscriptionRequest struct {
	Audio             Audio     // required
	PatientName       string    // optional
	DateOfService     time.Time // optional; sent in RFC 3339 with its zone, of the years 1 to 9999
	AdditionalContext any       // optional; must marshal to a JSON object, e.g. age and gender
}

// TranscriptionStatus is the state of a transcription. The API may add states. One of
// these in other letters, such as stt_completed, is read as this one.
type TranscriptionStatus string

const (
	TranscriptionDetectedFile TranscriptionStatus = "DETECTED_FILE"  // queued
	TranscriptionProcessing   TranscriptionStatus = "STT_PROCESSING" // at work
	TranscriptionCompleted    TranscriptionStatus = "STT_COMPLETED"  // the full transcript is there
	TranscriptionError        TranscriptionStatus = "STT_ERROR"      // failed: Err is a TranscriptionFailedError
	TranscriptionIncomplete   TranscriptionStatus = "STT_INCOMPLETE" // ended with a part of the transcript: Err is a TranscriptionIncompleteError
)

var transcriptionStatuses = []TranscriptionStatus{TranscriptionDetectedFile, TranscriptionProcessing, TranscriptionCompleted, TranscriptionError, TranscriptionIncomplete}

// TranscriptionSubmission is the receipt of a submit.
type TranscriptionSubmission struct {
	ID          int64
	SubmittedAt time.Time // zero where the API does not tell
	Call        CallInfo  `json:"-"` // how the call went

	duplicate bool
}

// PossibleDuplicate reports whether an earlier attempt of the submit may have
// been taken too, so that the service may hold the visit twice.
func (s TranscriptionSubmission) PossibleDuplicate() bool { return s.duplicate }

// Transcription is the state of a transcription, and its text once that is
// there. It prints without patient data and marshals to JSON in full and back.
type Transcription struct {
	ID           int64
	Status       TranscriptionStatus
	RawText      string // the transcript; empty until there is one
	CreatedAt    time.Time
	UpdatedAt    time.Time
	WorkflowID   int64                      // 0 where the API does not tell
	ErrorMessage string                     // of a failed one, in the service's words, which may hold patient data
	Extra        map[string]json.RawMessage // every field this SDK does not know, byte for byte
	Submission   *TranscriptionSubmission   // set by SubmitAndWait
	Call         CallInfo                   `json:"-"` // how the call went

	raw   json.RawMessage
	zoned bool // the answer names the zone of CreatedAt
}

// Done reports whether the transcription has ended, well or badly. An unknown
// status counts as not ended.
func (t *Transcription) Done() bool {
	switch canonical(t.Status, transcriptionStatuses) {
	case TranscriptionCompleted, TranscriptionError, TranscriptionIncomplete:
		return true
	}
	return false
}

// Err returns nil, a *TranscriptionFailedError or a *TranscriptionIncompleteError.
func (t *Transcription) Err() error {
	switch canonical(t.Status, transcriptionStatuses) {
	case TranscriptionError:
		return &TranscriptionFailedError{t}
	case TranscriptionIncomplete:
		return &TranscriptionIncompleteError{t}
	}
	return nil
}

// Decode decodes the whole answer into v, which has the caller's own type.
func (t *Transcription) Decode(v any) error { return decodeResult(t.raw, t, v) }

// Submit uploads a recording and returns as soon as the service has taken it.
// Ask MaybeSubmitted of an error before submitting again. Errors are those of
// the package documentation; a request that cannot be right is a *RequestError.
func (s *TranscriptionsService) Submit(ctx context.Context, r *TranscriptionRequest, opts ...CallOption) (*TranscriptionSubmission, error) {
	if r == nil {
		return nil, invalid("request", "is nil")
	}
	u := s.client.newUpload(ctx, "/transcribe", opts)
	u.patient(r.PatientName, r.DateOfService, r.AdditionalContext)
	u.recordings("audio_file", r.Audio)
	var sub TranscriptionSubmission
	var err error
	if sub.Call, err = u.submit(sub.accept); err != nil {
		return nil, err
	}
	sub.duplicate = sub.Call.PossibleDuplicate()
	return &sub, nil
}

// Get asks once for the state of a transcription. A failed transcription is no
// error here: see Transcription.Err.
func (s *TranscriptionsService) Get(ctx context.Context, id int64, opts ...CallOption) (*Transcription, error) {
	t := &Transcription{}
	var err error
	if t.Call, err = s.client.getJob(ctx, "transcription_id", "/transcribe/", id, t.accept, opts); err != nil {
		return nil, err
	}
	return t, nil
}

// Wait polls a transcription until it ends or ctx does. It may be called in
// another process than Submit was. A transcription that ended badly is returned
// with the error of Transcription.Err. A *WaitError says that the wait ended
// first; no transcription comes with it.
func (s *TranscriptionsService) Wait(ctx context.Context, id int64, opts ...WaitOption) (*Transcription, error) {
	return s.waiter(opts).wait(ctx, id)
}

// WaitAll waits for many transcriptions at once and yields each as it ends, with
// at most 8 requests in flight. The transcription is never nil, and its ID says
// which it is; with a *WaitError it has nothing else. Each ends on its own, with an
// error that Wait returns. When ctx ends, each unfinished id is yielded once with a
// *WaitError. An id given twice is waited for once. Leaving the loop cancels what is
// in flight.
//
// While the loop's body runs, no new poll is made: start long work, such as a call
// that may wait for the rate limit, in a goroutine of its own.
func (s *TranscriptionsService) WaitAll(ctx context.Context, ids []int64, opts ...WaitOption) iter.Seq2[*Transcription, error] {
	return s.waiter(opts).waitAll(ctx, ids)
}

// SubmitAndWait is Submit and then Wait. Whatever goes wrong after the submit,
// the error has the id: a *WaitError in its ID, one of Transcription.Err in its
// Transcription.
func (s *TranscriptionsService) SubmitAndWait(ctx context.Context, r *TranscriptionRequest, opts ...WaitOption) (*Transcription, error) {
	w := s.waiter(opts)
	sub, err := s.Submit(ctx, r, w.submitOptions())
	if err != nil {
		return nil, err
	}
	t, err := w.waitNew(ctx, sub.ID, sub.duplicate)
	if t != nil {
		t.Submission = sub
	}
	return t, err
}

func (s *TranscriptionsService) waiter(opts []WaitOption) *waiter[*Transcription] {
	return newWaiter(s.client, s.Get, func(id int64) *Transcription { return &Transcription{ID: id} }, opts)
}

func (t *Transcription) state() jobState {
	state := jobState{status: string(t.Status), known: slices.Contains(transcriptionStatuses, t.Status), header: t.Call.Header}
	if t.zoned {
		state.created = t.CreatedAt
	}
	return state
}

func (s *TranscriptionSubmission) accept(body []byte) string {
	for name, v := range jsonobject.Members(body) {
		switch string(name) {
		case "transcription_id":
			decodeID(&s.ID, v)
		case "submitted_at":
			_, _ = decodeTime(&s.SubmittedAt, v)
		}
	}
	if s.ID == 0 {
		return "no transcription_id"
	}
	return ""
}

// accept takes the answer about job id.
func (t *Transcription) accept(body []byte, id int64) string {
	t.parse(body)
	return validateJob(body, t.ID, id, string(t.Status))
}

// parse sorts the members of an answer. One of an unexpected type is kept in
// Extra like an unknown one.
func (t *Transcription) parse(body []byte) {
	t.raw = body
	for name, v := range jsonobject.Members(body) {
		ok := false
		switch string(name) {
		case "id":
			ok = decodeID(&t.ID, v)
		case "task_status":
			ok = decodeStatus(&t.Status, v, transcriptionStatuses)
		case "raw_text":
			ok = decodeString(&t.RawText, v)
		case "created_at":
			ok, t.zoned = decodeTime(&t.CreatedAt, v)
		case "updated_at":
			ok, _ = decodeTime(&t.UpdatedAt, v)
		case "workflow_id":
			ok = decodeID(&t.WorkflowID, v)
		case "error_message":
			ok = decodeString(&t.ErrorMessage, v)
		case submissionKey:
			ok = decodeSubmission(&t.Submission, v)
		}
		if !ok {
			addExtra(&t.Extra, string(name), v)
		}
	}
}

// MarshalJSON writes the transcription as the API does, the unknown fields
// included.
func (t Transcription) MarshalJSON() ([]byte, error) {
	m := resultJSON(t.Extra)
	m.set("id", t.ID, t.ID != 0)
	m.set("task_status", t.Status, t.Status != "")
	m.set("raw_text", t.RawText, t.RawText != "")
	m.set("created_at", t.CreatedAt, !t.CreatedAt.IsZero())
	m.set("updated_at", t.UpdatedAt, !t.UpdatedAt.IsZero())
	m.set("workflow_id", t.WorkflowID, t.WorkflowID != 0)
	m.set("error_message", t.ErrorMessage, t.ErrorMessage != "")
	m.set(submissionKey, t.Submission, t.Submission != nil)
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON wrote, or an answer of the API.
func (t *Transcription) UnmarshalJSON(b []byte) error {
	*t = Transcription{}
	return unmarshalResult(b, t.parse)
}

func (s TranscriptionSubmission) MarshalJSON() ([]byte, error) {
	return json.Marshal(submissionJSON{TranscriptionID: s.ID, SubmittedAt: s.SubmittedAt, PossibleDuplicate: s.duplicate})
}

func (s *TranscriptionSubmission) UnmarshalJSON(b []byte) error {
	var j submissionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return errBadJSON
	}
	*s = TranscriptionSubmission{ID: j.TranscriptionID, SubmittedAt: j.SubmittedAt, duplicate: j.PossibleDuplicate}
	return nil
}

// UnmarshalJSON reads what json.Marshal wrote. Its error says nothing of the
// data.
func (r *TranscriptionRequest) UnmarshalJSON(b []byte) error {
	type plain TranscriptionRequest
	return unmarshalRequest(b, (*plain)(r))
}

func (r TranscriptionRequest) String() string {
	return fmt.Sprintf("TranscriptionRequest(%v, %s)", r.Audio, patientText(r.PatientName, r.DateOfService, r.AdditionalContext))
}

func (s TranscriptionSubmission) String() string {
	return fmt.Sprintf("TranscriptionSubmission(id %d, possible duplicate %t)", s.ID, s.duplicate)
}

func (t Transcription) String() string {
	return fmt.Sprintf("Transcription(id %d, %s, %d bytes of text, %d more fields)", t.ID, cmp.Or(redact.Text(string(t.Status)), "none"), len(t.RawText), len(t.Extra))
}

func (r TranscriptionRequest) Format(s fmt.State, verb rune)    { formatText(s, verb, r.String()) }
func (s TranscriptionSubmission) Format(f fmt.State, verb rune) { formatText(f, verb, s.String()) }
func (t Transcription) Format(s fmt.State, verb rune)           { formatText(s, verb, t.String()) }
func (r TranscriptionRequest) LogValue() slog.Value             { return slog.StringValue(r.String()) }
func (s TranscriptionSubmission) LogValue() slog.Value          { return slog.StringValue(s.String()) }
func (t Transcription) LogValue() slog.Value                    { return slog.StringValue(t.String()) }
