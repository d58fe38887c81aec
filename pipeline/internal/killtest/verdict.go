//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// settle waits until nothing goes on. What dead processes have left must go on within two leases. What fails by the
// API's faults, and is tried again, may take longer.
func (t *trial) settle(ctx context.Context, last time.Time) error {
	time.Sleep(time.Until(last.Add(2 * t.plan.lease)))
	early, err := t.unfinished(ctx)
	if err != nil {
		return err
	}
	if stranded, err := t.stranded(ctx); err != nil || stranded > 0 {
		return errors.Join(err, fmt.Errorf("two leases after the last disturbance %d visits are in the hands of dead processes", stranded))
	}
	least, progress := len(early), time.Now()
	for ; time.Since(progress) < time.Minute; time.Sleep(200 * time.Millisecond) {
		left, err := t.unfinished(ctx)
		if err != nil {
			return err
		}
		if len(left) < least {
			least, progress = len(left), time.Now()
		}
		if len(left) == 0 {
			fmt.Printf("two leases after the last disturbance %d visits were on their way; all had ended after %v\n", len(early), time.Since(last).Round(100*time.Millisecond))
			return nil
		}
	}
	return errors.New("visits are on their way, and none has ended for a minute")
}

// stranded counts the visits that no living process holds, and that none would be brought.
func (t *trial) stranded(ctx context.Context) (n int, err error) {
	now, jobs := "CAST(unixepoch('subsec') * 1000 AS integer)", "river_job"
	if t.postgres != nil {
		now, jobs = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint", "ambient_river.river_job"
	}
	db, err := t.database()
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM ambient_visit v WHERE state IN ('todo', 'sent', 'waiting') AND (
		owner NOT IN (SELECT id FROM ambient_process WHERE alive_until > `+now+`)
		OR owner IS NULL AND job <> 0 AND job NOT IN (SELECT id FROM `+jobs+` WHERE state IN ('available', 'running'))
		OR owner IS NULL AND job = 0 AND not_before < `+now+` - 2000)`).Scan(&n)
	return n, err
}

func (t *trial) unfinished(ctx context.Context) (all []pipeline.Status, err error) {
	err = t.patiently(func() error {
		all = nil
		for s, err := range t.pipeline.Visits(ctx, pipeline.Todo, pipeline.Sent, pipeline.Waiting) {
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

// jobs are those that the fake API has made, by visit. The patient of a request is its visit.
func (t *trial) jobs(route string) map[string]int {
	made := map[string]int{}
	for n, r := range t.api.RequestsTo(route) {
		_, key, _ := strings.Cut(r.Value("patient_name"), " ")
		if r.Complete && r.Status != 422 && t.created(route, n) {
			made[key]++
		}
	}
	return made
}

// verdict compares the visits with the fake API's record and the inbox.
func (t *trial) verdict(ctx context.Context) error {
	made := map[string]map[string]int{"transcript": t.jobs("POST /transcribe"), "note": t.jobs("POST /scribe")}
	states := map[pipeline.State]int{}
	var wrong []string
	falseAlarms, seen := 0, 0
	t.mu.Lock()
	defer t.mu.Unlock()
	for s, err := range t.pipeline.Visits(ctx) {
		if err != nil {
			return err
		}
		seen++
		states[s.State]++
		if s.State == pipeline.Unknown && made[s.Stage][s.Key] == 0 {
			falseAlarms++
		}
		if problem := t.judge(ctx, s, made); problem != "" {
			wrong = append(wrong, s.Key+": "+problem)
		}
	}
	if seen != len(t.keys) {
		wrong = append(wrong, fmt.Sprintf("%d visits of %d are in the database", seen, len(t.keys)))
	}
	wrong = append(wrong, t.grep()...)
	again := 0
	for _, d := range t.deliveries {
		again += len(d) - 1
	}
	fmt.Printf("%d done, %d failed, %d unknown (%d of them not with the API: %.2f a kill); %d deliveries repeated; %d POSTs\n",
		states[pipeline.Done], states[pipeline.Failed], states[pipeline.Unknown], falseAlarms, float64(falseAlarms)/float64(max(t.plan.kills+t.plan.freezes+t.plan.crashes, 1)),
		again, len(t.api.RequestsTo("POST /transcribe"))+len(t.api.RequestsTo("POST /scribe")))
	if falseAlarms*10 > 3*(t.plan.kills+t.plan.freezes+t.plan.crashes) {
		wrong = append(wrong, "more than 0.3 false alarms a kill")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d things are wrong:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	fmt.Println("nothing lost, nothing submitted twice, nothing of a patient at rest")
	return nil
}

// judge says what is wrong with one visit.
func (t *trial) judge(ctx context.Context, s pipeline.Status, made map[string]map[string]int) string {
	for stage, jobs := range made {
		if jobs[s.Key] > 1 {
			return fmt.Sprintf("the API has %d jobs of its %s", jobs[s.Key], stage)
		}
	}
	got := t.deliveries[s.Key]
	switch s.State {
	case pipeline.Done:
		if len(got) == 0 {
			return "done, and was not delivered"
		}
	case pipeline.Failed:
		if s.Reason != "job-failed" || !t.jobFailed(ctx, s.TranscriptID) {
			return "failed, though its job did not: " + s.Reason
		}
	case pipeline.Unknown:
	default:
		return "is " + string(s.State)
	}
	for _, d := range got {
		if d.transcript != s.TranscriptID || d.note != s.NoteID {
			return "was delivered with the job of another visit"
		}
	}
	return ""
}

// jobFailed asks the fake API whether it failed a transcription.
func (t *trial) jobFailed(ctx context.Context, id int64) bool {
	job, err := t.client.Transcriptions.Get(ctx, id)
	return err == nil && job.Status == ambient.TranscriptionError
}

// grep looks for the canary in all that is at rest.
func (t *trial) grep() (found []string) {
	err := filepath.WalkDir(t.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // PostgreSQL removes files at any time
		}
		content, err := os.ReadFile(path)
		if err == nil && bytes.Contains(content, []byte(canary)) {
			found = append(found, "the canary is in "+path)
		}
		return nil
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}
