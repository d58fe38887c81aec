package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

const visitSuffix = ".visit.json"

// A source gives the pipeline the recordings of a directory.
type source struct {
	dir       string
	opened    fs.FileInfo // the directory, as it was when the command began
	templates []int64
	find      func(key string) (folder.Recording, error)
}

func newSource(dir string, templates []int64, find func(string) (folder.Recording, error)) (*source, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	return &source{dir, info, templates, find}, nil
}

var errAway = errors.New("the directory is away")

// Visit is the recording of a key. It is gone only where the directory is still
// the same, since one on a server that is away, or not mounted, comes back.
func (s *source) Visit(_ context.Context, key string) (*pipeline.Visit, error) {
	r, err := s.find(key)
	if err == nil {
		err = r.Unchanged(s.dir)
	}
	if err != nil {
		if now, e := os.Stat(s.dir); e != nil || !os.SameFile(now, s.opened) {
			return nil, errAway
		}
		return nil, err
	}
	v, err := besideVisit(s.dir, r.Name)
	if err != nil {
		return nil, err
	}
	return &pipeline.Visit{
		Audio:       ambient.AudioFile(filepath.Join(s.dir, r.Name)),
		PatientName: v.PatientName, DateOfService: v.DateOfService, AdditionalContext: v.context(),
		TemplateIDs: s.templates,
	}, nil
}

// besideVisit reads the file beside a recording that has the patient's data, if
// there is one.
func besideVisit(dir, name string) (visit, error) {
	var v visit
	b, err := os.ReadFile(filepath.Join(dir, name+visitSuffix))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) {
		return v, nil
	} else if err != nil {
		return v, fmt.Errorf("its %s cannot be read: %s", visitSuffix, reason(err))
	}
	if err := v.decode(b); err != nil {
		return v, fmt.Errorf("its %s %w", visitSuffix, err)
	}
	return v, nil
}
