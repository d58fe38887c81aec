package ambienttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// jobs are all that were submitted, and the scripts for those to come. Ids are unique
// across both kinds, so that a client which mixes them up gets a 404.
type jobs struct {
	lastID         int64
	byKind         map[string]map[int64]*job
	transcriptions scripts
	scribes        scripts
}

// job is a transcription or a scribe.
type job struct {
	id      int64
	account *account
	created time.Time
	begun   time.Time // when its present life began
	life    []Step
}

// at is the step that a job is in, and when that step began.
func (j *job) at(now time.Time) (Step, time.Time) {
	start := j.begun
	for _, st := range j.life[:len(j.life)-1] {
		if end := start.Add(st.For); !now.Before(end) {
			start = end
			continue
		}
		return st, start
	}
	return j.life[len(j.life)-1], start
}

const (
	transcriptionKind = "Transcription"
	scribeKind        = "Scribe"
)

func newJobs() jobs {
	return jobs{lastID: 100, byKind: map[string]map[int64]*job{transcriptionKind: {}, scribeKind: {}}}
}

func (js *jobs) submit(a *account, kind string, life []Step, now time.Time) *job {
	js.lastID++
	j := &job{id: js.lastID, account: a, created: now, begun: now, life: life}
	js.byKind[kind][j.id] = j
	return j
}

func (e *exchange) find(kind string) (*job, answer) {
	if j := e.server.jobs.byKind[kind][e.record.ID]; j != nil && j.account == e.account {
		return j, answer{}
	}
	return nil, detail(http.StatusNotFound, kind+" not found")
}

func submitTranscription(e *exchange, now time.Time) answer {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	usual := TranscriptionCompletes(s.config.jobTime, s.config.transcript)
	j := s.jobs.submit(e.account, transcriptionKind, s.jobs.transcriptions.next(usual), now)
	return jsonAnswer(http.StatusAccepted, map[string]any{
		"transcription_id": j.id,
		"submitted_at":     stamp(j.created),
	})
}

func getTranscription(e *exchange, now time.Time) answer {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	j, notFound := e.find(transcriptionKind)
	if j == nil {
		return notFound
	}
	step, since := j.at(now)
	body := map[string]any{
		"id":            j.id,
		"task_status":   step.Status,
		"raw_text":      nil,
		"created_at":    stamp(j.created),
		"updated_at":    stamp(since),
		"workflow_id":   900_000 + j.id,
		"error_message": nil,
	}
	maps.Copy(body, step.Fields)
	return jsonAnswer(http.StatusOK, body)
}

func createScribe(e *exchange, now time.Time) answer {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(e.record.Files) == 0 && len(e.record.Values("transcripts")) == 0 {
		return invalid(missing("body", "audio_files"))
	}
	if denied := s.denied(e.record.Values("template_ids")); len(denied) > 0 {
		return detail(http.StatusUnprocessableEntity,
			fmt.Sprintf("You do not have access to these template_ids [%s]", strings.Join(denied, ", ")))
	}
	j := s.jobs.submit(e.account, scribeKind, s.jobs.scribes.next(s.usualScribe()), now)
	return jsonAnswer(http.StatusAccepted, map[string]any{
		"scribe_id":    j.id,
		"status":       "IN_PROGRESS",
		"submitted_at": stamp(j.created),
	})
}

// denied are the templates that the account may not use. The ids have been checked to
// be integers.
func (s *Server) denied(ids []string) []string {
	if s.config.templates == nil {
		return nil
	}
	return slices.DeleteFunc(ids, func(text string) bool {
		id, _ := strconv.ParseInt(text, 10, 64)
		return slices.Contains(s.config.templates, id)
	})
}

func (s *Server) usualScribe() []Step { return ScribeCompletes(s.config.jobTime, s.config.note) }

func getScribe(e *exchange, now time.Time) answer {
	e.server.mu.Lock()
	defer e.server.mu.Unlock()
	j, notFound := e.find(scribeKind)
	if j == nil {
		return notFound
	}
	step, _ := j.at(now)
	body := map[string]any{"scribe_id": j.id, "status": step.Status, "submitted_at": stamp(j.created)}
	maps.Copy(body, step.Fields)
	return jsonAnswer(http.StatusOK, body)
}

func regenerateScribe(e *exchange, now time.Time) answer {
	s := e.server
	s.mu.Lock()
	defer s.mu.Unlock()
	j, notFound := e.find(scribeKind)
	if j == nil {
		return notFound
	}
	j.life, j.begun = s.jobs.scribes.next(s.usualScribe()), now
	return jsonAnswer(http.StatusAccepted, map[string]any{"scribe_id": j.id, "status": "IN_PROGRESS"})
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string {
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
