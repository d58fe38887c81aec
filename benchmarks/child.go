package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// childTimeout bounds a child process. The slowest needs half a minute on a quiet machine.
const childTimeout = 5 * time.Minute

// runChild runs this program again, with env added to its environment, and decodes the
// first line of its output.
func runChild(into any, env []string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), childTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w: %s", args, err, out.Bytes())
	}
	return json.NewDecoder(&out).Decode(into)
}
