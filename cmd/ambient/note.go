package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

const maxTranscript = 16 << 20 // bytes; a visit of three hours has less than one MiB

type note struct {
	*app
	templates     []int64
	audio         []string
	transcripts   []string
	transcription int64
	output        string
	visit         string
	noWait        bool
	timeout       time.Duration
}

func (a *app) noteCommand() *cobra.Command {
	c := &note{app: a}
	cmd := &cobra.Command{
		Use:   "note --template ID... (--audio FILE... | --transcript FILE... | --transcription ID)",
		Short: "Have a clinical note written of recordings, transcripts or a transcription",
		Long: `Have a clinical note written and print it: the fields that the API gives it, as
JSON to be read or, with --json, the whole object on one line. The parts of a
visit are given in their order: --audio part1.mp3 part2.mp3. - is stdin.`,
		Args: cobra.ArbitraryArgs,
		RunE: runner(c.run),
	}
	flags := cmd.Flags()
	flags.Int64SliceVar(&c.templates, "template", nil, "write the note by this template of the account (`ID`); may be repeated")
	flags.StringArrayVar(&c.audio, "audio", nil, "write it of this recording (`FILE`); may be repeated")
	flags.StringArrayVar(&c.transcripts, "transcript", nil, "write it of this text (`FILE`); may be repeated")
	flags.Int64Var(&c.transcription, "transcription", 0, "write it of the transcription with this `ID`")
	cmd.MarkFlagsMutuallyExclusive("audio", "transcript", "transcription")
	a.addClientFlags(cmd)
	a.addFakeFlag(cmd)
	addOutputFlag(cmd, &c.output)
	addVisitFlag(cmd, &c.visit)
	addTimeoutFlag(cmd, &c.timeout)
	addNoWaitFlag(cmd, &c.noWait)
	return cmd
}

func (c *note) run(ctx context.Context, more []string) error {
	if err := c.check(more); err != nil {
		return err
	}
	out, err := c.openResults(c.output)
	if err != nil {
		return err
	}
	defer out.discard()
	request, err := c.request(ctx)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(ctx, c.timeout)
	defer cancel()
	if c.transcription != 0 {
		if request.Transcripts, err = c.transcriptOf(ctx, client); err != nil {
			return err
		}
	}
	receipt, err := client.Scribes.Create(ctx, request, c.uploading())
	c.reporter.stop()
	if err != nil {
		return err
	}
	if c.noWait {
		return c.printReceipt(out, scribe, receipt.ID, receipt, receipt.PossibleDuplicate())
	}
	c.taken(scribe, receipt.ID, receipt.PossibleDuplicate())
	return settle(ctx, c.app, scribes(client), out, receipt.ID)
}

// check sees to it that the flags make a request. Files after the first belong
// to the flag before them, so that a shell's pattern may follow one.
func (c *note) check(more []string) error {
	switch {
	case len(c.audio) > 0:
		c.audio = append(c.audio, more...)
	case len(c.transcripts) > 0:
		c.transcripts = append(c.transcripts, more...)
	case len(more) > 0:
		return usagef("give recordings with --audio, texts with --transcript; see ambient note --help")
	case c.transcription == 0:
		return usagef("a note needs --audio FILE, --transcript FILE or --transcription ID; see ambient note --help")
	}
	if len(c.templates) == 0 {
		return usagef("a note needs --template ID, a template of the account; see ambient note --help")
	}
	for _, id := range append([]int64{max(c.transcription, 1)}, c.templates...) {
		if id < 1 {
			return usagef("the ids of templates and transcriptions are whole numbers above 0")
		}
	}
	return nil
}

func (c *note) request(ctx context.Context) (*ambient.ScribeRequest, error) {
	visit, err := readVisit(c.visit)
	if err != nil {
		return nil, err
	}
	audio, err := c.recordings(ctx, c.audio)
	if err != nil {
		return nil, err
	}
	r := &ambient.ScribeRequest{
		TemplateIDs: c.templates, Audio: audio,
		PatientName: visit.PatientName, DateOfService: visit.DateOfService, AdditionalContext: visit.context(),
	}
	for i, path := range c.transcripts {
		text, err := c.readTranscript(path, ordinal("transcript", i, len(c.transcripts)))
		if err != nil {
			return nil, err
		}
		r.Transcripts = append(r.Transcripts, text)
	}
	return r, nil
}

// ordinal names a thing by its number, where there are more.
func ordinal(what string, i, n int) string {
	if n == 1 {
		return "the " + what
	}
	return fmt.Sprintf("%s %d", what, i+1)
}

// readTranscript reads a text from the file at path, or from stdin for "-". name
// is what messages call it.
func (c *note) readTranscript(path, name string) (string, error) {
	var r io.Reader
	if path == "-" {
		if err := c.useStdin(name); err != nil {
			return "", err
		}
		r = c.stdin
	} else {
		if _, err := statInput(path, name); err != nil {
			return "", err
		}
		f, err := os.Open(path)
		if err != nil {
			return "", failuref(exitOther, "%s cannot be read: %s", name, reason(err))
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxTranscript+1))
	text := strings.TrimPrefix(string(b), "\ufeff")
	switch {
	case err != nil:
		return "", failuref(exitOther, "%s cannot be read: %s", name, reason(err))
	case len(b) > maxTranscript:
		return "", failuref(exitOther, "%s is larger than 16 MiB: that is no transcript of a visit", name)
	case strings.TrimSpace(text) == "":
		return "", failuref(exitOther, "%s is empty: check what is written there", name)
	case !utf8.ValidString(text):
		return "", failuref(exitOther, "%s is no text in UTF-8: convert it, or give a recording with --audio", name)
	}
	return text, nil
}

// transcriptOf waits for the transcription that the note is to be written of.
func (c *note) transcriptOf(ctx context.Context, client *ambient.Client) ([]string, error) {
	t, err := client.Transcriptions.Wait(ctx, c.transcription, c.onPoll(transcription))
	c.reporter.stop()
	if _, ok := errors.AsType[*ambient.TranscriptionIncompleteError](err); ok {
		return nil, &failure{exitPartial, fmt.Sprintf(
			"the transcription is partial, and no note was asked for; to have one of it: ambient get transcription %d | ambient note --transcript - ...", c.transcription), err}
	}
	if err := jobFailure(ctx, transcription, c.transcription, err, false); err != nil {
		return nil, err
	}
	if t.RawText == "" {
		return nil, failuref(exitOther, "the transcription has no text to write a note of")
	}
	return []string{t.RawText}, nil
}
