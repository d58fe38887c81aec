package ambient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// ScribesService turns recordings or transcripts into clinical notes. It calls POST
// /scribe, GET /scribe/{scribe_id} and POST /scribe/{scribe_id}/regenerate/audio.
type ScribesService struct{ client *Client }

const (
	createScribe     = "POST /scribe"
	getScribe        = "GET /scribe/{id}"
	regenerateScribe = "POST /scribe/{id}/regenerate/audio"
)

// ScribeRequest is a visit that needs a note. It prints without patient data and
// marshals to JSON in full and back.
type ScribeRequest struct {
	TemplateIDs       []int64   // at least one
	Audio             []Audio   // required without Transcripts
	Transcripts       []string  // required without Audio; none may be empty
	PatientName       string    // optional
	DateOfService     time.Time // optional; the year is 1 to 9999; sent in RFC 3339 with its zone
	AdditionalContext any       // optional; must marshal to a JSON object, such as age and gender
}

// ScribeStatus is the state of a scribe. The API may add states. Case does not matter
// in an answer, so Completed is read as COMPLETED.
type ScribeStatus string

const (
	ScribeInProgress ScribeStatus = "IN_PROGRESS"
	ScribeCompleted  ScribeStatus = "COMPLETED"
	ScribeFailed     ScribeStatus = "FAILED"
)

var scribeStatuses = []ScribeStatus{ScribeInProgress, ScribeCompleted, ScribeFailed}

// ScribeSubmission is the receipt of a Create or RegenerateFromAudio.
type ScribeSubmission struct {
	ID          int64
	Status      ScribeStatus
	SubmittedAt time.Time // zero if the answer has none, as after RegenerateFromAudio
	Call        CallInfo  `json:"-"` // how the call went

	duplicate bool // as it was stored, without Call
}

// PossibleDuplicate reports whether the service may have the visit twice, since an
// earlier attempt of the submit may have created a job as well.
func (s ScribeSubmission) PossibleDuplicate() bool { return s.duplicate || s.Call.PossibleDuplicate() }

// Scribe is the state of a scribe. The vendor has not published the fields of the
// note. They are in Extra, and Decode reads them into a type of yours. A Scribe prints
// without patient data and marshals to JSON in full and back.
type Scribe struct {
	ID          int64
	Status      ScribeStatus
	SubmittedAt time.Time
	Extra       map[string]json.RawMessage // the fields that this SDK does not know, byte for byte
	Submission  *ScribeSubmission          // set by CreateAndWait
	Call        CallInfo                   `json:"-"` // how the call went

	raw   json.RawMessage
	zoned bool // the answer names the zone of SubmittedAt
}

// Done reports whether the scribe has succeeded or failed. An unknown status counts as
// unfinished.
func (s *Scribe) Done() bool {
	status := canonical(s.Status, scribeStatuses)
	return status == ScribeCompleted || status == ScribeFailed
}

// Err returns a *ScribeFailedError if the scribe failed, else nil.
func (s *Scribe) Err() error {
	if canonical(s.Status, scribeStatuses) == ScribeFailed {
		return &ScribeFailedError{s}
	}
	return nil
}

// Decode decodes the whole JSON answer into v, a pointer to a type of yours.
func (s *Scribe) Decode(v any) error { return decodeResult(s.raw, s, v) }

// Create uploads a request for a note and returns when the service has taken it. It
// does not wait for the note. Errors are those of TranscriptionsService.Submit.
func (s *ScribesService) Create(ctx context.Context, r *ScribeRequest, opts ...CallOption) (*ScribeSubmission, error) {
	switch {
	case r == nil:
		return nil, invalid("request", "is nil")
	case len(r.TemplateIDs) == 0:
		return nil, invalid("template_ids", "at least one is required")
	case len(r.Audio) == 0 && len(r.Transcripts) == 0:
		return nil, invalid("audio_files", "audio or transcripts are required")
	}
	u := s.client.newUpload(ctx, createScribe, "/scribe", opts, r.TemplateIDs...)
	for _, id := range r.TemplateIDs {
		if id < 1 {
			return nil, invalid("template_ids", "each must be 1 or more")
		}
		u.addField("template_ids", strconv.FormatInt(id, 10))
	}
	for i, t := range r.Transcripts {
		if t == "" {
			return nil, invalid("transcripts", fmt.Sprintf("transcript %d is empty", i+1))
		}
		u.text("transcripts", t)
	}
	u.patient(r.PatientName, r.DateOfService, r.AdditionalContext)
	u.recordings("audio_files", r.Audio...)
	return submitScribe(ctx, u, 0)
}

