package main

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

// oldNoteTime is how long the service may go on showing the note that a
// regenerate replaces.
const oldNoteTime = 30 * time.Second

type regenerate struct {
	*app
	audio   []string
	output  string
	noWait  bool
	timeout time.Duration
}

func (a *app) regenerateCommand() *cobra.Command {
	c := &regenerate{app: a}
	cmd := &cobra.Command{
		Use:   "regenerate ID --audio FILE...",
		Short: "Have the note of a scribe written again from other recordings",
		Long: `Have the note of an existing scribe written again from other recordings, under
the same id, and print it. The note that was there is replaced at the service.`,
		Args: cobra.MinimumNArgs(1),
		RunE: runner(c.run),
	}
	cmd.Flags().StringArrayVar(&c.audio, "audio", nil, "write it of this recording (`FILE`); may be repeated")
	a.addClientFlags(cmd)
	addOutputFlag(cmd, &c.output)
	addTimeoutFlag(cmd, &c.timeout)
	addNoWaitFlag(cmd, &c.noWait)
	return cmd
}

func (c *regenerate) run(ctx context.Context, args []string) error {
	id, err := parseID(args[0])
	if err != nil {
		return err
	}
	if len(c.audio) == 0 {
		return usagef("regenerate needs the recordings: ambient regenerate ID --audio FILE...")
	}
	out, err := c.openResults(c.output)
	if err != nil {
		return err
	}
	defer out.discard()
	audio, err := c.recordings(ctx, append(c.audio, args[1:]...))
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, c.timeout)
	defer cancel()
	old, err := client.Scribes.Get(ctx, id)
	if err != nil {
		return err
	}
	receipt, err := client.Scribes.RegenerateFromAudio(ctx, id, audio, c.uploading())
	c.reporter.stop()
	if err != nil {
		return err
	}
	if c.noWait {
		return c.printReceipt(out, scribe, id, receipt, receipt.PossibleDuplicate())
	}
	c.taken(scribe, id, receipt.PossibleDuplicate())
	if err := takenUp(ctx, client.Scribes, old); err != nil {
		return err
	}
	return settle(ctx, c.app, scribes(client), out, id)
}

// takenUp waits until the service shows something else than the old note, which
// it may do for a while after it has taken the request.
func takenUp(ctx context.Context, s *ambient.ScribesService, old *ambient.Scribe) error {
	for begun := time.Now(); time.Since(begun) < oldNoteTime; {
		now, err := s.Get(ctx, old.ID)
		if err == nil && (!now.Done() || !sameNote(now, old)) {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return jobFailure(ctx, scribe, old.ID, ctx.Err(), true)
		}
	}
	return failuref(exitWaitEnded, "the service still shows the old note of scribe %d; look again later with: ambient get scribe %d", old.ID, old.ID)
}

func sameNote(a, b *ambient.Scribe) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
