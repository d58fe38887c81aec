// Ambient is the command line of the Ambient AI Scribe API: recordings of
// medical visits in, transcripts and clinical notes out. README.md shows every
// command; ambient --help lists them.
package main

import (
	"context"
	"os"

	"golang.org/x/term"
)

func main() {
	ctx, stop := untilSignal(context.Background())
	code := run(ctx, ownProcess(), os.Args[1:])
	stop()
	os.Exit(code)
}

// A process is what the command takes from its surroundings. Tests give it
// others.
type process struct {
	stdin          input
	stdout, stderr output
	getenv         func(string) string
	columns        int // of the terminal that stderr is; 0 where it is none
}

func ownProcess() process {
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	if term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb" {
		p.columns = 80
		if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 0 {
			p.columns = width
		}
	}
	return p
}
