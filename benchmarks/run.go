package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// results are all rows. In each list this SDK is the first.
type results struct {
	began     time.Time
	commit    string // of this SDK, then
	took      time.Duration
	rounds    int
	gets      []getResult
	tracing   []getResult // in pairs, without and with
	uploads   []uploadResult
	waiters   []waiter
	waits     [][]waitResult
	limits    [][]limitResult // by case
	conns     []connResult
	deadlines []deadlineResult
	sizes     []sizeResult
	command   commandResult
}

// measure runs all rows, of this SDK alone if quick.
func measure(quick bool, rounds int) (*results, error) {
	r := &results{began: time.Now(), commit: commit(), rounds: rounds, waiters: first(waiters(), quick)}
	var err error
	step("allocations and time of a GET")
	if r.gets, err = measureAllocs(first(getters(), quick), getRuns*rounds); err != nil {
		return nil, err
	}
	if !quick {
		step("tracing")
		if r.tracing, err = measureAllocs(tracedGetters(), getRuns*rounds); err != nil {
			return nil, err
		}
	}
	step("memory of an upload")
	if r.uploads, err = measureUploads(first(uploaders(), quick), rounds); err != nil {
		return nil, err
	}
	step("polls of a wait")
	for _, w := range r.waiters {
		got, err := measureWaits(w)
		if err != nil {
			return nil, err
		}
		r.waits = append(r.waits, got)
	}
	step("rate limits")
	if r.limits, err = measureLimits(first(limitClients(), quick), rounds, quick); err != nil {
		return nil, err
	}
	if err := r.measureOnce(quick, rounds); err != nil {
		return nil, err
	}
	if !quick {
		step("the command line")
		if r.command, err = measureCommand(); err != nil {
			return nil, err
		}
	}
	r.took = time.Since(r.began)
	return r, nil
}

// measureOnce runs the rows that vary little.
func (r *results) measureOnce(quick bool, rounds int) error {
	step("connections")
	for _, p := range first(pathers(), quick) {
		got, err := measureConnections(p)
		if err != nil {
			return err
		}
		r.conns = append(r.conns, got)
	}
	step("a deadline")
	for _, d := range first(refusals(), quick) {
		r.deadlines = append(r.deadlines, measureDeadline(d, rounds))
	}
	step("size of a program")
	for _, m := range first(minimals(), quick) {
		size, err := measureSize(m, quick)
		if err != nil {
			return err
		}
		r.sizes = append(r.sizes, size)
	}
	return nil
}

// measureLimits runs one case after another, or all at once where their times
// do not matter.
func measureLimits(list []limitClient, rounds int, quick bool) ([][]limitResult, error) {
	cases := limitCases()
	all := make([][]limitResult, len(cases))
	errs := make([]error, len(cases))
	var wg sync.WaitGroup
	for i, c := range cases {
		wg.Go(func() { all[i], errs[i] = measureLimit(c, list, rounds) })
		if !quick {
			wg.Wait()
		}
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

// first is the whole list, or if alone only this SDK's, which comes first.
func first[T any](list []T, alone bool) []T {
	if alone {
		return list[:1]
	}
	return list
}

func (r *results) sizeOf(name string) float64 {
	for _, s := range r.sizes {
		if s.name == name {
			return s.kib()
		}
	}
	return 0
}

func step(name string) { fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), name) }

func (r *results) getOf(name string) *getResult {
	for i := range r.gets {
		if r.gets[i].name == name {
			return &r.gets[i]
		}
	}
	return nil
}
