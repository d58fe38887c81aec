package main

import (
	"fmt"
	"io"
	"os"
)

// progress prints how far the batch is. A terminal gets one line that changes, and
// a log file gets a line for each step.
type progress struct {
	w        io.Writer
	terminal bool
	total    int
	steps    map[string]int
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total, steps: map[string]int{}}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// step counts a job. Only one goroutine may call it at a time.
func (p *progress) step(what string, id int64) {
	p.steps[what]++
	if p.terminal {
		fmt.Fprintf(p.w, "\rsubmitted %d, transcribed %d of %d ", p.steps["submitted"], p.steps["transcribed"], p.total)
	} else {
		fmt.Fprintf(p.w, "job %d %s, %d of %d\n", id, what, p.steps[what], p.total)
	}
}

// end moves a terminal to the next line.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}
