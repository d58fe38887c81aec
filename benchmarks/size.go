package main

import (
	"bytes"
	"context"
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

// A minimal program makes one GET and prints what came.
type minimal struct {
	name   string
	module string // empty for the standard library alone
	source string
}

func minimals() []minimal {
	return []minimal{
		{nameOurs, oursModule, `
	"` + oursModule + `"
)

func main() {
	client, err := ambient.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := client.Transcriptions.Get(context.Background(), 7)
	fmt.Println(t, err)
}
`},
		{nameNetHTTP, "", `	"encoding/json"
	"net/http"
)

func main() {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://service.example/transcribe/7", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := http.DefaultClient.Do(req)` + minimalDecode},
		{nameRetryable, "github.com/hashicorp/go-retryablehttp", `	"encoding/json"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

func main() {
	req, err := retryablehttp.NewRequestWithContext(context.Background(), http.MethodGet, "https://service.example/transcribe/7", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := retryablehttp.NewClient().Do(req)` + minimalDecode},
		{nameGitHub, "github.com/google/go-github/v89", `
	"github.com/google/go-github/v89/github"
)

func main() {
	client, err := github.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, _, err := client.Users.Get(context.Background(), "synthetic")
	fmt.Println(user, err)
}
`},
	}
}

const minimalDecode = `
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var job map[string]any
	err = json.NewDecoder(resp.Body).Decode(&job)
	fmt.Println(job, err)
}
`

// A sizeResult is what depending on a client costs.
type sizeResult struct {
	name    string
	bytes   int64
	modules int // in the module graph, the client's own included
}

func (r sizeResult) kib() float64 { return math.Ceil(float64(r.bytes) / 1024) }

// measureSize writes a program with one module and counts its dependencies. Unless quick,
// it also builds the program, stripped and without cgo.
func measureSize(m minimal, quick bool) (sizeResult, error) {
	r := sizeResult{name: m.name}
	dir, err := os.MkdirTemp("", "ambient-size-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	mod := "module minimal\n\ngo 1.26.0\n"
	switch m.module {
	case "":
	case oursModule:
		root, err := goCommand(".", "list", "-m", "-f", "{{.Dir}}", oursModule)
		if err != nil {
			return r, err
		}
		mod += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", oursModule, strings.TrimSpace(root))
	default:
		mod += fmt.Sprintf("\nrequire %s %s\n", m.module, versionOf(m.module))
	}
	source := "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n" + m.source
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		return r, err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		return r, err
	}
	if _, err := goCommand(dir, "mod", "tidy"); err != nil {
		return r, err
	}
	list, err := goCommand(dir, "list", "-m", "all")
	r.modules = strings.Count(list, "\n") - 1 // without the program's own
	if err != nil || quick {
		return r, err
	}
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
