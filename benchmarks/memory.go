package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	uploadSize    = 500e6
	uploadTimeout = 2 * time.Minute // of one child process; some ten times what the slowest needs
)

// An uploadResult is what one client needed for one kind of upload.
type uploadResult struct {
	uploader
	plain, after503 uploadRuns
}

type uploadRuns struct {
	peakMiB, seconds sample
	err              string // of the last run that failed
}

// measureUploads uploads a sparse file of 500 MB, each time from a process of
// its own whose peak memory the system tells. The server is in this process.
func measureUploads(list []uploader, rounds int) ([]uploadResult, error) {
	dir, err := os.MkdirTemp("", "ambient-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "visit.mp3")
	if err := makeSparse(path, uploadSize); err != nil {
		return nil, err
	}
	s := startSink()
	defer s.close()
	results := make([]uploadResult, len(list))
	for round := range rounds {
		for i, u := range list {
			r := &results[i]
			r.uploader = u
			if err := r.plain.add(s, u, path, false); err != nil {
				return nil, err
			}
			// The second upload says nothing new about time, so once is enough.
			if round == 0 {
				if err := r.after503.add(s, u, path, true); err != nil {
					return nil, err
				}
			}
		}
	}
	return results, nil
}

func makeSparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}

// add runs one child and adds what it tells. An upload that fails is a result;
// one that claims success without all bytes having arrived is not.
func (r *uploadRuns) add(s *sink, u uploader, path string, with503 bool) error {
	s.begin(with503)
	report, err := runChild(u.name, s.url, path)
	if err != nil {
		return fmt.Errorf("%s: %w", u.name, err)
	}
	if report.Err != "" {
		r.err = report.Err
		return nil
	}
	if arrived := s.lastBody(); arrived < uploadSize {
		return fmt.Errorf("%s: reported success with %d bytes at the server", u.name, arrived)
	}
	r.peakMiB = append(r.peakMiB, float64(report.PeakBytes)/(1<<20))
	r.seconds = append(r.seconds, report.Seconds)
	return nil
}

// A childReport is what a child process prints.
type childReport struct {
	PeakBytes int64
	Seconds   float64
	Err       string
}

func runChild(name, url, path string) (childReport, error) {
	var report childReport
	self, err := os.Executable()
	if err != nil {
		return report, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), uploadTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-child", name, "-child-url", url, "-child-file", path)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return report, err
	}
	return report, json.Unmarshal(out.Bytes(), &report)
}

// beChild makes one upload and reports on it.
func beChild(name, url, path string) error {
	for _, u := range uploaders() {
		if u.name != name {
			continue
		}
		start := time.Now()
		err := u.upload(context.Background(), url, path)
		report := childReport{Seconds: time.Since(start).Seconds(), PeakBytes: peakMemory()}
		if err != nil {
			report.Err = err.Error()
		}
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return fmt.Errorf("no client %q", name)
}
