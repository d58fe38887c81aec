package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type get struct {
	*app
	output string
}

func (a *app) getCommand() *cobra.Command {
	c := &get{app: a}
	cmd := &cobra.Command{
		Use:   "get transcription|scribe ID",
		Short: "Look once at a job, and print its result if there is one",
		Long: `Look once at a job and print its result. The exit code tells its state, as that
of wait does: it is 6 while the job goes on.`,
		Args: kindAndIDs(1, "get takes a kind and one id: ambient get transcription|scribe ID"),
		RunE: runner(c.run),
	}
	a.addClientFlags(cmd)
	addOutputFlag(cmd, &c.output)
	return cmd
}

func (c *get) run(ctx context.Context, args []string) error {
	id, err := parseID(args[1])
	if err != nil {
		return err
	}
	out, err := c.openResults(c.output)
	if err != nil {
		return err
	}
	defer out.discard()
	client, err := c.client()
	if err != nil {
		return err
	}
	if args[0] == scribe {
		return getJob(ctx, scribes(client), out, id)
	}
	return getJob(ctx, transcriptions(client), out, id)
}

func getJob[T job](ctx context.Context, k kind[T], out *results, id int64) error {
	job, err := k.get(ctx, id)
	if err != nil {
		return err
	}
	if err := writeJob(ctx, k, out, id, job, job.Err()); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return lost(err, k.name, id)
	}
	if !job.Done() {
		return failuref(exitWaitEnded, "%s %d goes on; wait for it with: ambient wait %s %d", k.name, id, k.name, id)
	}
	return jobFailure(ctx, k.name, id, job.Err(), false)
}

// kindAndIDs lets a command have a kind of job and at least one id, or n of them.
func kindAndIDs(n int, usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < 2 || n > 0 && len(args) != n+1 || args[0] != transcription && args[0] != scribe {
			return fmt.Errorf("%s", usage)
		}
		return nil
	}
}
