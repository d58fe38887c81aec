package main

import (
	"fmt"
	"strings"
)

// survivors gives the reason why no test can notice a change, by the name of the change.
type survivors map[string]string

// parseSurvivors reads a change a line, and below it the reason, on indented lines.
func parseSurvivors(text string) (survivors, error) {
	list, last := survivors{}, ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, "\t"):
			last = line
			list[last] = ""
		case last == "":
			return nil, fmt.Errorf("survivors.txt:%d: a reason without a change", i+1)
		default:
			list[last] += strings.TrimSpace(line) + " "
		}
	}
	for name, reason := range list {
		if reason == "" {
			return nil, fmt.Errorf("survivors.txt: no reason for %s", name)
		}
	}
	return list, nil
}

// missingFrom refuses a list that the code has left behind.
func (s survivors) missingFrom(mutants []mutant) error {
	names := map[string]bool{}
	for _, m := range mutants {
		names[m.name] = true
	}
	for name := range s {
		if !names[name] {
			return fmt.Errorf("survivors.txt: there is no such change: %s", name)
		}
	}
	return nil
}
