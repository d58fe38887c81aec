// Command benchmarks measures this SDK and its rivals on the same work.
//
//	go run .          everything, in under ten minutes; writes RESULTS.md and chart.svg
//	go run . -quick   the counts of this SDK alone, in under 90 seconds; writes nothing
//	go run . -command the command line in cmd/ambient; writes its section of RESULTS.md
//	go run . -tracing a GET with tracing on; prints its section of RESULTS.md
//
// The first two print a line for each bar that is not held, and then end with status 1.
// Everything runs over loopback or in memory and has a time limit. Only the go command,
// which builds small programs to learn their size, may download modules.
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
	command := flag.Bool("command", false, "measure the command line alone")
	tracing := flag.Bool("tracing", false, "measure a GET with tracing on alone")
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
	default:
		switch {
		case *command:
			err = rewriteCommand()
		case *tracing:
			err = printTracing(max(*rounds, 1))
		default:
			err = run(*quick, max(*rounds, 1))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(quick bool, rounds int) error {
	if quick {
		rounds = 2 // a count that varies is judged by the middle of two
	}
	r, err := measure(quick, rounds)
	if err != nil {
		return err
	}
	if !quick {
		if err := os.WriteFile("RESULTS.md", []byte(r.report()), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile("chart.svg", []byte(r.chart()), 0o644); err != nil {
			return err
		}
	}
	lost := 0
	for _, b := range r.bars() {
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
