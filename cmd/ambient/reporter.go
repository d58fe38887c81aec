package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const redrawEvery = 200 * time.Millisecond

// A reporter writes to stderr: lines that stay and, where stderr is a terminal,
// one line at its end that is written over.
type reporter struct {
	width int // of the terminal, in columns; 0 = no terminal
	quiet bool

	mu      sync.Mutex // guards what follows
	w       io.Writer
	drawn   int           // columns of the line that is written over
	status  func() string // what that line says
	stopped chan struct{} // closed to end the goroutine that redraws it
	ended   chan struct{} // closed by that goroutine
}

// note writes a line of what happens, unless it is to be quiet.
func (r *reporter) note(format string, args ...any) {
	if !r.quiet {
		r.writeLine(fmt.Sprintf(format, args...))
	}
}

// warn writes a line that a person should read.
func (r *reporter) warn(format string, args ...any) {
	r.writeLine("warning: " + fmt.Sprintf(format, args...))
}

// fail writes the line of the command's end.
func (r *reporter) fail(text string) {
	r.stop()
	r.writeLine("ambient: " + text)
}

// Write writes lines of a log. It reports no error, since there is nowhere to
// report that stderr is closed.
func (r *reporter) Write(p []byte) (int, error) {
	r.writeLine(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func (r *reporter) writeLine(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	fmt.Fprintln(r.w, s)
	r.draw()
}

// show keeps a line on the terminal that says what status returns, until the
// next show or stop. status must be safe for concurrent use.
func (r *reporter) show(status func() string) {
	if r.width == 0 || r.quiet {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
	r.draw()
	if r.stopped == nil {
		r.stopped, r.ended = make(chan struct{}), make(chan struct{})
		go r.redraw(r.stopped, r.ended)
	}
}

// stop removes that line.
func (r *reporter) stop() {
	r.mu.Lock()
	stopped, ended := r.stopped, r.ended
	r.stopped, r.status = nil, nil
	r.erase()
	r.mu.Unlock()
	if stopped != nil {
		close(stopped)
		<-ended
	}
}

func (r *reporter) redraw(stopped, ended chan struct{}) {
	defer close(ended)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.mu.Lock()
			r.draw()
			r.mu.Unlock()
		case <-stopped:
			return
		}
	}
}

// draw writes the line over, padded to cover what was there.
func (r *reporter) draw() {
	if r.status == nil {
		return
	}
	text := clip(r.status(), r.width-1)
	columns := utf8.RuneCountInString(text)
	fmt.Fprintf(r.w, "\r%s%s", text, strings.Repeat(" ", max(r.drawn-columns, 0)))
	r.drawn = columns
}

func (r *reporter) erase() {
	if r.drawn > 0 {
		fmt.Fprintf(r.w, "\r%s\r", strings.Repeat(" ", r.drawn))
		r.drawn = 0
	}
}

// clip keeps a line within the terminal, where a longer one would scroll.
func clip(s string, columns int) string {
	if utf8.RuneCountInString(s) <= columns {
		return s
	}
	return string([]rune(s)[:max(columns, 0)])
}
