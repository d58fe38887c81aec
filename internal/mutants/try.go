package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// An outcome is what became of a change.
type outcome int

const (
	killed   outcome = iota // a test failed
	survived                // all passed
	unbuilt                 // the compiler refused the change
	broken                  // the change could not be tried
	outcomes
)

func (o outcome) String() string {
	return [...]string{"noticed", "survived", "not compiled", "broken"}[o]
}

// try runs the tests with the change laid over the file, which stays as it is.
func try(ctx context.Context, root string, m mutant, limits map[string]time.Duration) outcome {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return broken
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(dir, filepath.Join(root, m.file), m.source)
	if err != nil {
		return broken
	}
	for _, pkg := range m.tests {
		if o := test(ctx, root, pkg, limits[pkg], "-overlay", overlay); o != survived {
			return o
		}
	}
	return survived
}

func writeOverlay(dir, file string, source []byte) (string, error) {
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(changed, source, 0o600), os.WriteFile(overlay, text, 0o600))
}

// test leaves the examples out. They run after a test has failed too, and take seconds.
func test(ctx context.Context, root, pkg string, limit time.Duration, flags ...string) outcome {
	args := append([]string{"test", "-vet=off", "-count=1", "-failfast", "-run=^Test", "-timeout=" + limit.String()}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir, cmd.WaitDelay = root, time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return survived
	case !errors.As(err, &exit):
		return broken
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return unbuilt
	}
	return killed
}

// timeUnchanged returns how long the tests of each package may take. A change can make
// them loop for ever. It refuses to begin where they fail without any change, since every
// change would look noticed.
func timeUnchanged(ctx context.Context, root string, mutants []mutant) (map[string]time.Duration, error) {
	limits := map[string]time.Duration{}
	for _, m := range mutants {
		for _, pkg := range m.tests {
			if limits[pkg] > 0 {
				continue
			}
			start := time.Now()
			if test(ctx, root, pkg, 10*time.Minute) != survived {
				return nil, fmt.Errorf("the tests of %s fail without a change", pkg)
			}
			limits[pkg] = 10*time.Second + 3*time.Since(start)
		}
	}
	return limits, nil
}
