package examples

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A contributor can run everything that GitHub runs. So each command of a workflow is
// Make targets, or .ci/run with one.
func TestWorkflowsCallOnlyMake(t *testing.T) {
	workflows, err := filepath.Glob("../.github/workflows/*.y*ml")
	require.NoError(t, err)
	require.NotEmpty(t, workflows)
	targets := makeTargets(t)
	runs := regexp.MustCompile(`(?m)^\s*(?:-\s+)?["']?run["']?\s*:[ \t]*(.*)$`)

	for _, workflow := range workflows {
		text, err := os.ReadFile(workflow)
		require.NoError(t, err)
		for _, run := range runs.FindAllStringSubmatch(string(text), -1) {
			command := strings.Fields(run[1])
			require.NotEmpty(t, command, "%s: run without a command", workflow)
			assert.Contains(t, []string{"make", ".ci/run"}, command[0], "%s: run: %s", workflow, run[1])
			for _, target := range command[1:] {
				assert.Contains(t, targets, target, "%s: run: %s", workflow, run[1])
			}
		}
	}
}

// makeTargets are the targets that make help lists.
func makeTargets(t *testing.T) []string {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.* ## `).FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	require.NotEmpty(t, targets)
	return targets
}

// Dependabot updates no module that dependabot.yml does not list.
func TestDependabotKnowsEveryModule(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files", "go.mod", "*/go.mod").Output()
	if err != nil {
		t.Skipf("this is no clone with git: %v", err)
	}
	var modules []string
	for file := range strings.FieldsSeq(string(out)) {
		modules = append(modules, path.Join("/", path.Dir(file)))
	}
	config, err := os.ReadFile("../.github/dependabot.yml")
	require.NoError(t, err)
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^\s+- (/\S*)$`).FindAllStringSubmatch(string(config), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(modules)
	slices.Sort(listed)
	assert.Equal(t, modules, listed)
}