// RegenerateFromAudio replaces the note of a scribe by a note of other recordings. The
// id stays the same. Until the service begins with it, Get and Wait may still see the
// old COMPLETED.
func (s *ScribesService) RegenerateFromAudio(ctx context.Context, id int64, audio []Audio, opts ...CallOption) (*ScribeSubmission, error) {
	switch {
	case id < 1:
		return nil, invalid("scribe_id", "must be 1 or more")
	case len(audio) == 0:
		return nil, invalid("audio_files", "at least one is required")
	}
	u := s.client.newUpload(ctx, regenerateScribe, routeOf(regenerateScribe, id), opts, id)
	u.recordings("audio_files", audio...)
	return submitScribe(ctx, u, id)
}

// submitScribe sends a form. The answer must be about scribe id, unless id is 0.
func submitScribe(ctx context.Context, u *upload, id int64) (*ScribeSubmission, error) {
	var sub ScribeSubmission
	var err error
	sub.Call, err = u.submit(&sub.ID, func(body []byte) string { return sub.decodeReply(body, id) })
	if err != nil {
		return nil, err
	}
	return &sub, nil
}

// Get returns the state of a scribe. A failed scribe is no error of Get. See
// Scribe.Err.
func (s *ScribesService) Get(ctx context.Context, id int64, opts ...CallOption) (*Scribe, error) {
	scribe := &Scribe{}
	var err error
	if scribe.Call, err = s.client.getJob(ctx, "scribe_id", getScribe, id, func(r response) string { return scribe.decodeJob(r.body, id) }, opts); err != nil {
		return nil, err
	}
	return scribe, nil
}

// Wait polls a scribe until it ends or ctx does. See TranscriptionsService.Wait.
func (s *ScribesService) Wait(ctx context.Context, id int64, opts ...WaitOption) (*Scribe, error) {
	return s.waiter(opts).wait(ctx, id)
}

// WaitAll waits for many scribes and yields each one when it ends. It has the contract
// of TranscriptionsService.WaitAll.
func (s *ScribesService) WaitAll(ctx context.Context, ids []int64, opts ...WaitOption) iter.Seq2[*Scribe, error] {
	return s.waiter(opts).waitAll(ctx, ids)
}

// CreateAndWait calls Create and then Wait. Every error after the create has the id of
// the job, in WaitError.ID or in the Scribe of the error.
func (s *ScribesService) CreateAndWait(ctx context.Context, r *ScribeRequest, opts ...WaitOption) (*Scribe, error) {
	w := s.waiter(opts)
	sub, err := s.Create(ctx, r, w.submitOptions())
	if err != nil {
		return nil, err
	}
	scribe, err := w.waitNew(ctx, sub.ID, sub.PossibleDuplicate(), sub.Call.Header)
	if scribe != nil {
		scribe.Submission = sub
	}
	return scribe, err
}

func (s *ScribesService) waiter(opts []WaitOption) *waiter[*Scribe] {
	return newWaiter(s.client, getScribe, s.Get, func(id int64) *Scribe { return &Scribe{ID: id} }, opts)
}

func (s *Scribe) state() jobState {
	state := jobState{status: string(s.Status), known: slices.Contains(scribeStatuses, s.Status), header: s.Call.Header}
	if s.zoned {
		state.created = s.SubmittedAt
	}
	return state
}

