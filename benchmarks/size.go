package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// goTimeout bounds one run of the go command, which may have to download.
const goTimeout = 10 * time.Minute

// programs are the minimal programs. Each makes one GET and prints what came.
//
//go:embed testdata/minimal
var programs embed.FS

// A minimal is one of these programs.
type minimal struct {
	name   string
	folder string
	module string // empty for the standard library alone
}

// minimals begin with the two that -quick compares.
func minimals() []minimal {
	return []minimal{
		{nameOurs, "ambient", oursModule},
		{nameRetryable, "retryablehttp", "github.com/hashicorp/go-retryablehttp"},
		{nameNetHTTP, "nethttp", ""},
		{nameGitHub, "github", "github.com/google/go-github/v93"},
		{nameFailsafe, "failsafe", "github.com/failsafe-go/failsafe-go"},
		{nameResty, "resty", "github.com/go-resty/resty/v2"},
		{nameResty3, "resty3", "resty.dev/v3"},
		{nameAzure, "azcore", "github.com/Azure/azure-sdk-for-go/sdk/azcore"},
		{nameAWS, "aws", "github.com/aws/aws-sdk-go-v2"},
	}
}

// A sizeResult is what depending on a client costs.
type sizeResult struct {
	name    string
	bytes   int64
	modules int // in the module graph, the client's own included
}

func (r sizeResult) kib() float64 { return math.Ceil(float64(r.bytes) / 1024) }

// measureSize makes a module of a program, counts its dependencies and builds it, stripped
// and without cgo.
func measureSize(m minimal) (sizeResult, error) {
	r := sizeResult{name: m.name}
	dir, err := os.MkdirTemp("", "ambient-size-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	if err := m.write(dir); err != nil {
		return r, err
	}
	if _, err := goCommand(dir, "mod", "tidy"); err != nil {
		return r, err
	}
	list, err := goCommand(dir, "list", "-m", "all")
	if err != nil {
		return r, err
	}
	r.modules = strings.Count(list, "\n") - 1 // without the program's own
	if _, err := goCommand(dir, "build", "-trimpath", "-ldflags", "-s -w", "-o", "minimal", "."); err != nil {
		return r, err
	}
	info, err := os.Stat(filepath.Join(dir, "minimal"))
	if err != nil {
		return r, err
	}
	r.bytes = info.Size()
	return r, nil
}

// write writes the program and its go.mod.
func (m minimal) write(dir string) error {
	source, err := programs.ReadFile("testdata/minimal/" + m.folder + "/main.go")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		return err
	}
	mod := "module minimal\n\ngo 1.26.0\n"
	switch m.module {
	case "":
	case oursModule:
		root, err := goCommand(".", "list", "-m", "-f", "{{.Dir}}", oursModule)
		if err != nil {
			return err
		}
		mod += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", oursModule, strings.TrimSpace(root))
	default:
		mod += fmt.Sprintf("\nrequire %s %s\n", m.module, versionOf(m.module))
	}
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600)
}

func goCommand(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), goTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, complaint.Bytes())
	}
	return out.String(), nil
}
