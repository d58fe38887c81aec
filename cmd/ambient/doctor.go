package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	ambient "github.com/ambient-scribe/ambient-go"
)

// A check is one line of the doctor's report.
type check struct {
	Check string `json:"check"`
	State string `json:"state"` // one of the four below
	Text  string `json:"text"`
	code  int    // of the exit, where it failed
}

const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateFailed  = "failed"
	stateSkipped = "skipped"
)

type doctor struct {
	*app
	transcription int64
	scribe        int64
	transport     *recordingTransport
	checks        []check
}

func (a *app) doctorCommand() *cobra.Command {
	c := &doctor{app: a}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the way to the API: network, certificates, clock, account",
		Long: `Check the way to the API and print what was found. The report can be pasted into
a ticket: it has no password, token or patient data, and of answers the names of
headers, fields and states only. Nothing is submitted. With --transcription or
--scribe it looks at a finished job, for the names that the vendor has not
documented.`,
		Args: exactly(0, "doctor takes no arguments"),
		RunE: runner(c.run),
	}
	cmd.Flags().Int64Var(&c.transcription, "transcription", 0, "look at this transcription's fields and state (`ID`)")
	cmd.Flags().Int64Var(&c.scribe, "scribe", 0, "look at this scribe's fields and state (`ID`)")
	a.addClientFlags(cmd)
	return cmd
}

func (c *doctor) run(ctx context.Context, _ []string) error {
	address := c.getenv("AMBIENT_BASE_URL")
	if address == "" {
		address = ambient.DefaultBaseURL
	}
	c.transport = newRecordingTransport(http.DefaultTransport)
	c.add("version", stateOK, "%s", versionText())
	c.checkFIPS()
	if c.checkAddress(address) {
		c.checkProxy(ctx, address)
		c.checkNames(ctx, address)
		if c.checkConnection(ctx, address) {
			c.checkAccount(ctx)
		}
	}
	return c.report()
}

func (c *doctor) add(name, state, format string, args ...any) {
	code := exitDone
	if state == stateFailed {
		code = exitOther
	}
	c.checks = append(c.checks, check{name, state, fmt.Sprintf(format, args...), code})
}

// report prints the checks, and fails if one of them did.
func (c *doctor) report() error {
	var text strings.Builder
	code, failed := exitDone, 0
	for _, k := range c.checks {
		fmt.Fprintf(&text, "%-8s %-8s %s\n", k.State, k.Check, wrap(k.Text, 62, 18))
		if k.code != exitDone {
			code = max(code, k.code)
			failed++
		}
	}
	if err := c.print(text.String(), map[string]any{"checks": c.checks}); err != nil {
		return err
	}
	if failed > 0 {
		return failuref(code, "%d of %d checks failed: see what they say", failed, len(c.checks))
	}
	return nil
}

// wrap breaks a text into lines, the second and later ones indented.
func wrap(s string, columns, indent int) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(s) {
		if i > 0 && width+1+len(word) > columns {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			width = 0
		} else if i > 0 {
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}
