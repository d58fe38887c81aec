package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const code = `package small

func Clamp(n, most int) int {
	if n < 0 || n > most {
		return most
	}
	return n
}

func log() { println("small") }
`

// The test sees no limit itself, and no negative number.
const codeTest = `package small

import "testing"

func TestClamp(t *testing.T) {
	if Clamp(1, 2) != 1 || Clamp(3, 2) != 2 {
		t.Fatal("not clamped")
	}
}
`

func TestEveryChangeHasAName(t *testing.T) {
	found, err := mutantsOf("small.go", []byte(code))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range found {
		names = append(names, strings.TrimPrefix(m.name, "small.go "))
	}
	want := []string{
		"Clamp: n < 0 || n > most => !(n < 0 || n > most)",
		"Clamp: n < 0 || n > most => (n < 0)",
		"Clamp: n < 0 || n > most => (n > most)",
		"Clamp: n < 0 => n <= 0",
		"Clamp: n > most => n >= most",
		`log: without println("small")`,
	}
	if !slices.Equal(names, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

func TestChanges(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"if err != nil { return err }", "err != nil => err == nil, err => nil"},
		{"return f(x)", "f(x) => !(f(x))"},
		{"switch { case a, b: c() }", "without a,; without , b; without case a, b: c(); without c()"},
		{"for { break }", "break => continue"},
		{"x = min(x, y)", "without x = min(x, y); min => max"},
		{"x += 1; x++", "without x += 1; without x++"},
		{"y := x * 2; _ = y", "x * 2 => x / 2; without _ = y"},
		{"defer f()", "without defer f()"},
		{"return true", "true => false"},
	} {
		found, err := mutantsOf("a.go", []byte("package a\n\nfunc g() bool { "+c.body+" }\n"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range found {
			names = append(names, strings.TrimPrefix(m.name, "a.go g: "))
		}
		if got, want := strings.Join(names, "; "), strings.ReplaceAll(c.want, ", err =>", "; err =>"); got != want {
			t.Errorf("%s: got %q, want %q", c.body, got, want)
		}
	}
}

// small is a module with code that its test sees in part.
func small(t *testing.T, test string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module small\n\ngo 1.26.0\n", "small.go": code, "small_test.go": test} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRun(t *testing.T) {
	const listed = "small.go log: without println(\"small\")\n\tIt is for people.\n" +
		"small.go Clamp: n < 0 => n <= 0\n\tOf 0 and 0.\n" +
		"small.go Clamp: n > most => n >= most\n\tmost is returned in both.\n"
	const last = "small.go Clamp: n < 0 || n > most => (n > most)\n\tNo caller has a negative number.\n"
	files := []target{{"small.go", []string{"."}}}
	for _, c := range []struct{ name, listed, test, want string }{
		{"all listed", listed + last, codeTest, ""},
		{"one is new", listed, codeTest, "no test notices 1 changes"},
		{"one is left behind", listed + last + "small.go Gone: a => b\n\tIt was here.\n", codeTest, "there is no such change: small.go Gone: a => b"},
		{"no reason", listed + "small.go Clamp: n < 0 || n > most => (n > most)\n", codeTest, "no reason for small.go Clamp"},
		{"the tests fail already", listed + last, strings.ReplaceAll(codeTest, "!= 2", "!= 3"), "the tests of . fail without a change"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), small(t, c.test), files, c.listed, "", false)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What survivors.txt lists is in the code. Only a long run shows that it survives.
func TestSurvivorsAreInTheCode(t *testing.T) {
	listed, err := parseSurvivors(survivorsText)
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := allMutants("../..", targets)
	if err != nil {
		t.Fatal(err)
	}
	if err := listed.missingFrom(mutants); err != nil {
		t.Error(err)
	}
}
