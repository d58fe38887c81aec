package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const shortKey = 8 // characters of a key that are enough for resolve

type status struct {
	*app
	out string
	all bool
}

// A row is one visit.
type row struct {
	Key             string     `json:"key,omitempty"`
	Recording       string     `json:"recording,omitempty"`
	State           string     `json:"state"`
	Stage           string     `json:"stage,omitempty"`
	TranscriptionID int64      `json:"transcription_id,omitempty"`
	ScribeID        int64      `json:"scribe_id,omitempty"`
	Submitted       *time.Time `json:"submitted,omitempty"`
	Reason          string     `json:"reason,omitempty"`
	asks            bool       // needs a person
}

func (a *app) statusCommand() *cobra.Command {
	c := &status{app: a}
	cmd := &cobra.Command{
		Use:   "status [DIR]",
		Short: "List what a batch, a watch or a fleet has to do, and what needs a person",
		Long: `List how far a batch or watch is and which recordings need a person, with their
names; or, without DIR and --out, the visits of the fleet's database in
DATABASE_URL. With --all and with --json every recording is listed.

An unknown recording may have been submitted. Ask the vendor's support for it,
by the time of its submit, and then use ambient resolve.`,
		Args: cobra.MaximumNArgs(1),
		RunE: runner(c.run),
	}
	cmd.Flags().StringVar(&c.out, "out", "", "the `directory` with the database, if batch or watch had --out")
	cmd.Flags().BoolVar(&c.all, "all", false, "list every recording")
	return cmd
}

func (c *status) run(ctx context.Context, args []string) error {
	dir := ""
	if len(args) > 0 {
		dir = args[0]
	}
	p, err := c.openEither(ctx, dir, c.out)
	if err != nil {
		return err
	}
	defer p.Close()
	rows, sum, err := listVisits(ctx, p, dir)
	if err != nil {
		return err
	}
	if c.json {
		return c.printRows(rows)
	}
	text := sum.String() + "\n"
	for _, r := range rows {
		if c.all || r.asks {
			text += r.String()
		}
	}
	return c.print(text, nil)
}

func (c *status) printRows(rows []row) error {
	out := &results{w: c.stdout, json: true}
	for _, r := range rows {
		if err := out.write("", "", r); err != nil {
			return failuref(exitOther, "the result could not be written: %s", reason(err))
		}
	}
	return nil
}

// listVisits lists the visits of a database, and what of dir cannot be sent.
func listVisits(ctx context.Context, p *pipeline.Pipeline, dir string) ([]row, counts, error) {
	var c counts
	known := states{}
	for s, err := range p.Visits(ctx) {
		if err != nil {
			return nil, c, databaseFailure(err)
		}
		known[s.Key] = s
	}
	names, rows, err := namesIn(dir, known)
	if err != nil {
		return nil, c, err
	}
	c.LeftOut, c.Recordings = len(rows), len(rows)
	for key, s := range known {
		name := names[key]
		if dir != "" && name == "" && s.State == pipeline.Failed {
			continue // its recording is gone, or was sent again
		}
		c.add(s)
		rows = append(rows, newRow(s, name))
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Recording+a.Key, b.Recording+b.Key) })
	return rows, c, nil
}

func newRow(s pipeline.Status, name string) row {
	r := row{
		Key: s.Key, Recording: name, State: string(s.State), Stage: s.Stage,
		TranscriptionID: s.TranscriptID, ScribeID: s.NoteID, Reason: s.Reason, asks: needsPerson(s),
	}
	if !s.Submitted.IsZero() {
		r.Submitted = &s.Submitted
	}
	return r
}

// namesIn finds the recordings of a directory that are in the database, by key,
// and lists those that are not.
func namesIn(dir string, known states) (names map[string]string, left []row, err error) {
	names = map[string]string{}
	if dir == "" {
		return names, nil, nil
	}
	listing, err := folder.List(dir)
	if err != nil {
		return nil, nil, failuref(exitOther, "the directory cannot be read: %s", reason(err))
	}
	for _, name := range listing.Empty {
		left = append(left, row{Recording: name, State: "left out", Reason: "is empty", asks: true})
	}
	for _, r := range listing.Recordings {
		key, err := r.Key(dir)
		if err == nil {
			_, err = besideVisit(dir, r.Name)
		}
		switch current := known.current(key); {
		case err != nil:
			left = append(left, row{Recording: r.Name, State: "left out", Reason: leftOutText(err), asks: true})
		case known[current].Key == "":
			left = append(left, row{Recording: r.Name, State: "new"})
		default:
			names[current] = r.Name
		}
	}
	return names, left, nil
}

// String is the lines of a visit.
func (r row) String() string {
	var b strings.Builder
	key := r.Key
	if r.Recording != "" { // a digest
		key = key[:min(len(key), shortKey)]
	}
	fmt.Fprintf(&b, "\n%-8s  %-8s  %-10s  %s", key, r.State, r.Stage, r.Reason)
	if r.Submitted != nil {
		fmt.Fprintf(&b, "\n          submitted %s", r.Submitted.UTC().Format(time.RFC3339))
	}
	if r.TranscriptionID != 0 {
		fmt.Fprintf(&b, "\n          transcription %d", r.TranscriptionID)
	}
	if r.ScribeID != 0 {
		fmt.Fprintf(&b, "\n          scribe %d", r.ScribeID)
	}
	if r.Recording != "" {
		fmt.Fprintf(&b, "\n          %s", printable(r.Recording))
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}
