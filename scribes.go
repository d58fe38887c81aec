package ambient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ambient-scribe/ambient-go/internal/jsonobject"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// ScribesService turns recordings or transcripts into clinical notes: POST
// /scribe, GET /scribe/{scribe_id} and POST /scribe/{scribe_id}/regenerate/audio.
type ScribesService struct{ client *Client }

// ScribeRequest is a visit to write a note of. It prints without patient data.
type ScribeRequest struct {
	TemplateIDs       []int64   // at least one
	Audio             []Audio   // required without Transcripts
	Transcripts       []string  // required without Audio; none of them empty
	PatientName       string    // optional
	DateOfService     time.Time // optional; sent in RFC 3339 with its zone, of the years 1 to 9999
	AdditionalContext any       // optional; must marshal to a JSON object, e.g. age and gender
}

// ScribeStatus is the state of a scribe. The API may add states. One of these in other
// letters, such as Completed, is read as this one.
type ScribeStatus string

const (
	ScribeInProgress ScribeStatus = "IN_PROGRESS"
	ScribeCompleted  ScribeStatus = "COMPLETED"
	ScribeFailed     ScribeStatus = "FAILED"
)

var scribeStatuses = []ScribeStatus{ScribeInProgress, ScribeCompleted, ScribeFailed}

// ScribeSubmission is the receipt of a create or regenerate.
type ScribeSubmission struct {
	ID          int64
	Status      ScribeStatus
	SubmittedAt time.Time // zero where the API does not tell, as after a regenerate
	Call        CallInfo  `json:"-"` // how the call went

	duplicate bool
}

// PossibleDuplicate reports whether an earlier attempt of the submit may have
// been taken too, so that the service may hold the visit twice.
func (s ScribeSubmission) PossibleDuplicate() bool { return s.duplicate }

// Scribe is the state of a scribe. The vendor has not published what the
// answer holds: the note is in Extra, or wherever Decode finds it. It prints
// without patient data and marshals to JSON in full and back.
type Scribe struct {
	ID          int64
	Status      ScribeStatus
	SubmittedAt time.Time
	Extra       map[string]json.RawMessage // every field this SDK does not know, byte for byte
	Submission  *ScribeSubmission          // set by CreateAndWait
	Call        CallInfo                   `json:"-"` // how the call went

	raw   json.RawMessage
	zoned bool // the answer names the zone of SubmittedAt
}

// Done reports whether the scribe has ended, well or badly. An unknown status
// counts as not ended.
func (s *Scribe) Done() bool {
	status := canonical(s.Status, scribeStatuses)
	return status == ScribeCompleted || status == ScribeFailed
}

// Err returns nil or a *ScribeFailedError.
func (s *Scribe) Err() error {
	if canonical(s.Status, scribeStatuses) == ScribeFailed {
		return &ScribeFailedError{s}
	}
	return nil
}

// Decode decodes the whole answer into v, which has the caller's own type: one
// with a field for the note, wherever the service puts it.
func (s *Scribe) Decode(v any) error { return decodeResult(s.raw, s, v) }

// Create asks for a note and returns as soon as the service has taken the
// request. Ask MaybeSubmitted of an error before creating again.
func (s *ScribesService) Create(ctx context.Context, r *ScribeRequest, opts ...CallOption) (*ScribeSubmission, error) {
	switch {
	case r == nil:
		return nil, invalid("request", "is nil")
	case len(r.TemplateIDs) == 0:
		return nil, invalid("template_ids", "at least one is required")
	case len(r.Audio) == 0 && len(r.Transcripts) == 0:
		return nil, invalid("audio_files", "audio or transcripts are required")
	}
	u := s.client.newUpload(ctx, "/scribe", opts, r.TemplateIDs...)
	for _, id := range r.TemplateIDs {
		if id < 1 {
			return nil, invalid("template_ids", "each must be 1 or more")
		}
		u.form.Field("template_ids", strconv.FormatInt(id, 10))
	}
	for i, t := range r.Transcripts {
		if t == "" {
			return nil, invalid("transcripts", fmt.Sprintf("transcript %d is empty", i+1))
		}
		u.form.Field("transcripts", t)
	}
	u.patient(r.PatientName, r.DateOfService, r.AdditionalContext)
	u.recordings("audio_files", r.Audio...)
	return submitScribe(ctx, u, 0)
}

// RegenerateFromAudio asks for the note of an existing scribe to be written
// anew from other recordings. The id stays the same, and until the service has
// taken the request up, Get and Wait may still see the old COMPLETED.
func (s *ScribesService) RegenerateFromAudio(ctx context.Context, id int64, audio []Audio, opts ...CallOption) (*ScribeSubmission, error) {
	switch {
	case id < 1:
		return nil, invalid("scribe_id", "must be 1 or more")
	case len(audio) == 0:
		return nil, invalid("audio_files", "at least one is required")
	}
	u := s.client.newUpload(ctx, "/scribe/"+strconv.FormatInt(id, 10)+"/regenerate/audio", opts, id)
	u.recordings("audio_files", audio...)
	return submitScribe(ctx, u, id)
}

// submitScribe sends a form. The answer must be about scribe id, unless that
// is 0.
func submitScribe(ctx context.Context, u *upload, id int64) (*ScribeSubmission, error) {
	var sub ScribeSubmission
	var err error
	sub.Call, err = u.submit(func(body []byte) string { return sub.accept(body, id) })
	if err != nil {
		return nil, err
	}
	sub.duplicate = sub.Call.PossibleDuplicate()
	return &sub, nil
}

