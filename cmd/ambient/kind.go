package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

const (
	transcription = "transcription"
	scribe        = "scribe"
)

// A job is a *ambient.Transcription or a *ambient.Scribe.
type job interface {
	Done() bool
	Err() error
}

// A kind is what the command does with one of the two kinds of job.
type kind[T job] struct {
	name    string
	get     func(context.Context, int64, ...ambient.CallOption) (T, error)
	wait    func(context.Context, int64, ...ambient.WaitOption) (T, error)
	waitAll func(context.Context, []int64, ...ambient.WaitOption) iter.Seq2[T, error]
	id      func(T) int64
	text    func(T) string                    // for people; empty where there is none
	status  func(id int64, status string) any // for JSON, where no more is known
}

func transcriptions(c *ambient.Client) kind[*ambient.Transcription] {
	s := c.Transcriptions
	return kind[*ambient.Transcription]{
		name: transcription, get: s.Get, wait: s.Wait, waitAll: s.WaitAll,
		id:   func(t *ambient.Transcription) int64 { return t.ID },
		text: func(t *ambient.Transcription) string { return t.RawText },
		status: func(id int64, status string) any {
			return map[string]any{"id": id, "task_status": status}
		},
	}
}

func scribes(c *ambient.Client) kind[*ambient.Scribe] {
	s := c.Scribes
	return kind[*ambient.Scribe]{
		name: scribe, get: s.Get, wait: s.Wait, waitAll: s.WaitAll,
		id:   func(s *ambient.Scribe) int64 { return s.ID },
		text: noteText,
		status: func(id int64, status string) any {
			return map[string]any{"scribe_id": id, "status": status}
		},
	}
}

// noteText is the fields that came with a completed note. The vendor has not
// published their names.
func noteText(s *ambient.Scribe) string {
	if !s.Done() || s.Err() != nil {
		return ""
	}
	fields := s.Extra
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	return indented(fields)
}

// settle waits for a job that this command has submitted, and writes its result.
func settle[T job](ctx context.Context, a *app, k kind[T], out *results, id int64) error {
	job, err := waitNew(ctx, a, k, id)
	a.reporter.stop()
	if err := writeJob(ctx, k, out, id, job, err); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return lost(err, k.name, id)
	}
	return jobFailure(ctx, k.name, id, err, true)
}

// newJob is how long the service may not know a job that it has just taken.
const newJob = 10 * time.Second

// waitNew waits for a job, also while the service does not know it yet.
func waitNew[T job](ctx context.Context, a *app, k kind[T], id int64) (T, error) {
	begun := time.Now()
	for {
		job, err := k.wait(ctx, id, a.onPoll(k.name))
		if _, ok := errors.AsType[*ambient.NotFoundError](err); !ok || time.Since(begun) > newJob {
			return job, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// writeJob writes what is known of a job, err being that of its wait.
func writeJob[T job](ctx context.Context, k kind[T], out *results, id int64, job T, err error) error {
	text, v := "", any(job)
	if hasJob(err) {
		text = k.text(job)
	} else {
		wait, _ := errors.AsType[*ambient.WaitError](err)
		if wait == nil {
			return nil
		}
		v = k.status(id, wait.LastStatus)
	}
	if err := out.write(fmt.Sprintf("%s %d", k.name, id), text, v); err != nil {
		return lost(err, k.name, id)
	}
	return nil
}

// hasJob reports whether the job comes with the error of its wait, since it has
// ended, well or badly.
func hasJob(err error) bool {
	if err == nil {
		return true
	}
	_, partial := errors.AsType[*ambient.TranscriptionIncompleteError](err)
	return partial || jobFailed(err)
}

func jobFailed(err error) bool {
	_, transcription := errors.AsType[*ambient.TranscriptionFailedError](err)
	_, scribe := errors.AsType[*ambient.ScribeFailedError](err)
	return transcription || scribe
}

// jobFailure explains the error of a wait. If this command has submitted the job,
// every error but the job's own means that the wait ended and the job goes on.
func jobFailure(ctx context.Context, kind string, id int64, err error, submitted bool) error {
	job := fmt.Sprintf("%s %d", kind, id)
	resume := fmt.Sprintf("ambient wait %s %d", kind, id)
	_, missing := errors.AsType[*ambient.NotFoundError](err)
	switch {
	case err == nil:
		return nil
	case jobFailed(err):
		return &failure{exitJobFailed, fmt.Sprintf("%s failed; ambient get %s %d --json shows what the service says of it", job, kind, id), err}
	case hasJob(err):
		return &failure{exitPartial, job + " is partial: the recording was not understood to its end", err}
	case interrupted(ctx):
		return &failure{exitInterrupted, "interrupted: " + job + " goes on; resume with: " + resume, err}
	case missing && !submitted:
		return &failure{exitOther, "there is no " + job + " in this account: check the id and the account", err}
	case isCredentials(err) && !submitted:
		return &failure{exitCredentials, plainText(err) + "; " + credentialsRemedy, err}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{exitWaitEnded, "the time of --timeout is over: " + job + " goes on; resume with: " + resume, err}
	}
	return &failure{exitWaitEnded, fmt.Sprintf("%s; the job goes on; resume with: %s", plainText(err), resume), err}
}
