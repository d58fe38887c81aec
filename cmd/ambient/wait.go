package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

type wait struct {
	*app
	output  string
	timeout time.Duration
}

func (a *app) waitCommand() *cobra.Command {
	c := &wait{app: a}
	cmd := &cobra.Command{
		Use:   "wait transcription|scribe ID...",
		Short: "Wait for jobs, and print each result as it comes",
		Long: `Wait for jobs and print each result as it comes. Of several jobs each text has a
heading, "== transcription 101". The exit code is that of the job that ended
worst.`,
		Args: kindAndIDs(0, "wait takes a kind and ids: ambient wait transcription|scribe ID..."),
		RunE: runner(c.run),
	}
	a.addClientFlags(cmd)
	addOutputFlag(cmd, &c.output)
	addTimeoutFlag(cmd, &c.timeout)
	return cmd
}

func (c *wait) run(ctx context.Context, args []string) error {
	ids := make([]int64, len(args)-1)
	for i, arg := range args[1:] {
		var err error
		if ids[i], err = parseID(arg); err != nil {
			return err
		}
	}
	out, err := c.openResults(c.output)
	if err != nil {
		return err
	}
	defer out.discard()
	out.many = len(ids) > 1
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, c.timeout)
	defer cancel()
	if args[0] == scribe {
		return waitAll(ctx, c.app, scribes(client), out, ids)
	}
	return waitAll(ctx, c.app, transcriptions(client), out, ids)
}

// waitAll writes what becomes of each job. Its error is that of the worst.
func waitAll[T job](ctx context.Context, a *app, k kind[T], out *results, ids []int64) error {
	var failures []*failure
	for job, err := range k.waitAll(ctx, ids, a.onPoll(k.name)) {
		id := k.id(job)
		if f, ok := errors.AsType[*failure](jobFailure(ctx, k.name, id, err, false)); ok {
			failures = append(failures, f)
		}
		if err := writeJob(ctx, k, out, id, job, err); err != nil {
			return err
		}
	}
	a.reporter.stop()
	if err := out.commit(); err != nil {
		return lost(err, k.name, ids[0])
	}
	return worst(a, failures, len(ids))
}

// worst prints the failures of several jobs and returns the worst of them.
func worst(a *app, failures []*failure, jobs int) error {
	if len(failures) == 0 {
		return nil
	}
	order := []int{exitPartial, exitJobFailed, exitWaitEnded, exitCredentials, exitOther, exitInterrupted}
	bad := slices.MaxFunc(failures, func(x, y *failure) int {
		return slices.Index(order, x.code) - slices.Index(order, y.code)
	})
	if jobs == 1 {
		return bad
	}
	for _, f := range failures {
		a.warn("%s", f.text)
	}
	return &failure{bad.code, fmt.Sprintf("%d of %d jobs have no full result; see the lines above", len(failures), jobs), bad}
}
