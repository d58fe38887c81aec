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

// snippets are the Go code blocks of the README, each of which says in a
// comment before it what it is.
var snippets = regexp.MustCompile("(?s)<!-- (program|test|fragment|option) -->\n```go\n(.*?)```")

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
			case "fragment":
				out, err := runProgram(t, dir, mainOf("client, err := ambient.NewClient()\n"+check+code+"if transcript.RawText == \"\" {\nlog.Fatal()\n}\n"+check))
				require.NoError(t, err, "%s", out)
			case "option":
				out, err := runProgram(t, dir, mainOf("client, err := ambient.NewClient("+strings.TrimSpace(code)+")\n"+check+
					"_, err = client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: ambient.AudioFile(\"visit.mp3\")})\n"+check))
				require.NoError(t, err, "%s", out)
			case "test":
				file := filepath.Join(dir, "readme_test.go")
				write(t, file, "package readme\n\nimport (\n\t\"testing\"\n\t\"testing/synctest\"\n\t\"time\"\n\n"+
					"\tambient \"github.com/ambient-scribe/ambient-go\"\n\t\"github.com/ambient-scribe/ambient-go/ambienttest\"\n)\n\n"+code)
				out, err := exec.Command("go", "test", file).CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
		})
	}
}

// check is what a program does with an error.
const check = "if err != nil {\nlog.Fatal(err)\n}\n"

// mainOf makes a program of a piece of one.
func mainOf(body string) string {
	return "package main\n\nimport (\n\t\"context\"\n\t\"log\"\n\n\tambient \"github.com/ambient-scribe/ambient-go\"\n)\n\n" +
		"func main() {\nctx := context.Background()\n" + body + "}\n"
}

// Every relative link of the project's papers, and every Go file that they name,
// is there and not empty.
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

// What the README shows of errors must not lose a job: a wait that a 401 ends has
// the id of one, and is matched before the 401.
func TestReadmeKeepsTheID(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, m := range snippets.FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[2], "ambient.WaitError") {
			out, err := runProgram(t, t.TempDir(), m[2], func(srv *ambienttest.Server) {
				srv.FaultRange("GET /transcribe/{id}", 1, 2, ambienttest.Answer(401))
			})
			assert.Error(t, err)
			assert.Contains(t, out, "resume with Wait and this id: 101")
			return
		}
	}
	t.Fatal("no program matches a WaitError")
}

// runProgram runs code beside a visit.mp3, with the environment that a user
// would set, and returns what it prints.
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
