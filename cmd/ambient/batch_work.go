package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// work runs the pipeline until step is done or fails, or ctx ends. step is called
// every half second.
func (b *batch) work(ctx context.Context, step func(context.Context) (done bool, err error)) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- b.pipeline.Run(run, batchGrace) }()
	b.begun = time.Now()
	if b.columns == 0 {
		b.reported = b.begun
	}
	tick := time.NewTicker(batchTick)
	defer tick.Stop()
	var failed error
	for run.Err() == nil {
		select {
		case err := <-ended:
			if err != nil {
				return databaseFailure(err)
			}
			return b.stopped(ctx)
		case <-tick.C:
		}
		b.showCounts(ctx)
		done, err := step(ctx)
		if done || err != nil {
			failed = err
			stop()
		}
	}
	if err := <-ended; err != nil {
		return databaseFailure(err)
	}
	b.reporter.stop()
	if ctx.Err() != nil {
		return b.stopped(ctx)
	}
	return failed
}

// stopped is the end of a command that was stopped. A service manager stops a
// command that runs for ever with SIGTERM, which is no failure.
func (b *batch) stopped(ctx context.Context) error {
	b.reporter.stop()
	switch {
	case !interrupted(ctx):
		return ctx.Err()
	case b.forever && terminated(ctx):
		return nil
	}
	return failuref(exitInterrupted, "interrupted: the same command goes on where this one stopped")
}

// finished reports whether nothing goes on by itself any more.
func (b *batch) finished(ctx context.Context) (bool, error) {
	if err := b.unwritten.Load(); err != nil {
		return false, failuref(exitOther, "%s; make room there and run the same command again, which goes on", undeliverable(*err))
	}
	if err := b.log.databaseFailed(); err != nil {
		return false, err
	}
	for range b.pipeline.Visits(ctx, pipeline.Todo, pipeline.Sent, pipeline.Waiting) {
		return false, nil // also where the database is away for a moment
	}
	return true, nil
}

// refusedTemplate ends a batch whose templates the service refuses, before it has
// made transcripts of all recordings for nothing. Refusals of earlier runs do not
// count.
func (b *batch) refusedTemplate(ctx context.Context) error {
	if b.delivered.Load() > 0 {
		return nil
	}
	refused := 0
	for s, err := range b.pipeline.Visits(ctx, pipeline.Failed) {
		if err != nil {
			return nil
		}
		if s.Stage == noteStage && strings.HasPrefix(s.Reason, "refused-4") && b.known[s.Key].State != pipeline.Failed {
			refused++
		}
	}
	if refused < 3 {
		return nil
	}
	return failuref(exitOther, "the service refuses the notes of the first %d recordings: check --template, and run the command again with --retry", refused)
}

const noteStage = "note" // of the pipeline

func (b *batch) isOurs(key string) bool {
	_, ok := b.book.find(key)
	return ok
}

// count counts the visits of the database, and what was left out. A failed one
// counts while its recording is there.
func (b *batch) count(ctx context.Context) (counts, error) {
	c := counts{LeftOut: len(b.leftOut), Done: b.before, Recordings: len(b.leftOut) + b.before}
	known, err := b.states(ctx)
	if err != nil {
		return c, err
	}
	for key, s := range known {
		if s.State == pipeline.Failed && !b.isOurs(key) {
			continue
		}
		c.add(s)
	}
	return c, nil
}

// showCounts shows how far the batch is: on a terminal every two seconds, else in
// a line a minute.
func (b *batch) showCounts(ctx context.Context) {
	every := reportEvery
	if b.columns > 0 {
		every = redrawCounts
	}
	if time.Since(b.reported) < every {
		return
	}
	c, err := b.count(ctx)
	if err != nil {
		return
	}
	text := fmt.Sprintf("%v%s", c, timeLeft(int(b.delivered.Load()), c.Unfinished, time.Since(b.begun)))
	b.reported = time.Now()
	if b.columns == 0 && text != b.lastReport {
		b.lastReport = text
		b.note("%s", text)
	}
	if b.columns == 0 {
		return
	}
	b.show(func() string { return text })
}

// settledNow separates the recordings that do not change from those that do. One
// whose last change is long ago needs no second look.
func settledNow(ctx context.Context, dir string, listing folder.Listing, settle time.Duration) (settled, growing []folder.Recording, err error) {
	var young []folder.Recording
	for _, r := range listing.Recordings {
		if age := time.Since(r.Modified); age >= settle {
			settled = append(settled, r)
		} else {
			young = append(young, r)
		}
	}
	if len(young) == 0 {
		return settled, nil, nil
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	for _, r := range young {
		if r.Unchanged(dir) == nil {
			settled = append(settled, r)
		} else {
			growing = append(growing, r)
		}
	}
	return settled, growing, nil
}
