package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ambient-scribe/ambient-go/pipeline"
)

// openFleet opens the database of DATABASE_URL. No flag takes it, since it may
// have a password in it.
func (a *app) openFleet(ctx context.Context, c pipeline.Config) (*pipeline.Pipeline, error) {
	url := a.getenv("DATABASE_URL")
	if url == "" {
		return nil, usagef("set DATABASE_URL to the fleet's database, such as postgres://host/name; for a batch name its directory")
	}
	return openDatabase(ctx, url, c)
}

// openEither opens the database of a batch or, without its directory, that of the
// fleet.
func (a *app) openEither(ctx context.Context, dir, out string) (*pipeline.Pipeline, error) {
	if out == "" {
		out = dir
	}
	if out == "" {
		return a.openFleet(ctx, pipeline.Config{})
	}
	s, err := readSettings(out)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(out, s.Database)); s.Database == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, failuref(exitOther, "there is no batch in that directory: name the one of --out, if it had one")
	} else if err != nil {
		return nil, failuref(exitOther, "the database cannot be read: %s", reason(err))
	}
	return openBatch(ctx, out, s.Database, pipeline.Config{})
}
