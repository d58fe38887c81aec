package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// A mutant is the source of a file with one change.
type mutant struct {
	name   string // the file, the function, and the change
	file   string // from the root
	source []byte
	tests  []string
}

func allMutants(root string, targets []target) ([]mutant, error) {
	var list []mutant
	for _, t := range targets {
		files, err := filepath.Glob(filepath.Join(root, t.files))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("no file is named %s", t.files)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				return nil, err
			}
			found, err := mutantsOf(filepath.ToSlash(name), source)
			if err != nil {
				return nil, err
			}
			for i := range found {
				found[i].tests = t.tests
			}
			list = append(list, found...)
		}
	}
	return list, nil
}

// mutantsOf makes every change of the functions of a file.
func mutantsOf(name string, source []byte) ([]mutant, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var list []mutant
	seen := map[string]int{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		for _, e := range editsOf(f, source, func(p token.Pos) int { return set.Position(p).Offset }) {
			m := mutant{file: name, source: e.apply(source), name: fmt.Sprintf("%s %s: %s", name, f.Name.Name, e.describe(source))}
			if seen[m.name]++; seen[m.name] > 1 {
				m.name += fmt.Sprintf(" (%d)", seen[m.name])
			}
			list = append(list, m)
		}
	}
	return list, nil
}

// An edit replaces source[from:to] by text.
type edit struct {
	from, to int
	text     string
}

func (e edit) apply(source []byte) []byte {
	return bytes.Join([][]byte{source[:e.from], source[e.to:]}, []byte(e.text))
}

func (e edit) describe(source []byte) string {
	if e.text == "" {
		return "without " + oneLine(string(source[e.from:e.to]))
	}
	return oneLine(string(source[e.from:e.to])) + " => " + oneLine(e.text)
}

// oneLine keeps a name short enough to read.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 100 {
		s = s[:60] + " ... " + s[len(s)-35:]
	}
	return s
}
