package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// llmsImports are the imports that a snippet of llms.txt gets, by the word that needs it.
var llmsImports = map[string]string{
	"ambient.":     `ambient "github.com/ambient-scribe/ambient-go"`,
	"ambienttest.": `"github.com/ambient-scribe/ambient-go/ambienttest"`,
	"context.":     `"context"`, "errors.": `"errors"`, "fmt.": `"fmt"`, "http.": `"net/http"`, "log.": `"log"`,
	"harness.": `"github.com/ambient-scribe/ambient-go/internal/conformance/harness"`,
	"slog.":    `"log/slog"`, "synctest.": `"testing/synctest"`, "testing.": `"testing"`, "time.": `"time"`,
}

// Every Go block of llms.txt compiles, and passes against the fake API.
func TestLLMsSnippets(t *testing.T) {
	text, err := os.ReadFile("../llms.txt")
	require.NoError(t, err)
	assert.Less(t, strings.Count(string(text), "\n"), 200, "lines of llms.txt")
	found := regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n").FindAllStringSubmatch(string(text), -1)
	require.GreaterOrEqual(t, len(found), 6)

	// One package of the root module, in a directory that go ignores, so that the
	// snippets compile against this version.
	dir, err := os.MkdirTemp(".", "_llms")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var calls []string
	for i, m := range found {
		name := string(rune('A' + i))
		write(t, filepath.Join(dir, "snippet"+name+"_test.go"), llmsTest(name, m[1]))
		calls = append(calls, "TestSnippet"+name)
	}
	srv := ambienttest.Start(t, ambienttest.WithJobTime(10*time.Millisecond))
	audio, err := os.ReadFile("../testdata/visit.mp3")
	require.NoError(t, err)
	write(t, filepath.Join(dir, "visit.mp3"), string(audio))

	cmd := exec.Command("go", "test", "-v", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AMBIENT_BASE_URL="+srv.URL, "AMBIENT_USERNAME="+srv.Username, "AMBIENT_PASSWORD="+srv.Password)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, call := range calls {
		assert.Contains(t, string(out), "--- PASS: "+call+" ")
	}
}

// llmsTest makes a test file of a snippet. A snippet that uses a client and makes none
// gets one. A handler must answer a browser that stalls.
func llmsTest(name, code string) string {
	body := "var snippet = func(ctx context.Context, client *ambient.Client) error {\n" + code + "\nreturn nil\n}\n" +
		"client, err := ambient.NewClient(ambient.WithStallTimeout(time.Second))\nif err != nil {\nt.Fatal(err)\n}\n" +
		"if err := snippet(t.Context(), client); err != nil {\nt.Fatal(err)\n}\n"
	if strings.HasPrefix(code, "http.HandleFunc(") {
		body += "for _, length := range []int64{-1, 300_000} {\n" +
			"harness.StalledBrowser(t, http.DefaultServeMux, \"/visits\", \"audio/webm\", length, make([]byte, 200_000), http.StatusBadGateway)\n}\n"
	}
	if strings.HasPrefix(code, "synctest.") {
		body = code + "\n"
	}
	body = "func TestSnippet" + name + "(t *testing.T) {\n" + body + "}\n"
	var imports strings.Builder
	for word, path := range llmsImports {
		if regexp.MustCompile(`\b` + regexp.QuoteMeta(word)).MatchString(body) {
			imports.WriteString("\t" + path + "\n")
		}
	}
	return "package llms\n\nimport (\n" + imports.String() + ")\n\n" + body
}
