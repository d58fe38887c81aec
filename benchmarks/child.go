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

// childTimeout bounds a child process: some ten times what the slowest needs.
const childTimeout = 2 * time.Minute

// runChild runs this program again and decodes what it prints first.
func runChild(into any, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), childTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w: %s", args, err, out.Bytes())
	}
	return json.NewDecoder(&out).Decode(into)
}
