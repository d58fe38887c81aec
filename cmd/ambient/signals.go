package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// An interruption is the signal that ended the command.
type interruption struct{ os.Signal }

func (i interruption) Error() string { return "interrupted" }

// untilSignal returns a context that the first Ctrl-C, SIGTERM or hang-up ends,
// with an interruption as its cause. The second one ends the process.
//
// SIGPIPE is ignored, so that a write to a closed stdout is an error and the job's
// id can still be printed.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interruption{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// terminated reports whether that signal was SIGTERM.
func terminated(ctx context.Context) bool {
	i, ok := errors.AsType[interruption](context.Cause(ctx))
	return ok && i.Signal == syscall.SIGTERM
}

// interrupted reports whether a signal ended the context.
func interrupted(ctx context.Context) bool {
	_, ok := errors.AsType[interruption](context.Cause(ctx))
	return ok
}
