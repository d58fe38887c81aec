package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

type transcribe struct {
	*app
	output  string
	visit   string
	noWait  bool
	timeout time.Duration
}

func (a *app) transcribeCommand() *cobra.Command {
	c := &transcribe{app: a}
	cmd := &cobra.Command{
		Use:   "transcribe FILE|-",
		Short: "Upload a recording and print its transcript",
		Long: `Upload a recording and print its transcript: as text or, with --json, as the
object of the API. - is stdin. The recording may not have changed for two
seconds, so that none is sent while it is being written.`,
		Args: exactly(1, "transcribe takes one recording, or - for stdin"),
		RunE: runner(func(ctx context.Context, args []string) error { return c.run(ctx, args[0]) }),
	}
	a.addClientFlags(cmd)
	a.addFakeFlag(cmd)
	addOutputFlag(cmd, &c.output)
	addVisitFlag(cmd, &c.visit)
	addTimeoutFlag(cmd, &c.timeout)
	addNoWaitFlag(cmd, &c.noWait)
	return cmd
}

func addNoWaitFlag(cmd *cobra.Command, b *bool) {
	cmd.Flags().BoolVar(b, "no-wait", false, "print the job's id and do not wait for it")
}

func (c *transcribe) run(ctx context.Context, path string) error {
	out, err := c.openResults(c.output)
	if err != nil {
		return err
	}
	defer out.discard()
	visit, err := readVisit(c.visit)
	if err != nil {
		return err
	}
	audio, err := c.recording(ctx, path, "the recording")
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, c.timeout)
	defer cancel()
	receipt, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{
		Audio: audio, PatientName: visit.PatientName, DateOfService: visit.DateOfService, AdditionalContext: visit.context(),
	}, c.uploading())
	c.reporter.stop()
	if err != nil {
		return err
	}
	if c.noWait {
		return c.printReceipt(out, transcription, receipt.ID, receipt, receipt.PossibleDuplicate())
	}
	c.taken(transcription, receipt.ID, receipt.PossibleDuplicate())
	return settle(ctx, c.app, transcriptions(client), out, receipt.ID)
}

// taken says that the service has a job.
func (a *app) taken(kind string, id int64, duplicate bool) {
	a.note("submitted: %s %d", kind, id)
	if duplicate {
		a.warn("the service may have this visit twice: ask the vendor's support about %s %d", kind, id)
	}
}

// printReceipt is the end of a command with --no-wait.
func (a *app) printReceipt(out *results, kind string, id int64, receipt any, duplicate bool) error {
	a.taken(kind, id, duplicate)
	if err := out.write("", strconv.FormatInt(id, 10), receipt); err != nil {
		return lost(err, kind, id)
	}
	if err := out.commit(); err != nil {
		return lost(err, kind, id)
	}
	return nil
}
