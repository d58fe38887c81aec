package main

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// workerGrace is for the answers that are out when a worker is stopped.
const workerGrace = 30 * time.Second

type worker struct {
	*app
	dir       string
	out       string
	templates []int64
	parallel  int
	rate      float64
}

func (a *app) workerCommand() *cobra.Command {
	c := &worker{app: a}
	cmd := &cobra.Command{
		Use:   "worker DIR --out DIR --template ID...",
		Short: "Work on the visits of a fleet's database, beside other workers",
		Long: `Work on the visits of the database in DATABASE_URL until the command is stopped.
Any number of workers may share a PostgreSQL database. A visit comes with
ambient add KEY. Its recording is KEY.mp3, or another of the documented types,
in DIR, and its results go to --out. Keys are stored and should not name a
patient.`,
		Args: exactly(1, "worker takes the directory of the recordings"),
		RunE: runner(func(ctx context.Context, args []string) error { return c.run(ctx, args[0]) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&c.out, "out", "", "write results to this `directory`")
	flags.Int64SliceVar(&c.templates, "template", nil, "write the notes by this template of the account (`ID`); may be repeated; without one there are transcripts alone")
	flags.IntVar(&c.parallel, "parallel", 4, "upload this `number` of recordings at a time")
	flags.Float64Var(&c.rate, "rate-limit", 0, "requests a second of all workers together (`number`); 0 is no limit")
	a.addClientFlags(cmd)
	return cmd
}

func (c *worker) run(ctx context.Context, dir string) error {
	c.dir = dir
	if c.out == "" {
		return usagef("a worker needs --out DIR for its results")
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := client.Authenticate(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o700); err != nil {
		return failuref(exitOther, "the directory of --out cannot be made: %s", reason(err))
	}
	source, err := newSource(dir, c.templates, c.find)
	if err != nil {
		return failuref(exitOther, "the directory of the recordings cannot be read: %s", reason(err))
	}
	p, err := c.openFleet(ctx, pipeline.Config{
		Client: client, Source: source, Parallel: c.parallel, RateLimit: c.rate,
		Deliver: func(_ context.Context, r *pipeline.Result) error { return c.deliver(r) },
		Logger:  newPipelineLog(c.app).logger(),
	})
	if err != nil {
		return err
	}
	defer p.Close()
	c.note("working; Ctrl-C or SIGTERM stops")
	if err := p.Run(ctx, workerGrace); err != nil {
		return databaseFailure(err)
	}
	if interrupted(ctx) && !terminated(ctx) {
		return failuref(exitInterrupted, "interrupted: other workers go on, and so does the same command")
	}
	return nil
}

// find is the recording of a key, the file of that name with the extension of a
// documented type.
func (c *worker) find(key string) (folder.Recording, error) {
	if !filepath.IsLocal(key) || key != filepath.Base(key) || strings.HasPrefix(key, ".") {
		return folder.Recording{}, fs.ErrNotExist
	}
	for _, extension := range folder.Extensions() {
		info, err := os.Stat(filepath.Join(c.dir, key+extension))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return folder.Recording{}, err
		}
		return folder.Recording{Name: key + extension, Size: info.Size(), Modified: info.ModTime()}, nil
	}
	return folder.Recording{}, fs.ErrNotExist
}

func (c *worker) deliver(r *pipeline.Result) error {
	err := deliver(c.out, r.Key, r)
	if err != nil {
		c.warn("%s; it is tried again", undeliverable(err))
	}
	return err
}

func (a *app) addCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "add KEY...|-",
		Short: "Add visits to a fleet's database, by their keys",
		Long: `Add visits to the database in DATABASE_URL, by their keys: those of the command
line or, for -, the lines of stdin. A key that is known is left as it is.`,
		Args: cobra.MinimumNArgs(1),
		RunE: runner(a.addKeys),
	}
}

func (a *app) addKeys(ctx context.Context, keys []string) error {
	if len(keys) == 1 && keys[0] == "-" {
		keys = nil
		lines := bufio.NewScanner(a.stdin)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				keys = append(keys, line)
			}
		}
		if err := lines.Err(); err != nil {
			return failuref(exitOther, "the keys cannot be read from stdin: %s", reason(err))
		}
	}
	if len(keys) == 0 {
		return usagef("stdin has no key")
	}
	p, err := a.openFleet(ctx, pipeline.Config{})
	if err != nil {
		return err
	}
	defer p.Close()
	added, err := p.Add(ctx, keys...)
	if err != nil {
		return failuref(exitOther, "nothing was added: %s", strings.TrimPrefix(plainText(err), "pipeline: "))
	}
	known := len(keys) - added
	return a.print(plural(added, "visit")+" added", map[string]int{"added": added, "known": known})
}