func (s *ScribeSubmission) decodeReply(body []byte, id int64) string {
	for name, v := range jsonobject.Members(body) {
		switch string(name) {
		case "scribe_id":
			decodeID(&s.ID, v)
		case "status":
			decodeStatus(&s.Status, v, scribeStatuses)
		case "submitted_at":
			_, _ = decodeTime(&s.SubmittedAt, v)
		}
	}
	switch {
	case s.ID == 0:
		return "no scribe_id"
	case id != 0 && s.ID != id:
		return "about another scribe"
	}
	return ""
}

// decodeJob reads the answer about job id. It returns what is wrong with it, or "". The
// answer may lack the id, since the vendor has not published its fields.
func (s *Scribe) decodeJob(body []byte, id int64) string {
	s.parse(body)
	if s.ID == 0 {
		s.ID = id
	}
	return validateJob(body, s.ID, id, string(s.Status))
}

// parse reads the members of an answer. Extra keeps those that are unknown or of an
// unexpected type.
func (s *Scribe) parse(body []byte) {
	s.raw = body
	for name, v := range jsonobject.Members(body) {
		ok := false
		switch string(name) {
		case "scribe_id":
			ok = decodeID(&s.ID, v)
		case "status":
			ok = decodeStatus(&s.Status, v, scribeStatuses)
		case "submitted_at":
			ok, s.zoned = decodeTime(&s.SubmittedAt, v)
		case submissionKey:
			ok = decodeSubmission(&s.Submission, v)
		}
		if !ok {
			addExtra(&s.Extra, string(name), v)
		}
	}
}

// MarshalJSON returns the scribe in the form of the API, with all unknown fields.
func (s Scribe) MarshalJSON() ([]byte, error) {
	m := resultJSON(s.Extra)
	m.set("scribe_id", s.ID, s.ID != 0)
	m.set("status", s.Status, s.Status != "")
	m.set("submitted_at", s.SubmittedAt, !s.SubmittedAt.IsZero())
	m.set(submissionKey, s.Submission, s.Submission != nil)
	return json.Marshal(m)
}

// UnmarshalJSON reads the output of MarshalJSON or an answer of the API.
func (s *Scribe) UnmarshalJSON(b []byte) error {
	*s = Scribe{}
	return unmarshalResult(b, s.parse)
}

func (s ScribeSubmission) MarshalJSON() ([]byte, error) {
	return json.Marshal(submissionJSON{ScribeID: s.ID, Status: s.Status, SubmittedAt: s.SubmittedAt, PossibleDuplicate: s.PossibleDuplicate()})
}

func (s *ScribeSubmission) UnmarshalJSON(b []byte) error {
	var j submissionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return errBadJSON
	}
	*s = ScribeSubmission{ID: j.ScribeID, Status: j.Status, SubmittedAt: j.SubmittedAt, duplicate: j.PossibleDuplicate}
	return nil
}

// MarshalJSON returns a *RequestError if a text has bytes that are no UTF-8, which JSON
// cannot hold.
func (r ScribeRequest) MarshalJSON() ([]byte, error) {
	if err := validateTexts(r.PatientName, r.AdditionalContext, r.Transcripts); err != nil {
		return nil, err
	}
	type plain ScribeRequest
	return json.Marshal(plain(r))
}

// UnmarshalJSON reads the output of json.Marshal. Its error shows nothing of the
// input.
func (r *ScribeRequest) UnmarshalJSON(b []byte) error {
	type plain ScribeRequest
	return unmarshalRequest(b, (*plain)(r))
}

func (r ScribeRequest) String() string {
	return fmt.Sprintf("ScribeRequest(templates %v, %d audio, %d transcripts, %s)", r.TemplateIDs, len(r.Audio), len(r.Transcripts),
		patientText(r.PatientName, r.DateOfService, r.AdditionalContext))
}

func (s ScribeSubmission) String() string {
	return fmt.Sprintf("ScribeSubmission(id %d, %s, possible duplicate %t)", s.ID, cmp.Or(redact.Text(string(s.Status)), "none"), s.PossibleDuplicate())
}

func (s Scribe) String() string {
	return fmt.Sprintf("Scribe(id %d, %s, %d more fields)", s.ID, cmp.Or(redact.Text(string(s.Status)), "none"), len(s.Extra))
}
