package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBreakingChanges makes a change in a copy of the repository and compares.
func TestBreakingChanges(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new, want string }{
		"a parameter changes its type": {"options.go", "func WithRateLimit(perSecond float64, burst int) Option", "func WithRateLimit(perSecond float64, burst int64) Option",
			"removed or changed: " + module + ": func WithRateLimit(float64, int) ambient.Option"},
		"an option is renamed": {"options.go", "func WithUserAgent(", "func WithProduct(",
			"removed or changed: " + module + ": func WithUserAgent(string) ambient.Option"},
		"a field is removed": {"retry.go", "MaxLimitWait ", "LimitWait ",
			"removed or changed: " + module + ": type RetryPolicy struct, MaxLimitWait time.Duration"},
	} {
		t.Run(name, func(t *testing.T) {
			root := copyOf(t, "../..")
			text, err := os.ReadFile(filepath.Join(root, c.file))
			if err != nil || !bytes.Contains(text, []byte(c.old)) {
				t.Fatalf("%s has no %q: %v", c.file, c.old, err)
			}
			changed := strings.Replace(string(text), c.old, c.new, 1)
			if err := os.WriteFile(filepath.Join(root, c.file), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			fix(t, root, name)
			var out bytes.Buffer
			ok, err := run(&out, root, packages[:1], false, false)
			if ok || err != nil || !strings.Contains(out.String(), c.want+"\n") {
				t.Errorf("ok %t, %v:\n%s", ok, err, &out)
			}
		})
	}
}

// fix lets the copy compile again, as whoever makes such a change would.
func fix(t *testing.T, root, name string) {
	switch name {
	case "a field is removed":
		files, _ := filepath.Glob(filepath.Join(root, "*.go"))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, before := range []string{".", " ", "\t"} {
				text = bytes.ReplaceAll(text, []byte(before+"MaxLimitWait"), []byte(before+"LimitWait"))
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	case "a parameter changes its type":
		path := filepath.Join(root, "options.go")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, tail, _ := strings.Cut(string(text), "func WithRateLimit(perSecond float64, burst int64) Option {\n")
		text = []byte(head + "func WithRateLimit(perSecond float64, burst64 int64) Option {\n\tburst := int(burst64)\n" + tail)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsMissing(t *testing.T) {
	var out bytes.Buffer
	if ok, err := run(&out, "../..", packages, false, false); !ok || err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}

// copyOf copies the files that git knows, or would add.
func copyOf(t *testing.T, root string) string {
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.go", "*go.mod", "*go.sum", "apicheck/api/testdata")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range strings.FieldsSeq(string(out)) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, but not yet in the index
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
