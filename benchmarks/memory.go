package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const uploadSize = 500e6

// An uploadResult is what one client needed for one kind of upload.
type uploadResult struct {
	uploader
	plain, after503 uploadRuns
}

type uploadRuns struct {
	peakMiB, idleMiB, seconds sample
	failed                    bool // the call ended with an error
}

// measureUploads uploads a sparse file of 500 MB. Each upload is a child process, so
// that the system knows its peak memory. The server is in this process.
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
			if round > 0 && !u.streams {
				continue // a minute of copying, to learn the same again
			}
			if err := r.plain.add(s, u, path, false); err != nil {
				return nil, err
			}
			if round > 0 {
				continue // nor is there more to learn about time from this one
			}
			if err := r.after503.add(s, u, path, true); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// makeSparse makes a file of zeros and reads it once, so that the first client
// to read it finds it in the system's cache as the others do.
func makeSparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	return err
}

// add runs one child and adds its result. A failed upload is a result. A success
// without all bytes is an error.
func (r *uploadRuns) add(s *sink, u uploader, path string, with503 bool) error {
	s.begin(with503)
	var report childReport
	if err := runChild(&report, s.env, "-child", "upload", "-child-name", u.name, "-child-url", s.url, "-child-file", path); err != nil {
		return err
	}
	if report.Failed {
		r.failed = true
		return nil
	}
	if taken := s.taken(); taken < uploadSize {
		return fmt.Errorf("%s: reported success, and the server has taken %d bytes", u.name, taken)
	}
	r.peakMiB = append(r.peakMiB, float64(report.PeakBytes)/(1<<20))
	r.idleMiB = append(r.idleMiB, float64(report.IdleBytes)/(1<<20))
	r.seconds = append(r.seconds, report.Seconds)
	return nil
}

// A childReport is what a child process prints.
type childReport struct {
	IdleBytes int64 // before the upload
	PeakBytes int64
	Seconds   float64
	Failed    bool
}

// beUploader makes one upload, prints a report and ends.
func beUploader(name, url, path string) error {
	for _, u := range uploaders() {
		if u.name != name {
			continue
		}
		idle, start := peakMemory(), time.Now()
		err := u.upload(context.Background(), url, path)
		report := childReport{IdleBytes: idle, Seconds: time.Since(start).Seconds(), PeakBytes: peakMemory(), Failed: err != nil}
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	return fmt.Errorf("no client %q", name)
}
