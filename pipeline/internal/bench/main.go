//go:build linux

// Command bench measures the pipeline on both databases, with real processes on the fake API, and writes what it found
// into ../benchmarks/RESULTS.md.
//
//	go run -C pipeline ./internal/bench
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		exit(work(os.Args[2:]))
	}
	visits := flag.Int("visits", 10_000, "visits on each database")
	calls := flag.Int("calls", 3000, "requests under the shared limit")
	results := flag.String("results", "../benchmarks/RESULTS.md", "the file to write into; empty to print")
	flag.Parse()
	exit(run(context.Background(), *visits, *calls, *results))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, visits, calls int, results string) error {
	began := time.Now()
	var measured []*measurement
	for _, setup := range []setup{
		{name: "SQLite, one process", workers: 1, visits: visits},
		{name: "PostgreSQL, one process", postgres: true, workers: 1, visits: visits},
		{name: "PostgreSQL, two processes", postgres: true, workers: 2, visits: visits},
	} {
		m, err := setup.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", setup.name, err)
		}
		if !m.postgres {
			if err := m.countWrites(ctx); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %d visits in %v\n", setup.name, visits, m.took.Round(time.Second))
		measured = append(measured, m)
	}
	limited, err := measureLimit(ctx, calls)
	if err != nil {
		return err
	}
	text := report(began, measured, limited)
	if results == "" {
		fmt.Println(text)
		return nil
	}
	return writeSection(results, text)
}
