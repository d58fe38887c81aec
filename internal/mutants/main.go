// Command mutants changes the code of the SDK, one expression or statement at a time,
// and runs the tests that should notice. It fails if no test notices a change that
// survivors.txt does not list, or if survivors.txt lists a change that there is not.
//
//	go run -C internal/mutants . [-only regexp] [-v]
//
// It runs a file's own tests first, and those of the whole client for what survives.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"
)

// A target is code, and the packages whose tests must notice a change of it, those that
// notice soonest first.
type target struct {
	files string // a pattern of filepath.Glob
	tests []string
}

var targets = []target{
	{"call_classify.go", []string{".", "./internal/conformance"}},
	{"call_auth.go", []string{".", "./internal/conformance"}},
	{"token.go", []string{".", "./internal/conformance"}},
	{"wait*.go", []string{".", "./internal/conformance"}},
	{"internal/exchange/*.go", []string{"./internal/exchange", ".", "./internal/conformance"}},
	{"internal/throttle/*.go", []string{"./internal/throttle", ".", "./internal/conformance"}},
}

//go:embed survivors.txt
var survivorsText string

func main() {
	root := flag.String("root", "../..", "the `directory` of the SDK")
	only := flag.String("only", "", "a `regexp` of the changes to try")
	verbose := flag.Bool("v", false, "print every change and what became of it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, targets, survivorsText, *only, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, targets []target, survivorsText, only string, verbose bool) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	listed, err := parseSurvivors(survivorsText)
	if err != nil {
		return err
	}
	mutants, err := allMutants(root, targets)
	if err != nil {
		return err
	}
	if err := listed.missingFrom(mutants); err != nil {
		return err
	}
	chosen := matching(mutants, pattern)
	limits, err := timeUnchanged(ctx, root, chosen)
	if err != nil {
		return err
	}
	t := tally{listed: listed, verbose: verbose}
	tryAll(ctx, root, chosen, limits, t.add)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return t.result()
}

func matching(all []mutant, pattern *regexp.Regexp) []mutant {
	var list []mutant
	for _, m := range all {
		if pattern.MatchString(m.name) {
			list = append(list, m)
		}
	}
	return list
}

// tryAll tries as many changes at once as there are processors.
func tryAll(ctx context.Context, root string, mutants []mutant, limits map[string]time.Duration, add func(mutant, outcome, time.Duration)) {
	next := make(chan mutant)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for m := range next {
				start := time.Now()
				add(m, try(ctx, root, m, limits), time.Since(start))
			}
		})
	}
	for _, m := range mutants {
		next <- m
	}
	close(next)
	workers.Wait()
}

// A tally counts what became of the changes.
type tally struct {
	listed  survivors
	verbose bool

	mu     sync.Mutex
	counts [outcomes]int
	new    []string // survivors that are not listed
	broken []string
}

func (t *tally) add(m mutant, o outcome, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[o]++
	_, listed := t.listed[m.name]
	switch {
	case o == broken:
		t.broken = append(t.broken, m.name)
	case o == survived && !listed:
		t.new = append(t.new, m.name)
		fmt.Println("survived:", m.name)
	case o == killed && listed:
		fmt.Println("noticed this time, though listed:", m.name)
	}
	if t.verbose {
		fmt.Printf("%-12s %6.1f s  %s\n", o, d.Seconds(), m.name)
	}
}

func (t *tally) result() error {
	fmt.Printf("%d changes noticed, %d survived (%d of them listed), %d did not compile\n",
		t.counts[killed], t.counts[survived], t.counts[survived]-len(t.new), t.counts[unbuilt])
	if len(t.broken) > 0 {
		return fmt.Errorf("%d could not be tried: %q", len(t.broken), t.broken)
	}
	if len(t.new) > 0 {
		return fmt.Errorf("no test notices %d changes: add a test, or list each in survivors.txt with the reason", len(t.new))
	}
	return nil
}
