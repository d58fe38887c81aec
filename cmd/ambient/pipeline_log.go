package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	repeatLog    = time.Minute
	databaseGone = 5 * time.Second // after which a batch ends
)

// A pipelineLog prints the warnings of the pipeline as lines, each once a minute.
type pipelineLog struct {
	a *app

	mu      sync.Mutex
	printed map[string]time.Time // by message
	first   time.Time            // of a row of failures of the database
	last    time.Time
	problem string
}

func newPipelineLog(a *app) *pipelineLog { return &pipelineLog{a: a, printed: map[string]time.Time{}} }

func (l *pipelineLog) logger() *slog.Logger { return slog.New(l) }

func (l *pipelineLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (l *pipelineLog) Handle(_ context.Context, r slog.Record) error {
	text := strings.TrimPrefix(r.Message, "pipeline: ")
	r.Attrs(func(attr slog.Attr) bool {
		text += fmt.Sprintf(", %s: %s", attr.Key, attr.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(text, "the database failed") {
		if r.Time.Sub(l.last) > databaseGone {
			l.first = r.Time
		}
		l.last, l.problem = r.Time, text
	}
	if r.Time.Sub(l.printed[r.Message]) < repeatLog {
		return nil
	}
	l.printed[r.Message] = r.Time
	l.a.warn("%s", printableLines(text))
	return nil
}

func (l *pipelineLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *pipelineLog) WithGroup(string) slog.Handler      { return l }

// databaseFailed fails if the database has failed for a while.
func (l *pipelineLog) databaseFailed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.Sub(l.first) < databaseGone {
		return nil
	}
	return failuref(exitOther, "%s; make room in --out and run the same command again, which goes on", printableLines(l.problem))
}
