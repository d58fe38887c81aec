package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
)

const (
	watchSettle = 30 * time.Second
	scanEvery   = 5 * time.Second
)

// A watch is a batch for ever.
type watch struct {
	batch
	removeAfter time.Duration // negative: never
	settler     folder.Settler
	scanned     time.Time
	complained  time.Time
	away        bool
}

func (a *app) watchCommand() *cobra.Command {
	w := &watch{batch: batch{app: a, forever: true}}
	cmd := &cobra.Command{
		Use:   "watch DIR --template ID...",
		Short: "Make transcripts and notes of the recordings that come into a directory",
		Long: `Make transcripts and notes of the recordings that come into a directory, until
the command is stopped. Started again it goes on. It takes a recording once it
has not changed for the time of --settle, and writes what ambient batch writes.

With --remove-after it removes a recording, and its .visit.json, that long after
its note was written. Results are never removed.`,
		Args: exactly(1, "watch takes one directory"),
		RunE: runner(func(ctx context.Context, args []string) error { return w.run(ctx, args[0]) }),
	}
	w.addFlags(cmd, watchSettle)
	cmd.Flags().DurationVar(&w.removeAfter, "remove-after", -1, "remove recordings this `time` after their notes were written; default never")
	return cmd
}

func (w *watch) run(ctx context.Context, dir string) error {
	if w.useFake && w.removeAfter >= 0 {
		return usagef("--remove-after removes no recording for the synthetic note of --fake: leave one of them out")
	}
	if err := w.open(ctx, dir); err != nil {
		return err
	}
	defer w.close()
	w.settler.For = w.settle
	w.note("watching; a recording is taken once it has not changed for %v", w.settle)
	return w.work(ctx, func(ctx context.Context) (done bool, err error) {
		if time.Since(w.scanned) < min(max(w.settle/4, batchTick), scanEvery) {
			return false, nil
		}
		w.scanned = time.Now()
		if err := w.unwritten.Swap(nil); err != nil {
			w.complainOf(undeliverable(*err) + "; it is tried again")
		}
		w.scan(ctx)
		return false, nil
	})
}

// scan takes the recordings that have settled, and removes those that are old.
func (w *watch) scan(ctx context.Context) {
	listing, err := folder.List(w.dir)
	if err != nil {
		if !w.away {
			w.warn("the directory cannot be read: %s; it is tried again", reason(err))
		}
		w.away = true
		return
	}
	w.away = false
	w.forget(listing)
	var fresh []folder.Recording
	for _, r := range w.settler.Settled(listing, time.Now()) {
		if !w.book.known(r) {
			fresh = append(fresh, r)
		}
	}
	if len(fresh) > 0 {
		w.takeIn(ctx, fresh)
	}
	w.remove(listing)
}

// takeIn adds recordings. Where the database is away, they come again with the
// next scan.
func (w *watch) takeIn(ctx context.Context, fresh []folder.Recording) {
	before := len(w.leftOut)
	if err := w.add(ctx, fresh); err != nil && ctx.Err() == nil {
		w.complainOf(err.Error() + "; it is tried again")
	}
	if n := len(w.leftOut); n > before {
		w.warn("%s cannot be sent: see ambient status", plural(n, "recording"))
	}
}

// forget drops what was left out and is not there any more.
func (w *watch) forget(listing folder.Listing) {
	there := map[string]bool{}
	for _, r := range listing.Recordings {
		there[r.Name] = true
	}
	maps.DeleteFunc(w.leftOut, func(name, _ string) bool { return !there[name] })
}

// complainOf warns once a minute.
func (w *watch) complainOf(problem string) {
	if time.Since(w.complained) > time.Minute {
		w.complained = time.Now()
		w.warn("%s", problem)
	}
}

// remove removes the recordings whose notes were written long enough ago.
func (w *watch) remove(listing folder.Listing) {
	if w.removeAfter < 0 {
		return
	}
	for _, r := range listing.Recordings {
		key, ok := w.book.key(r)
		if !ok || !w.noteIsOld(r.Name, key) {
			continue
		}
		// It may be another recording by now.
		if now, err := r.Key(w.dir); err != nil || !strings.HasPrefix(key, now) {
			continue
		}
		for _, name := range []string{r.Name + visitSuffix, r.Name} {
			if err := os.Remove(filepath.Join(w.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				w.complainOf("a recording cannot be removed: " + reason(err))
			}
		}
	}
}

func (w *watch) noteIsOld(name, key string) bool {
	base, err := resultName(w.out, name, key)
	if err != nil {
		return false
	}
	info, err := os.Stat(filepath.Join(w.out, base+noteSuffix))
	return err == nil && time.Since(info.ModTime()) >= w.removeAfter && delivered(w.out, name, key)
}
