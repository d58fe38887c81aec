// Command api compares the exported API of each published package with the golden text
// in testdata. An addition is allowed. What is missing or changed is refused by name.
//
//	go run ./api -root ..          # compare
//	go run ./api -root .. -update  # write the golden texts
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/ambient-scribe/ambient-go"

// A published package, the directory of its module and its golden text.
type published struct{ dir, path, golden string }

var packages = []published{
	{".", module, "ambient.txt"},
	{".", module + "/ambienttest", "ambienttest.txt"},
	{"ambientotel", module + "/ambientotel", "ambientotel.txt"},
	{"pipeline", module + "/pipeline", "pipeline.txt"},
}

func main() {
	root := flag.String("root", "..", "the root of the repository")
	update := flag.Bool("update", false, "write the golden texts")
	exact := flag.Bool("exact", false, "refuse additions too, as a release does")
	flag.Parse()
	ok, err := run(os.Stdout, *root, packages, *update, *exact)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run reports whether each package still has what its golden text lists.
func run(w io.Writer, root string, packages []published, update, exact bool) (bool, error) {
	ok := true
	for _, p := range packages {
		now, err := exported(filepath.Join(root, p.dir), p.path)
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.path, err)
		}
		golden := filepath.Join(root, "apicheck", "api", "testdata", p.golden)
		if update {
			if err := os.WriteFile(golden, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
				return false, err
			}
			continue
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			return false, err
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		before := strings.Split(strings.TrimSpace(string(text)), "\n")
		removed, added := missing(before, now), missing(now, before)
		for _, line := range removed {
			fmt.Fprintf(w, "removed or changed: %s: %s\n", p.path, line)
		}
		for _, line := range added {
			fmt.Fprintf(w, "added: %s: %s\n", p.path, line)
		}
		ok = ok && len(removed) == 0 && (!exact || len(added) == 0)
	}
	return ok, nil
}

// missing returns the lines of have that are not among the lines of in.
func missing(have, in []string) []string {
	return slices.DeleteFunc(slices.Clone(have), func(line string) bool { return slices.Contains(in, line) })
}
