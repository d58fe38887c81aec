package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/atomicfile"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const (
	settingsFile = "ambient-batch.json"
	databaseFile = "ambient-batch.db"
)

// Settings are what a directory of results keeps of its batch. An id in its
// database is another visit at another API.
type settings struct {
	API       string  `json:"api"` // empty with --fake
	Fake      bool    `json:"fake"`
	Templates []int64 `json:"templates"`
	Database  string  `json:"database"`
}

// readSettings reads the settings of the last batch. Without any they are zero.
func readSettings(dir string) (settings, error) {
	var s settings
	b, err := os.ReadFile(filepath.Join(dir, settingsFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, failuref(exitOther, "the directory of --out cannot be read: %s", reason(err))
	case json.Unmarshal(b, &s) != nil || s.Database == "" || filepath.Base(s.Database) != s.Database:
		return s, failuref(exitOther, "%s in --out is damaged: choose another --out, since the batch may be of another API", settingsFile)
	}
	return s, nil
}

// follow refuses the directory of a batch of another API.
func (s settings) follow(before settings) error {
	if before.Database != "" && (before.Fake != s.Fake || before.API != s.API) {
		return failuref(exitOther, "--out has the batch of %s: choose another --out", before.api())
	}
	return nil
}

func (s settings) write(dir string) error {
	if err := atomicfile.Write(filepath.Join(dir, settingsFile), []byte(indented(s)+"\n")); err != nil {
		return failuref(exitOther, "the directory cannot be written: %s; choose another with --out", reason(err))
	}
	return nil
}

func (s settings) api() string {
	if s.Fake {
		return "the fake API"
	}
	return s.API
}

// baseURL is the address of the API.
func (a *app) baseURL() string {
	if url := a.getenv("AMBIENT_BASE_URL"); url != "" {
		return strings.TrimRight(url, "/")
	}
	return ambient.DefaultBaseURL
}

// openBatch opens the database of a batch.
func openBatch(ctx context.Context, dir, name string, c pipeline.Config) (*pipeline.Pipeline, error) {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return nil, failuref(exitOther, "the directory of --out cannot be used: %s", reason(err))
	}
	if strings.Contains(path, "?") {
		return nil, failuref(exitOther, "the path of --out may have no question mark: choose another --out")
	}
	p, err := pipeline.Open(ctx, "sqlite:"+path, c)
	if err != nil {
		return nil, failuref(exitOther, "the database in --out cannot be used: %s; choose another with --out", strings.TrimPrefix(plainText(err), "pipeline: "))
	}
	return p, nil
}

func openDatabase(ctx context.Context, url string, c pipeline.Config) (*pipeline.Pipeline, error) {
	p, err := pipeline.Open(ctx, url, c)
	if err != nil {
		return nil, databaseFailure(err)
	}
	return p, nil
}

// databaseFailure explains an error of the pipeline, whose text holds no data of
// a visit.
func databaseFailure(err error) error {
	if errors.Is(err, pipeline.ErrInUse) {
		return &failure{exitOther, "another batch or watch is at work on this directory: wait for it, or stop it", err}
	}
	return &failure{exitOther, "the database cannot be used: " + strings.TrimPrefix(plainText(err), "pipeline: "), err}
}