// Get asks once for the state of a scribe. A failed scribe is no error here:
// see Scribe.Err.
func (s *ScribesService) Get(ctx context.Context, id int64, opts ...CallOption) (*Scribe, error) {
	scribe := &Scribe{}
	var err error
	if scribe.Call, err = s.client.getJob(ctx, "scribe_id", "/scribe/", id, scribe.accept, opts); err != nil {
		return nil, err
	}
	return scribe, nil
}

// Wait polls a scribe until it ends or ctx does; see TranscriptionsService.Wait.
func (s *ScribesService) Wait(ctx context.Context, id int64, opts ...WaitOption) (*Scribe, error) {
	return s.waiter(opts).wait(ctx, id)
}

// WaitAll waits for many scribes at once and yields each as it ends, with
// at most 8 requests in flight. The scribe is never nil, and its ID says
// which it is; with a *WaitError it has nothing else. Each ends on its own, with an
// error that Wait returns. When ctx ends, each unfinished id is yielded once with a
// *WaitError. An id given twice is waited for once. Leaving the loop cancels what is
// in flight.
//
// While the loop's body runs, no new poll is made: start long work, such as a call
// that may wait for the rate limit, in a goroutine of its own.
func (s *ScribesService) WaitAll(ctx context.Context, ids []int64, opts ...WaitOption) iter.Seq2[*Scribe, error] {
	return s.waiter(opts).waitAll(ctx, ids)
}

// CreateAndWait is Create and then Wait. Whatever goes wrong after the create,
// the error has the id: a *WaitError in its ID, a *ScribeFailedError in its
// Scribe.
func (s *ScribesService) CreateAndWait(ctx context.Context, r *ScribeRequest, opts ...WaitOption) (*Scribe, error) {
	w := s.waiter(opts)
	sub, err := s.Create(ctx, r, w.submitOptions())
	if err != nil {
		return nil, err
	}
	scribe, err := w.waitNew(ctx, sub.ID, sub.duplicate)
	if scribe != nil {
		scribe.Submission = sub
	}
	return scribe, err
}

func (s *ScribesService) waiter(opts []WaitOption) *waiter[*Scribe] {
	return newWaiter(s.client, s.Get, func(id int64) *Scribe { return &Scribe{ID: id} }, opts)
}

func (s *Scribe) state() jobState {
	state := jobState{status: string(s.Status), known: slices.Contains(scribeStatuses, s.Status), header: s.Call.Header}
	if s.zoned {
		state.created = s.SubmittedAt
	}
	return state
}

func (s *ScribeSubmission) accept(body []byte, id int64) string {
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

// accept takes the answer about job id. It is not published, so its id may be
// absent.
func (s *Scribe) accept(body []byte, id int64) string {
	s.parse(body)
	if s.ID == 0 {
		s.ID = id
	}
	return validateJob(body, s.ID, id, string(s.Status))
}

// parse sorts the members of an answer. One of an unexpected type is kept in
// Extra like an unknown one.
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

// MarshalJSON writes the scribe as the API does, the unknown fields included.
func (s Scribe) MarshalJSON() ([]byte, error) {
	m := resultJSON(s.Extra)
	m.set("scribe_id", s.ID, s.ID != 0)
	m.set("status", s.Status, s.Status != "")
	m.set("submitted_at", s.SubmittedAt, !s.SubmittedAt.IsZero())
	m.set(submissionKey, s.Submission, s.Submission != nil)
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON wrote, or an answer of the API.
func (s *Scribe) UnmarshalJSON(b []byte) error {
	*s = Scribe{}
	return unmarshalResult(b, s.parse)
}

func (s ScribeSubmission) MarshalJSON() ([]byte, error) {
	return json.Marshal(submissionJSON{ScribeID: s.ID, Status: s.Status, SubmittedAt: s.SubmittedAt, PossibleDuplicate: s.duplicate})
}

func (s *ScribeSubmission) UnmarshalJSON(b []byte) error {
	var j submissionJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return errBadJSON
	}
	*s = ScribeSubmission{ID: j.ScribeID, Status: j.Status, SubmittedAt: j.SubmittedAt, duplicate: j.PossibleDuplicate}
	return nil
}

// UnmarshalJSON reads what json.Marshal wrote. Its error says nothing of the
// data.
func (r *ScribeRequest) UnmarshalJSON(b []byte) error {
	type plain ScribeRequest
	return unmarshalRequest(b, (*plain)(r))
}

func (r ScribeRequest) String() string {
	return fmt.Sprintf("ScribeRequest(templates %v, %d audio, %d transcripts, %s)", r.TemplateIDs, len(r.Audio), len(r.Transcripts),
		patientText(r.PatientName, r.DateOfService, r.AdditionalContext))
}

func (s ScribeSubmission) String() string {
	return fmt.Sprintf("ScribeSubmission(id %d, %s, possible duplicate %t)", s.ID, cmp.Or(redact.Text(string(s.Status)), "none"), s.duplicate)
}

func (s Scribe) String() string {
	return fmt.Sprintf("Scribe(id %d, %s, %d more fields)", s.ID, cmp.Or(redact.Text(string(s.Status)), "none"), len(s.Extra))
}

func (r ScribeRequest) Format(s fmt.State, verb rune)    { formatText(s, verb, r.String()) }
func (s ScribeSubmission) Format(f fmt.State, verb rune) { formatText(f, verb, s.String()) }
func (s Scribe) Format(f fmt.State, verb rune)           { formatText(f, verb, s.String()) }
func (r ScribeRequest) LogValue() slog.Value             { return slog.StringValue(r.String()) }
func (s ScribeSubmission) LogValue() slog.Value          { return slog.StringValue(s.String()) }
func (s Scribe) LogValue() slog.Value                    { return slog.StringValue(s.String()) }
