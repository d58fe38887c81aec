package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A part is one group of rows. It can be measured alone.
type part struct {
	name    string // for -only
	slow    bool   // it has no figure that -quick checks
	measure func(r *results, quick bool) error
	bars    func(r *results) []bar // nil without bars
	report  func(r *results, d *doc)
}

func parts() []part {
	return []part{
		{"get", false, (*results).measureGets, (*results).getBars, (*results).reportGets},
		{"tracing", true, (*results).measureTracing, nil, (*results).reportTracing},
		{"upload", false, (*results).measureUploads, (*results).uploadBars, (*results).reportUploads},
		{"networks", true, (*results).measureNetworks, (*results).networkBars, (*results).reportNetworks},
		{"wait", false, (*results).measureWaits, (*results).waitBars, (*results).reportWaits},
		{"limits", false, (*results).measureLimits, (*results).limitBars, (*results).reportLimits},
		{"virtual", false, (*results).measureVirtual, (*results).virtualBars, (*results).reportVirtual},
		{"connections", false, (*results).measureConnections, (*results).connectionBars, (*results).reportConnections},
		{"deadline", false, (*results).measureDeadlines, (*results).deadlineBars, (*results).reportDeadlines},
		{"size", false, (*results).measureSizes, (*results).sizeBars, (*results).reportSizes},
		{"command", true, (*results).measureCommand, nil, (*results).reportCommand},
	}
}

// selected are the parts that names lists with commas between them, or all without a name.
func selected(names string) ([]part, error) {
	all := parts()
	if names == "" {
		return all, nil
	}
	var list []part
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no part %q", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}

// measure runs the parts one after another, of this SDK alone if quick.
func measure(list []part, quick bool, rounds int) (*results, error) {
	r := &results{began: time.Now(), commit: commit(), rounds: rounds}
	for _, p := range list {
		if quick && p.slow {
			continue
		}
		fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), p.name)
		if err := p.measure(r, quick); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	r.took = time.Since(r.began)
	return r, nil
}

// barsOf are the bars of the parts that were measured.
func (r *results) barsOf(list []part, quick bool) []bar {
	var bars []bar
	for _, p := range list {
		if p.bars != nil && (!quick || !p.slow) {
			bars = append(bars, p.bars(r)...)
		}
	}
	return bars
}
