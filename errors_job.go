package ambient

import (
	"fmt"

	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// TranscriptionFailedError is a transcription that ended in STT_ERROR. What the
// service says of it is in Transcription.ErrorMessage.
type TranscriptionFailedError struct {
	Transcription *Transcription `json:"-"`
}

// Error is safe to log.
func (e *TranscriptionFailedError) Error() string {
	if e == nil || e.Transcription == nil {
		return "ambient: no failed transcription"
	}
	return jobText("transcription", e.Transcription.ID, "failed", string(e.Transcription.Status))
}

// TranscriptionIncompleteError is a transcription that ended in STT_INCOMPLETE. Its
// Transcription.RawText is a part of the transcript.
type TranscriptionIncompleteError struct {
	Transcription *Transcription `json:"-"`
}

// Error is safe to log.
func (e *TranscriptionIncompleteError) Error() string {
	if e == nil || e.Transcription == nil {
		return "ambient: no incomplete transcription"
	}
	return jobText("transcription", e.Transcription.ID, "ended with a partial transcript", string(e.Transcription.Status))
}

// ScribeFailedError is a scribe that ended in FAILED. Its last answer is in Scribe.
type ScribeFailedError struct {
	Scribe *Scribe `json:"-"`
}

// Error is safe to log.
func (e *ScribeFailedError) Error() string {
	if e == nil || e.Scribe == nil {
		return "ambient: no failed scribe"
	}
	return jobText("scribe", e.Scribe.ID, "failed", string(e.Scribe.Status))
}

func jobText(kind string, id int64, what, status string) string {
	return fmt.Sprintf("ambient: %s %d %s (%s)", kind, id, what, redact.Text(status))
}

// WaitError is a wait that ended before its job. The context ended, a poll was refused,
// or polls failed for longer than WithMaxOutage allows. The job goes on, unless the
// cause is a NotFoundError. Resume with Wait(ctx, e.ID). After a 401, 403 or 404 see to
// the cause first. errors.As finds the error of the last poll in it too, so match
// WaitError before any other. A 401 of a poll says nothing about the submit.
type WaitError struct {
	ID         int64
	LastStatus string // in the service's words, which Error masks; empty before the first answer
	Polls      int

	duplicate bool
	cause     error
}

// PossibleDuplicate is that of the submission, where SubmitAndWait or CreateAndWait
// made it. The service may hold the visit under another id, too.
func (e *WaitError) PossibleDuplicate() bool { return e != nil && e.duplicate }

// Error is safe to log.
func (e *WaitError) Error() string {
	if e == nil {
		return "ambient: no wait error"
	}
	status := "no status yet"
	if e.LastStatus != "" {
		status = "last status " + redact.Text(e.LastStatus)
	}
	polls := "1 poll"
	if e.Polls != 1 {
		polls = fmt.Sprintf("%d polls", e.Polls)
	}
	duplicate := ""
	if e.duplicate {
		duplicate = " (may have been submitted twice)"
	}
	text := fmt.Sprintf("ambient: waiting for job %d%s ended after %s, %s", e.ID, duplicate, polls, status)
	if e.cause == nil { // made by the caller, e.g. in a test
		return text
	}
	text += ": " + safeInnerText(e.cause)
	if end, ok := e.cause.(*contextEnd); ok && isSDKError(end.cause) {
		text += " while waiting after " + safeInnerText(end.cause)
	}
	return text
}

// Unwrap returns the error of the context or of the last poll.
func (e *WaitError) Unwrap() error {
	if e == nil {
		return nil
	}
	return safeError(e.cause)
}
