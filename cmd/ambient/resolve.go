package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/pipeline"
)

type resolve struct {
	*app
	out      string
	adopt    int64
	resubmit bool
	drop     bool
}

func (a *app) resolveCommand() *cobra.Command {
	c := &resolve{app: a}
	cmd := &cobra.Command{
		Use:   "resolve KEY [DIR] --adopt ID | --resubmit | --drop",
		Short: "Decide on a recording that may have been submitted",
		Long: `Decide on a recording whose state is unknown, since the service may have it.
KEY is what ambient status lists. DIR is the directory of the batch or watch,
which may be at work meanwhile. Without DIR and --out the visit is one of the
fleet's database in DATABASE_URL.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: runner(c.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&c.out, "out", "", "the `directory` with the database, if batch or watch had --out")
	flags.Int64Var(&c.adopt, "adopt", 0, "go on with the job that the vendor's support found (`ID`)")
	flags.BoolVar(&c.resubmit, "resubmit", false, "submit it again, since the vendor does not have it")
	flags.BoolVar(&c.drop, "drop", false, "give it up")
	cmd.MarkFlagsOneRequired("adopt", "resubmit", "drop")
	cmd.MarkFlagsMutuallyExclusive("adopt", "resubmit", "drop")
	return cmd
}

func (c *resolve) run(ctx context.Context, args []string) error {
	dir := ""
	if len(args) > 1 {
		dir = args[1]
	}
	d := pipeline.Decision{Adopt: c.adopt, Resubmit: c.resubmit, Drop: c.drop}
	if d == (pipeline.Decision{}) || d.Adopt < 0 {
		return usagef("--adopt takes the id of a job, and one of --adopt, --resubmit and --drop is needed")
	}
	p, err := c.openEither(ctx, dir, c.out)
	if err != nil {
		return err
	}
	defer p.Close()
	key, err := findKey(ctx, p, args[0])
	if err != nil {
		return err
	}
	if err := p.Resolve(ctx, key, d); err != nil {
		return failuref(exitOther, "%s", strings.TrimPrefix(plainText(err), "pipeline: "))
	}
	return c.print("resolved; batch, watch or worker goes on with it", map[string]string{"key": key})
}

// findKey finds the one visit whose key begins so.
func findKey(ctx context.Context, p *pipeline.Pipeline, prefix string) (string, error) {
	found := ""
	for s, err := range p.Visits(ctx) {
		switch {
		case err != nil:
			return "", databaseFailure(err)
		case s.Key == prefix:
			return s.Key, nil
		case !strings.HasPrefix(s.Key, prefix) || prefix == "":
		case found != "" && needsPerson(s):
			return "", failuref(exitOther, "more than one recording has a key that begins so: give more of it")
		case found == "" || needsPerson(s):
			found = s.Key
		}
	}
	if found == "" {
		return "", failuref(exitOther, "there is no such key: ambient status lists those that need a decision")
	}
	return found, nil
}
