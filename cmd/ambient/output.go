package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/atomicfile"
)

// Results are what a command prints to stdout or to the file of -o.
type results struct {
	w    io.Writer
	json bool
	many bool // jobs, so that each needs a heading
	file *atomicfile.File
	some bool // something was written
}

func addOutputFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "output", "o", "", "write the result to this `file`, with mode 0600 and complete or not at all, instead of stdout")
}

// openResults makes sure that results can be written, before anything is
// submitted for them.
func (a *app) openResults(path string) (*results, error) {
	if path == "" || path == "-" {
		return &results{w: a.stdout, json: a.json}, nil
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, failuref(exitOther, "the file of -o cannot be written: %s; nothing was submitted", reason(err))
	}
	return &results{w: f, json: a.json, file: f}, nil
}

// commit makes the file of -o appear, if there is a result.
func (r *results) commit() error {
	if r.file == nil || !r.some {
		return nil
	}
	return r.file.Commit()
}

// discard ends a file that was not committed.
func (r *results) discard() {
	if r.file != nil {
		r.file.Discard()
	}
}

// write writes one result, as text or with --json as v. An empty text is no result.
func (r *results) write(heading, text string, v any) error {
	if r.json {
		b, err := oneLine(v)
		if err != nil {
			return err
		}
		text = b
	} else if text != "" && r.many {
		text = "== " + heading + "\n" + text
	}
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	r.some = true
	_, err := io.WriteString(r.w, text)
	return err
}

// oneLine is v as JSON on one line.
func oneLine(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.String(), err
}

// indented is v as JSON to be read by people, with "&" where "\u0026" came.
func indented(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	text := jsonString.ReplaceAllFunc(b, func(literal []byte) []byte {
		var s, plain string
		if json.Unmarshal(literal, &s) != nil {
			return literal
		}
		if plain, err = oneLine(s); err != nil {
			return literal
		}
		return []byte(strings.TrimSuffix(plain, "\n"))
	})
	return string(text)
}

var jsonString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// print writes the result of a command that has no job.
func (a *app) print(text string, v any) error {
	r := &results{w: a.stdout, json: a.json}
	if err := r.write("", text, v); err != nil {
		return failuref(exitOther, "the result could not be written: %s", reason(err))
	}
	return nil
}

// lost is a result that could not be written. The job has it still.
func lost(err error, kind string, id int64) error {
	if errors.Is(err, os.ErrClosed) {
		err = errors.New("closed")
	}
	return &failure{exitOther, fmt.Sprintf("the result could not be written: %s; get it again: ambient get %s %d", reason(err), kind, id), err}
}
