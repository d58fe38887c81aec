package ambient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// TranscriptionsService turns recordings into transcripts. It calls POST /transcribe
// and GET /transcribe/{transcription_id}.
type TranscriptionsService struct{ client *Client }

const (
	submitTranscription = "POST /transcribe"
	getTranscription    = "GET /transcribe/{id}"
)

// TranscriptionRequest is a recording to transcribe. It prints without patient data
// and marshals to JSON in full and back.
type TranscriptionRequest struct {
	Audio             Audio     // required
	PatientName       string    // optional
	DateOfService     time.Time // optional; the year is 1 to 9999; sent in RFC 3339 with its zone
	AdditionalContext any       // optional; must marshal to a JSON object, such as age and gender
}

// TranscriptionStatus is the state of a transcription. The API may add states. Case
// does not matter in an answer, so stt_completed is read as STT_COMPLETED.
type TranscriptionStatus string

const (
	TranscriptionDetectedFile TranscriptionStatus = "DETECTED_FILE"  // queued
	TranscriptionProcessing   TranscriptionStatus = "STT_PROCESSING" // in progress
	TranscriptionCompleted    TranscriptionStatus = "STT_COMPLETED"  // the full transcript is there
	TranscriptionError        TranscriptionStatus = "STT_ERROR"      // failed; Err is a TranscriptionFailedError
	TranscriptionIncomplete   TranscriptionStatus = "STT_INCOMPLETE" // ended with a part of the transcript; Err is a TranscriptionIncompleteError
)

var transcriptionStatuses = []TranscriptionStatus{TranscriptionDetectedFile, TranscriptionProcessing, TranscriptionCompleted, TranscriptionError, TranscriptionIncomplete}

// TranscriptionSubmission is the receipt of a submit.
type TranscriptionSubmission struct {
	ID          int64
	SubmittedAt time.Time // zero if the answer has none
	Call        CallInfo  `json:"-"` // how the call went

	duplicate bool // as it was stored, without Call
}

// PossibleDuplicate reports whether the service may have the visit twice, since an
// earlier attempt of the submit may have created a job as well.
func (s TranscriptionSubmission) PossibleDuplicate() bool {
	return s.duplicate || s.Call.PossibleDuplicate()
}

// Transcription is the state of a transcription, with its text once there is one. It
// prints without patient data and marshals to JSON in full and back.
type Transcription struct {
	ID           int64
	Status       TranscriptionStatus
	RawText      string // the transcript; empty until it is there
	CreatedAt    time.Time
	UpdatedAt    time.Time
	WorkflowID   int64                      // 0 if the answer has none
	ErrorMessage string                     // why it failed, in the service's words; may hold patient data
	Extra        map[string]json.RawMessage // the fields that this SDK does not know, byte for byte
	Submission   *TranscriptionSubmission   // set by SubmitAndWait
	Call         CallInfo                   `json:"-"` // how the call went

	raw   json.RawMessage
	zoned bool // the answer names the zone of CreatedAt
}

// Done reports whether the transcription has succeeded or failed. An unknown status
// counts as unfinished.
func (t *Transcription) Done() bool {
	switch canonical(t.Status, transcriptionStatuses) {
	case TranscriptionCompleted, TranscriptionError, TranscriptionIncomplete:
		return true
	}
	return false
}

// Err returns a *TranscriptionFailedError or a *TranscriptionIncompleteError if the
// transcription ended so, else nil.
func (t *Transcription) Err() error {
	switch canonical(t.Status, transcriptionStatuses) {
	case TranscriptionError:
		return &TranscriptionFailedError{t}
	case TranscriptionIncomplete:
		return &TranscriptionIncompleteError{t}
	}
	return nil
}

// Decode decodes the whole JSON answer into v, a pointer to a type of yours.
func (t *Transcription) Decode(v any) error { return decodeResult(t.raw, t, v) }

// Submit uploads a recording and returns when the service has taken it. It does not
// wait for the transcript.
//
// A request that cannot be valid is a *RequestError, and nothing is sent. For the
// other errors see the package documentation. Ask MaybeSubmitted about an error before
// you submit the visit again.
func (s *TranscriptionsService) Submit(ctx context.Context, r *TranscriptionRequest, opts ...CallOption) (*TranscriptionSubmission, error) {
	if r == nil {
		return nil, invalid("request", "is nil")
	}
	u := s.client.newUpload(ctx, submitTranscription, "/transcribe", opts)
	u.patient(r.PatientName, r.DateOfService, r.AdditionalContext)
	u.recordings("audio_file", r.Audio)
	var sub TranscriptionSubmission
	var err error
	if sub.Call, err = u.submit(&sub.ID, sub.decodeReply); err != nil {
		return nil, err
	}
	return &sub, nil
}

// Get returns the state of a transcription. A failed transcription is no error of
// Get. See Transcription.Err.
func (s *TranscriptionsService) Get(ctx context.Context, id int64, opts ...CallOption) (*Transcription, error) {
	t := &Transcription{}
	var err error
	if t.Call, err = s.client.getJob(ctx, "transcription_id", getTranscription, id, func(r response) string { return t.decodeJob(r.body, id) }, opts); err != nil {
		return nil, err
	}
	return t, nil
}

