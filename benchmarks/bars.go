package main

import (
	"fmt"
	"math"
	"time"
)

// A bar is a figure of this SDK and the bound that it must keep. Every run checks the
// counts. Only full runs check what varies with the machine, as times do.
type bar struct {
	what    string
	bound   float64
	atLeast bool // else at most
	varies  bool
	value   sample
}

// The bounds, in one place.
const (
	maxAllocs       = 45
	maxGetTime      = 1.0  // of go-github's
	maxPeakMiB      = 6    // without the program's own file pages
	maxUploadTime   = 1.15 // of net/http's
	maxPolls30s     = 20
	maxPolls20min   = 60
	maxLagSeconds   = 1.0 // or
	maxLagShare     = 0.07
	maxConnections  = 1
	maxErrorSeconds = 0.05
	maxSizeAboveKiB = 450 // above go-retryablehttp's of the same run
	maxModules      = 12
)

func (b bar) held() bool {
	if len(b.value) == 0 {
		return false
	}
	if b.atLeast {
		return b.value.median() >= b.bound
	}
	return b.value.median() <= b.bound
}

func (b bar) boundText() string {
	if b.atLeast {
		return fmt.Sprintf("≥ %.4g", b.bound)
	}
	return fmt.Sprintf("≤ %.4g", b.bound)
}

func (b bar) line() string {
	return fmt.Sprintf("%s: %s, and the bar is %s", b.what, b.valueText(), b.boundText())
}

// valueText has as many decimals as the figure needs.
func (b bar) valueText() string {
	switch v := b.value.median(); {
	case v == math.Trunc(v):
		return b.value.text(0)
	case v < 0.1:
		return b.value.text(4)
	}
	return b.value.text(2)
}

func (r *results) getBars() []bar {
	get := r.gets[0]
	list := []bar{{what: "allocations of one GET", bound: maxAllocs, value: sample{float64(get.allocs)}}}
	if gitHub := r.getOf(nameGitHub); gitHub != nil {
		list = append(list, bar{what: "time of one GET / go-github's", bound: maxGetTime, varies: true, value: sample{get.nanos.over(gitHub.nanos).median()}})
	}
	return list
}

func (r *results) uploadBars() []bar {
	up := r.uploads[0]
	return []bar{
		{what: "peak memory of a 500 MB upload, MiB", bound: maxPeakMiB, value: up.plain.peakMiB},
		{what: "peak memory of a 500 MB upload repeated after a 503, MiB", bound: maxPeakMiB, value: up.after503.peakMiB},
	}
}

func (r *results) waitBars() []bar {
	var list []bar
	for _, w := range r.waits[0] {
		most := max(maxLagSeconds, maxLagShare*w.Length.Seconds())
		list = append(list, bar{what: "mean lag behind the end of a job of " + short(w.Length) + ", s", bound: most, value: sample{w.Lag.mean()}})
		switch w.Length {
		case 30 * time.Second:
			list = append(list, bar{what: "mean polls of a job of 30 s", bound: maxPolls30s, value: sample{w.Polls.mean()}})
		case 20 * time.Minute:
			list = append(list, bar{what: "mean polls of a job of 20 min", bound: maxPolls20min, value: sample{w.Polls.mean()}})
		}
	}
	return list
}

func (r *results) limitBars() []bar {
	var list []bar
	for i, c := range limitCases() {
		got := r.limits[i][0]
		list = append(list, bar{what: c.name + ": failed", bound: 0, value: got.Failed})
		if c.held {
			list = append(list,
				bar{what: c.name + ": refused", bound: c.refused, value: got.Refused},
				bar{what: c.name + ": ideal time / ours", bound: c.ratio, atLeast: true, varies: true, value: got.Ratio})
		}
	}
	return list
}

func (r *results) virtualBars() []bar {
	var list []bar
	for i, c := range virtualCases() {
		got := r.virtual[0][i]
		list = append(list,
			bar{what: c.name + ": " + c.figure, bound: c.bound, atLeast: true, value: sample{got.Figure}},
			bar{what: c.name + ": failed", bound: 0, value: sample{got.Failed}})
		if c.refused >= 0 {
			list = append(list, bar{what: c.name + ": refused a window", bound: c.refused, value: sample{got.Refused}})
		}
	}
	return list
}

func (r *results) connectionBars() []bar {
	return []bar{{what: "connections opened by 100 good calls and 100 cancelled ones", bound: maxConnections, value: sample{float64(r.conns[0])}}}
}

func (r *results) deadlineBars() []bar {
	late := r.deadlines[0]
	return []bar{
		{what: "503 asking for 60 s under a deadline of 2 s: errors that tell of the 503", bound: 1, atLeast: true, value: sample{count(late.tells)}},
		{what: "the same: time to the error, s", bound: maxErrorSeconds, varies: true, value: late.seconds},
	}
}

func (r *results) sizeBars() []bar {
	size := r.sizes[0]
	return []bar{
		{what: "minimal stripped program, KiB more than go-retryablehttp's", bound: maxSizeAboveKiB, varies: true, value: sample{size.kib() - r.sizeOf(nameRetryable)}},
		{what: "modules in the graph, ours included", bound: maxModules, value: sample{float64(size.modules)}},
	}
}

func count(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// short writes a whole number of the largest unit that fits.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
