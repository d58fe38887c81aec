// Command benchmarks measures this SDK and its rivals on the same work.
//
//	go run .             everything, in about a quarter of an hour; writes RESULTS.md and chart.svg
//	go run . -quick      the counts of this SDK alone, in virtual time, in half a minute; writes nothing
//	go run . -only NAMES some parts, with commas between them; prints their sections
//
// Each prints a line for each bar that is not held, and then ends with status 1. parts.go
// has the names of the parts. Everything runs over loopback or in memory and has a time
// limit. Only the go command, which builds small programs to learn their size, may
// download modules.
package main

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

func main() {
	testing.Init() // for testing.Benchmark and the child processes
	if err := flag.Set("test.benchtime", "200ms"); err != nil {
		panic(err)
	}
	quick := flag.Bool("quick", false, "count only, this SDK alone, and write nothing")
	only := flag.String("only", "", "the parts to measure, with commas between them; print their sections")
	rounds := flag.Int("rounds", 3, "how often to measure what varies")
	child := flag.String("child", "", "for this command's own use: the work of a child process")
	name := flag.String("child-name", "", "for this command's own use")
	url := flag.String("child-url", "", "for this command's own use")
	file := flag.String("child-file", "", "for this command's own use")
	flag.Parse()
	var err error
	switch *child {
	case "upload":
		err = beUploader(*name, *url, *file)
	case "wait":
		beWaiter(*name)
	case "limit":
		beLimited(*rounds)
	case "virtual":
		beVirtual(*name)
	case "connections":
		beCancelled(*name)
	default:
		err = run(*only, *quick, max(*rounds, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(only string, quick bool, rounds int) error {
	if quick {
		rounds = 2 // a count that varies is judged by the middle of two
	}
	list, err := selected(only)
	if err != nil {
		return err
	}
	r, err := measure(list, quick, rounds)
	if err != nil {
		return err
	}
	if err := r.write(list, only != "", quick); err != nil {
		return err
	}
	return checkBars(r.barsOf(list, quick), quick)
}

// write writes what a full run found, and prints what a run of some parts found.
func (r *results) write(list []part, some, quick bool) error {
	switch {
	case quick:
		return nil
	case some:
		_, err := fmt.Print(r.sections(list))
		return err
	}
	if err := os.WriteFile("RESULTS.md", []byte(r.report(list)), 0o644); err != nil {
		return err
	}
	return os.WriteFile("chart.svg", []byte(r.chart()), 0o644)
}

func checkBars(bars []bar, quick bool) error {
	lost := 0
	for _, b := range bars {
		switch {
		case quick && b.varies:
		case !b.held():
			lost++
			fmt.Println("NOT HELD", b.line())
		default:
			fmt.Println("held    ", b.line())
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d bars not held", lost)
	}
	return nil
}
