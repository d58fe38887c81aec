package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const (
	batchGrace   = 10 * time.Second // for answers that are out when the command is stopped
	batchTick    = 500 * time.Millisecond
	reportEvery  = time.Minute // without a terminal
	redrawCounts = 2 * time.Second
)

// A batch is the recordings of a directory on their way.
type batch struct {
	*app
	templates []int64
	out       string
	settle    time.Duration
	parallel  int
	retry     bool

	dir       string
	book      *book
	log       *pipelineLog
	pipeline  *pipeline.Pipeline
	forever   bool              // watch
	leftOut   map[string]string // names, and why
	known     states            // as they were when recordings were added
	before    int               // recordings whose note was there, though the database does not know them
	delivered atomic.Int64      // in this run
	unwritten atomic.Pointer[error]

	begun, reported time.Time
	lastReport      string
}

// open checks what the command was given, and opens the database.
func (b *batch) open(ctx context.Context, dir string) error {
	if err := b.check(dir); err != nil {
		return err
	}
	client, err := b.client()
	if err != nil {
		return err
	}
	if err := client.Authenticate(ctx); err != nil {
		return err
	}
	b.book, b.leftOut, b.log = newBook(), map[string]string{}, newPipelineLog(b.app)
	source, err := newSource(b.dir, b.templates, b.find)
	if err != nil {
		return failuref(exitOther, "the directory cannot be read: %s", reason(err))
	}
	return b.openDatabase(ctx, pipeline.Config{
		Client: client, Source: source, Deliver: b.deliver, Parallel: b.parallel, Logger: b.log.logger(),
	})
}

func (b *batch) check(dir string) error {
	b.dir = dir
	if b.out == "" {
		b.out = dir
	}
	if len(b.templates) == 0 {
		return usagef("notes need --template ID, a template of the account")
	}
	for _, id := range b.templates {
		if id < 1 {
			return usagef("the ids of templates are whole numbers above 0")
		}
	}
	if b.parallel < 1 || b.parallel > 1000 || b.settle < 0 {
		return usagef("--parallel must be from 1 to 1000, and --settle cannot be negative")
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return failuref(exitOther, "the directory does not exist: check the path")
	case err != nil:
		return failuref(exitOther, "the directory cannot be read: %s", reason(err))
	case !info.IsDir():
		return failuref(exitOther, "that is no directory: use ambient transcribe or ambient note for one recording")
	}
	if err := os.MkdirAll(b.out, 0o700); err != nil {
		return failuref(exitOther, "the directory of --out cannot be made: %s", reason(err))
	}
	return nil
}

// openDatabase opens the database of --out, unless it is of another API or another
// process works on it. The jobs of an embedded fake API ended with it, and so each
// --fake has a new database.
func (b *batch) openDatabase(ctx context.Context, config pipeline.Config) error {
	before, err := readSettings(b.out)
	if err != nil {
		return err
	}
	now := settings{API: b.baseURL(), Templates: b.templates, Database: databaseFile}
	if b.useFake {
		now = settings{Fake: true, Templates: b.templates, Database: "ambient-fake-" + rand.Text()[:8] + ".db"}
	}
	if err := now.follow(before); err != nil {
		return err
	}
	if b.useFake && before.Database != "" {
		if err := removeDatabase(ctx, b.out, before.Database, config); err != nil {
			return err
		}
	}
	if before.Database != "" && !slices.Equal(before.Templates, b.templates) {
		b.warn("recordings that are done keep the notes of the templates before: for new ones choose another --out")
	}
	if b.pipeline, err = openBatch(ctx, b.out, now.Database, config); err != nil {
		return err
	}
	if err = probe(ctx, b.pipeline); err == nil {
		err = now.write(b.out)
	}
	if err != nil {
		b.close()
	}
	return err
}

// probe fails if another process works on the database.
func probe(ctx context.Context, p *pipeline.Pipeline) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Run(ended, 0); err != nil {
		return databaseFailure(err)
	}
	return nil
}

// removeDatabase removes a database that no other process works on.
func removeDatabase(ctx context.Context, dir, name string, config pipeline.Config) error {
	p, err := openBatch(ctx, dir, name, config)
	if err != nil {
		return err
	}
	err = probe(ctx, p)
	_ = p.Close()
	if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".run"} {
		if err := os.Remove(filepath.Join(dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failuref(exitOther, "the database of the last --fake cannot be removed: %s", reason(err))
		}
	}
	return nil
}

func (b *batch) close() {
	if b.pipeline != nil {
		_ = b.pipeline.Close()
	}
}

func (b *batch) list() (folder.Listing, error) {
	listing, err := folder.List(b.dir)
	if err != nil {
		return listing, failuref(exitOther, "the directory cannot be read: %s", reason(err))
	}
	return listing, nil
}

// find is the recording of a key.
func (b *batch) find(key string) (folder.Recording, error) {
	r, ok := b.book.find(key)
	if !ok {
		return r, fs.ErrNotExist
	}
	return r, nil
}

func (b *batch) leaveOut(name, why string) { b.leftOut[name] = why }

// deliver writes the files of a result. Where the recording is gone meanwhile,
// they are named after its key.
func (b *batch) deliver(_ context.Context, r *pipeline.Result) error {
	name := "recording-" + r.Key
	if recording, ok := b.book.find(r.Key); ok {
		name = recording.Name
	}
	if err := deliver(b.out, name, r); err != nil {
		b.unwritten.Store(&err)
		return err
	}
	b.delivered.Add(1)
	return nil
}

// add adds recordings to the database, those left out that cannot be sent.
func (b *batch) add(ctx context.Context, recordings []folder.Recording) error {
	known, err := b.states(ctx)
	if err != nil {
		return err
	}
	var keys []string
	for _, r := range recordings {
		key, err := r.Key(b.dir)
		if err == nil {
			_, err = besideVisit(b.dir, r.Name)
		}
		if err != nil {
			b.leaveOut(r.Name, leftOutText(err))
			continue
		}
		delete(b.leftOut, r.Name)
		current := known.current(key)
		s, ok := known[current]
		if ok && b.retry && s.State == pipeline.Failed && needsPerson(s) {
			current = known.again(key)
		}
		b.book.enter(current, r)
		if !ok && delivered(b.out, r.Name, key) {
			b.before++
			continue
		}
		keys = append(keys, current)
	}
	if len(keys) == 0 {
		return nil
	}
	b.known = known
	if _, err := b.pipeline.Add(ctx, keys...); err != nil {
		b.book.strike(keys)
		return databaseFailure(err)
	}
	return nil
}

func leftOutText(err error) string {
	if strings.HasPrefix(err.Error(), "its ") {
		return "cannot be sent: " + err.Error()
	}
	return "cannot be read: " + reason(err)
}

func (b *batch) states(ctx context.Context) (states, error) {
	known := states{}
	for s, err := range b.pipeline.Visits(ctx) {
		if err != nil {
			return nil, databaseFailure(err)
		}
		known[s.Key] = s
	}
	return known, nil
}
