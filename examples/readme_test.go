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

// snippets are the Go code blocks of the README. A comment before each names its kind.
var snippets = regexp.MustCompile("(?s)<!-- (program|errors|option) -->\n```go\n(.*?)```")

// Every Go block of the README is compiled, and run against the fake API.
func TestReadmeSnippets(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	found := snippets.FindAllStringSubmatch(string(readme), -1)
	blocks := regexp.MustCompile("(?m)^```go$").FindAllString(string(readme), -1)
	require.Len(t, found, len(blocks), "each Go block needs a comment that says what it is")

	for _, m := range found {
		kind, code := m[1], m[2]
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			switch kind {
			case "program":
				out, err := runProgram(t, dir, code)
				require.NoError(t, err, "%s", out)
			case "errors":
				out, err := runProgram(t, dir, matchErrors(code))
				require.NoError(t, err, "%s", out)
			case "option":
				out, err := runProgram(t, dir, mainOf("client, err := ambient.NewClient("+strings.TrimSpace(code)+")\n"+check+
					"_, err = client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(\"visit.mp3\")})\n"+check))
				require.NoError(t, err, "%s", out)
			}
		})
	}
}

// The getting started of doc.go is the program of the README, which is built and run.
func TestGettingStartedIsTheReadmesProgram(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	program := snippets.FindStringSubmatch(string(readme))
	require.Equal(t, "program", program[1])

	doc, err := os.ReadFile("../doc.go")
	require.NoError(t, err)
	started := regexp.MustCompile(`(?s)# Getting started\n.*?\n(//\tpackage main\n.*?)//\n// \w`).FindStringSubmatch(string(doc))
	require.NotNil(t, started)
	code := regexp.MustCompile(`(?m)^//\t?`).ReplaceAllString(started[1], "")
	assert.Equal(t, program[2], code)
}

// check is what a program does with an error.
const check = "if err != nil {\nlog.Fatal(err)\n}\n"

// matchErrors makes a program that submits a visit, waits for it and matches the error.
func matchErrors(code string) string {
	return mainOf("client, err := ambient.NewClient()\n" + check +
		"_, err = client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(\"visit.mp3\")})\n" + code)
}

// mainOf makes a program of a function body.
func mainOf(body string) string {
	return "package main\n\nimport (\n\t\"context\"\n\t\"errors\"\n\t\"log\"\n\n\tambient \"github.com/ambient-scribe/ambient-go\"\n)\n\n" +
		"func main() {\nctx := context.Background()\n_ = errors.As\n" + body + "}\n"
}

// Every file that a document links to or names in code exists and is not empty.
func TestPapersNameWhatThereIs(t *testing.T) {
	papers, err := filepath.Glob("../*.md")
	require.NoError(t, err)
	require.NotEmpty(t, papers)
	named := regexp.MustCompile("\\]\\(([^)#:]+)\\)|`([\\w/]+\\.go)`")
	for _, paper := range papers {
		text, err := os.ReadFile(paper)
		require.NoError(t, err)
		assert.NotEmpty(t, text, "%s", paper)
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			info, err := os.Stat("../" + m[1] + m[2])
			if assert.NoError(t, err, "%s", paper) {
				assert.NotZero(t, info.Size(), "%s: %s", paper, m[0])
			}
		}
	}
}

// The README's match of errors must not lose a job. A wait that a 401 ends is matched
// before the 401, since it has the id.
func TestReadmeKeepsTheID(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, m := range snippets.FindAllStringSubmatch(string(readme), -1) {
		if m[1] == "errors" {
			out, err := runProgram(t, t.TempDir(), matchErrors(m[2]), func(srv *ambienttest.Server) {
				srv.FaultRange("GET /transcribe/{id}", 1, 4, ambienttest.Answer(401)) // the new token is tried three times
			})
			assert.Error(t, err)
			assert.Contains(t, out, "call Wait with this id: 101")
			return
		}
	}
	t.Fatal("the README matches no errors")
}

// The documents match errors in one order. Each shows the table of doc.go, or a part.
func TestErrorsAreMatchedInOneOrder(t *testing.T) {
	doc, err := os.ReadFile("../doc.go")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(doc), "what to do\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "//\n// ")
	declared := regexp.MustCompile(`(\w+) +\*ambient\.(\w+Error)\b`)
	cased := regexp.MustCompile(`errors\.As\(err, &(\w+)\)|ambient\.(MaybeSubmitted)\(err\)|(context\.Canceled)\)|ambient\.(Retryable)\(err\)`)
	for path, atLeast := range map[string]int{"../README.md": 4, "../llms.txt": 8, "errors/main.go": 14} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		types := map[string]string{}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			types[m[1]] = m[2]
		}
		cases, last := 0, -1
		for line := range strings.Lines(string(text)) {
			m := cased.FindStringSubmatch(line)
			if m == nil || !strings.HasPrefix(strings.TrimSpace(line), "case ") || strings.Contains(line, "&&") {
				continue
			}
			name := types[m[1]] + m[2] + m[3] + m[4]
			at := regexp.MustCompile(`\b` + regexp.QuoteMeta(name)).FindStringIndex(table)
			if assert.NotNil(t, at, "%s: %s", path, name) {
				assert.Greater(t, at[0], last, "%s: %s", path, name)
				cases, last = cases+1, at[0]
			}
		}
		assert.GreaterOrEqual(t, cases, atLeast, path)
	}
}

// runProgram runs code beside a visit.mp3, with the environment that a user would set,
// and returns its output.
func runProgram(t *testing.T, dir, code string, plans ...func(*ambienttest.Server)) (string, error) {
	t.Helper()
	srv := ambienttest.Start(t, ambienttest.WithJobTime(10*time.Millisecond))
	for _, plan := range plans {
		plan(srv)
	}
	write(t, filepath.Join(dir, "main.go"), code)
	audio, err := os.ReadFile("../testdata/visit.mp3")
	require.NoError(t, err)
	write(t, filepath.Join(dir, "visit.mp3"), string(audio))

	program := filepath.Join(dir, "program")
	out, err := exec.Command("go", "build", "-o", program, filepath.Join(dir, "main.go")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AMBIENT_BASE_URL="+srv.URL, "AMBIENT_USERNAME="+srv.Username, "AMBIENT_PASSWORD="+srv.Password)
	out, err = cmd.CombinedOutput()
	assert.NotEmpty(t, srv.RequestsTo("POST /transcribe"))
	return string(out), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}