// Wait polls a transcription until it ends or ctx does. It needs only the id, so it
// works in another process too. A transcription that failed is returned together with
// the error of Transcription.Err. If the wait ends first, the error is a *WaitError and
// the transcription is nil. An id below 1 is a *RequestError.
func (s *TranscriptionsService) Wait(ctx context.Context, id int64, opts ...WaitOption) (*Transcription, error) {
	return s.waiter(opts).wait(ctx, id)
}

// WaitAll waits for many transcriptions and yields each one when it ends, with the
// error that Wait would return. The transcription is never nil. Without an answer it has
// only its ID. At most 8 polls are in flight. An id that is given twice is yielded
// once. When ctx ends, WaitAll yields each unfinished id with a *WaitError. Leaving the
// loop cancels the polls in flight. The ids are fixed. For jobs that come later, call
// Wait in a goroutine each, since calls share the rate limit.
//
// No poll starts while the body of the loop runs. Do long work, such as a call that may
// wait for the rate limit, in another goroutine.
func (s *TranscriptionsService) WaitAll(ctx context.Context, ids []int64, opts ...WaitOption) iter.Seq2[*Transcription, error] {
	return s.waiter(opts).waitAll(ctx, ids)
}

// SubmitAndWait calls Submit and then Wait. Every error after the submit has the id of
// the job, in WaitError.ID or in the Transcription of the error.
func (s *TranscriptionsService) SubmitAndWait(ctx context.Context, r *TranscriptionRequest, opts ...WaitOption) (*Transcription, error) {
	w := s.waiter(opts)
	sub, err := s.Submit(ctx, r, w.submitOptions())
	if err != nil {
		return nil, err
	}
	t, err := w.waitNew(ctx, sub.ID, sub.PossibleDuplicate(), sub.Call.Header)
	if t != nil {
		t.Submission = sub
	}
	return t, err
}

func (s *TranscriptionsService) waiter(opts []WaitOption) *waiter[*Transcription] {
	return newWaiter(s.client, getTranscription, s.Get, func(id int64) *Transcription { return &Transcription{ID: id} }, opts)
}

func (t *Transcription) state() jobState {
	state := jobState{status: string(t.Status), known: slices.Contains(transcriptionStatuses, t.Status), header: t.Call.Header}
	if t.zoned {
		state.created = t.CreatedAt
	}
	return state
}

func (s *TranscriptionSubmission) decodeReply(body []byte) string {
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

// decodeJob reads the answer about job id. It returns what is wrong with it, or "".
func (t *Transcription) decodeJob(body []byte, id int64) string {
	t.parse(body)
	return validateJob(body, t.ID, id, string(t.Status))
}

// parse reads the members of an answer. Extra keeps those that are unknown or of an
// unexpected type.
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

// MarshalJSON returns the transcription in the form of the API, with all unknown
// fields.
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

// UnmarshalJSON reads the output of MarshalJSON or an answer of the API.
func (t *Transcription) UnmarshalJSON(b []byte) error {
	*t = Transcription{}
	return unmarshalResult(b, t.parse)
}

func (s TranscriptionSubmission) MarshalJSON() ([]byte, error) {
	return json.Marshal(submissionJSON{TranscriptionID: s.ID, SubmittedAt: s.SubmittedAt, PossibleDuplicate: s.PossibleDuplicate()})
}

func (s *TranscriptionSubmission) UnmarshalJSON(b []byte) error {
	var j submissionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return errBadJSON
	}
	*s = TranscriptionSubmission{ID: j.TranscriptionID, SubmittedAt: j.SubmittedAt, duplicate: j.PossibleDuplicate}
	return nil
}

// MarshalJSON returns a *RequestError if a text has bytes that are no UTF-8, which JSON
// cannot hold.
func (r TranscriptionRequest) MarshalJSON() ([]byte, error) {
	if err := validateTexts(r.PatientName, r.AdditionalContext, nil); err != nil {
		return nil, err
	}
	type plain TranscriptionRequest
	return json.Marshal(plain(r))
}

// UnmarshalJSON reads the output of json.Marshal. Its error shows nothing of the
// input.
func (r *TranscriptionRequest) UnmarshalJSON(b []byte) error {
	type plain TranscriptionRequest
	return unmarshalRequest(b, (*plain)(r))
}

func (r TranscriptionRequest) String() string {
	return fmt.Sprintf("TranscriptionRequest(%v, %s)", r.Audio, patientText(r.PatientName, r.DateOfService, r.AdditionalContext))
}

func (s TranscriptionSubmission) String() string {
	return fmt.Sprintf("TranscriptionSubmission(id %d, possible duplicate %t)", s.ID, s.PossibleDuplicate())
}

func (t Transcription) String() string {
	return fmt.Sprintf("Transcription(id %d, %s, %d bytes of text, %d more fields)", t.ID, cmp.Or(redact.Text(string(t.Status)), "none"), len(t.RawText), len(t.Extra))
}
