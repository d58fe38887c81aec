package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) batchCommand() *cobra.Command {
	b := &batch{app: a}
	cmd := &cobra.Command{
		Use:   "batch DIR --template ID...",
		Short: "Make transcripts and notes of all recordings in a directory",
		Long: `Make transcripts and notes of all recordings in a directory, those in
directories below it left out. Started again it goes on, also after a crash or a
loss of power: no recording is submitted twice unnoticed.

For visit.mp3 it writes visit.mp3.transcript.txt and visit.mp3.note.json to the
directory of --out, and keeps its state there in ambient-batch.db, which has no
name in it. A file visit.mp3.visit.json beside the recording has the patient's
data, as that of --visit. What needs a person is listed by ambient status.`,
		Args: exactly(1, "batch takes one directory"),
		RunE: runner(func(ctx context.Context, args []string) error { return b.run(ctx, args[0]) }),
	}
	b.addFlags(cmd, settleTime)
	cmd.Flags().BoolVar(&b.retry, "retry", false, "send those again that failed")
	return cmd
}

// run makes one pass over the directory.
func (b *batch) run(ctx context.Context, dir string) error {
	if err := b.open(ctx, dir); err != nil {
		return err
	}
	defer b.close()
	if err := b.take(ctx); err != nil {
		return err
	}
	err := b.work(ctx, func(ctx context.Context) (done bool, err error) {
		if err := b.refusedTemplate(ctx); err != nil {
			return false, err
		}
		return b.finished(ctx)
	})
	if err != nil {
		return err
	}
	return b.end(ctx)
}

// take adds the recordings that are there, once they do not change any more.
func (b *batch) take(ctx context.Context) error {
	listing, err := b.list()
	if err != nil {
		return err
	}
	settled, growing, err := settledNow(ctx, b.dir, listing, b.settle)
	if err != nil {
		return err
	}
	for _, r := range growing {
		b.leaveOut(r.Name, "is still being written")
	}
	for _, name := range listing.Empty {
		b.leaveOut(name, "is empty")
	}
	b.note("%s in the directory", plural(len(listing.Recordings)+len(listing.Empty), "recording"))
	return b.add(ctx, settled)
}

// end prints the counts, and fails if a person has to look.
func (b *batch) end(ctx context.Context) error {
	c, err := b.count(ctx)
	if err != nil {
		return err
	}
	if err := b.print(c.String(), c); err != nil {
		return err
	}
	if n := c.Unknown + c.Failed + c.LeftOut; n > 0 {
		return failuref(exitNeedsPerson, "%s %s a person: see ambient status", plural(n, "recording"), verb(n))
	}
	return nil
}

func verb(n int) string {
	if n == 1 {
		return "needs"
	}
	return "need"
}

// addFlags adds the flags of batch and watch.
func (b *batch) addFlags(cmd *cobra.Command, settle time.Duration) {
	flags := cmd.Flags()
	flags.Int64SliceVar(&b.templates, "template", nil, "write the notes by this template of the account (`ID`); may be repeated")
	flags.StringVar(&b.out, "out", "", "write results and database to this `directory`; default DIR")
	flags.DurationVar(&b.settle, "settle", settle, "take a recording once it has not changed for this `time`")
	flags.IntVar(&b.parallel, "parallel", 4, "upload this `number` of recordings at a time")
	b.addClientFlags(cmd)
	b.addFakeFlag(cmd)
}
