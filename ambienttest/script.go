package ambienttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// A Step is one stretch in the life of a job. The job is in Status for For, and then in
// the next step. The last step stays. Fields are merged into the answers of the GET
// during the step, such as "raw_text", "error_message", or a note under any name. A
// null is given as nil.
type Step struct {
	Status string
	For    time.Duration
	Fields map[string]any
}

// ScriptTranscription writes the life of the next transcription that has none yet.
// Scripts are used in the order in which they were written, one per transcription that
// is submitted.
func (s *Server) ScriptTranscription(steps ...Step) {
	checked := checkSteps(steps)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs.transcriptions.add(checked)
}

// ScriptScribe writes the life of the next scribe that has none yet, like
// [Server.ScriptTranscription]. A regenerate takes a script too, since the scribe
// begins a new life under its old id.
func (s *Server) ScriptScribe(steps ...Step) {
	checked := checkSteps(steps)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs.scribes.add(checked)
}

// TranscriptionCompletes is a life that ends after that time with a full transcript.
func TranscriptionCompletes(after time.Duration, text string) []Step {
	return transcriptionLife(after, Step{Status: "STT_COMPLETED", Fields: map[string]any{"raw_text": text}})
}

// TranscriptionFails is a life that ends after that time in failure, with message as
// its error_message.
func TranscriptionFails(after time.Duration, message string) []Step {
	return transcriptionLife(after, Step{Status: "STT_ERROR", Fields: map[string]any{"error_message": message}})
}

// TranscriptionIncomplete is a life that ends after that time with a partial transcript.
func TranscriptionIncomplete(after time.Duration, partial string) []Step {
	return transcriptionLife(after, Step{Status: "STT_INCOMPLETE", Fields: map[string]any{"raw_text": partial}})
}

// ScribeCompletes is a life that ends after that time with a note. The vendor has not
// published the field in which a note comes. Here it is "note".
func ScribeCompletes(after time.Duration, note map[string]any) []Step {
	return []Step{{Status: "IN_PROGRESS", For: after}, {Status: "COMPLETED", Fields: map[string]any{"note": note}}}
}

// ScribeFails is a life that ends after that time in failure.
func ScribeFails(after time.Duration) []Step {
	return []Step{{Status: "IN_PROGRESS", For: after}, {Status: "FAILED"}}
}

func transcriptionLife(after time.Duration, end Step) []Step {
	return []Step{
		{Status: "DETECTED_FILE", For: after / 3},
		{Status: "STT_PROCESSING", For: after - after/3},
		end,
	}
}

// checkSteps copies steps, and panics on what could not be answered, since that is a
// mistake in a test.
func checkSteps(steps []Step) []Step {
	if len(steps) == 0 {
		panic("ambienttest: a script needs a step")
	}
	checked := make([]Step, len(steps))
	for i, st := range steps {
		if _, err := json.Marshal(st.Fields); err != nil {
			panic(fmt.Sprintf("ambienttest: step %d: %v", i+1, err))
		}
		checked[i] = Step{st.Status, st.For, maps.Clone(st.Fields)}
	}
	return checked
}

// scripts are the lives of jobs in the order in which they were planned. The first used
// of them have found their job.
type scripts struct {
	lives [][]Step
	used  int
}

func (s *scripts) add(life []Step) { s.lives = append(s.lives, life) }

// next returns the life of a new job, from the next script or the usual one.
func (s *scripts) next(usual []Step) []Step {
	if s.used == len(s.lives) {
		return usual
	}
	s.used++
	return s.lives[s.used-1]
}

// unreached names each script that found no job.
func (s *scripts) unreached(method string) []string {
	var all []string
	for i := s.used; i < len(s.lives); i++ {
		var statuses []string
		for _, st := range s.lives[i] {
			statuses = append(statuses, st.Status)
		}
		all = append(all, fmt.Sprintf("%s no. %d (%s): no job was submitted for it",
			method, i+1, strings.Join(statuses, ", ")))
	}
	return all
}
