package pipeline_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/pipeline"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	rows := []struct{ name, url, problem string }{
		{"no database", "", "must begin with"},
		{"another database", "mysql://localhost/visits", "must begin with"},
		{"no path", "sqlite:", "path of a file"},
		{"memory", "sqlite::memory:", "path of a file"},
		{"a URI", "sqlite:file:visits.db", "path of a file"},
		{"a directory", "sqlite:" + dir, "cannot be opened"},
		{"a directory that is not there", "sqlite:" + filepath.Join(dir, "canary", "visits.db"), "cannot be opened"},
		{"synchronous below FULL", "sqlite:" + filepath.Join(dir, "normal.db") + "?_pragma=synchronous(NORMAL)", "synchronous"},
		{"a port that is none", "postgres://user:canary@localhost:port/visits", "not one of a PostgreSQL database"},
		{"nobody there", "postgres://user:canary@127.0.0.1:1/visits", "connect"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := pipeline.Open(t.Context(), row.url, pipeline.Config{})
			require.ErrorContains(t, err, row.problem)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestOpenRefusesASQLiteFileThatIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visits.db")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
	_, err := pipeline.Open(t.Context(), "sqlite:"+path, pipeline.Config{})
	require.Error(t, err)
}

func TestOpenRefusesAConfig(t *testing.T) {
	c := newClinic(t)
	for name, change := range map[string]func(*pipeline.Config){
		"Deliver and DeliverTx": func(c *pipeline.Config) {
			c.DeliverTx = pipeline.NoDeliverTx
		},
		"Parallel":  func(c *pipeline.Config) { c.Parallel = -1 },
		"Lease":     func(c *pipeline.Config) { c.Lease = time.Millisecond },
		"RateLimit": func(c *pipeline.Config) { c.RateLimit = math.NaN() },
	} {
		t.Run(name, func(t *testing.T) {
			config := c.config()
			change(&config)
			_, err := pipeline.Open(t.Context(), sqliteURL(t), config)
			require.ErrorContains(t, err, name)
		})
	}
}

func TestOpenRefusesTablesOfANewerVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		river := "river_migration"
		if !strings.HasPrefix(url, "sqlite:") {
			river = "ambient_river.river_migration"
		}
		for _, change := range []string{
			`INSERT INTO ` + river + ` (line, version) VALUES ('main', 99)`,
			`UPDATE ambient_schema SET version = 99`,
		} {
			p := open(t, url, pipeline.Config{})
			require.NoError(t, p.Close())
			_, err := database(t, url).Exec(change)
			require.NoError(t, err)
			_, err = pipeline.Open(t.Context(), url, pipeline.Config{})
			require.ErrorContains(t, err, "newer")
			_, err = database(t, url).Exec(`DELETE FROM ` + river + ` WHERE version = 99`)
			require.NoError(t, err)
		}
	})
}

func TestOpenRefusesACommitThatMayBeLost(t *testing.T) {
	url := postgresURL(t)
	_, err := pipeline.Open(t.Context(), url+"&synchronous_commit=off", pipeline.Config{})
	require.ErrorContains(t, err, "synchronous_commit")
	_, err = database(t, url).Exec(`ALTER ROLE ambient SET synchronous_commit = 'off'`)
	require.NoError(t, err)
	_, err = pipeline.Open(t.Context(), url, pipeline.Config{})
	require.ErrorContains(t, err, "synchronous_commit")
	_, err = database(t, url).Exec(`ALTER ROLE ambient RESET synchronous_commit`)
	require.NoError(t, err)
}

// Many processes that open a new database at once make its tables once.
func TestOpenAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		errs := make(chan error)
		for range 6 {
			go func() {
				p, err := pipeline.Open(t.Context(), url, pipeline.Config{})
				if err == nil {
					err = p.Close()
				}
				errs <- err
			}()
		}
		for range 6 {
			require.NoError(t, <-errs)
		}
	})
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clinic 100%?#.db")
	require.NoError(t, os.WriteFile(path[:len(path)-len("?#.db")], nil, 0o644))
	for _, path := range []string{path[:len(path)-len("?#.db")], filepath.Join(t.TempDir(), "visits.db")} {
		p := open(t, "sqlite:"+path, pipeline.Config{})
		add(t, p, "visit")
		files, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
		}
	}
}

func TestKeys(t *testing.T) {
	good := []string{"a", "visit 4711", "MRN-77.2025-11-06", "Größe", strings.Repeat("k", 512), "visit.v2", "3f0e.17"}
	bad := []string{
		"", strings.Repeat("k", 513), strings.Repeat("k", 4096), "a\nb", "a\x00b", "a\u0085b", "a\x7fb", "a\xffb",
		"visits/jane.mp3", `C:\visits\jane`, "jane doe.mp3", "Jane.WAV", "jane.webm",
	}
	onBoth(t, func(t *testing.T, url string) {
		p := open(t, url, pipeline.Config{})
		n, err := p.Add(t.Context(), good...)
		require.NoError(t, err)
		assert.Equal(t, len(good), n)
		n, err = p.Add(t.Context(), append(good, "new", "new")...)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		for _, key := range bad {
			n, err := p.Add(t.Context(), "never", key)
			require.ErrorContains(t, err, "key 2 of 2", fmt.Sprintf("%.20q", key))
			assert.Zero(t, n)
			assert.NotContains(t, err.Error(), "jane")
		}
		assert.Len(t, visits(t, p), len(good)+1)
		require.NoError(t, p.Close())

		p = open(t, url, pipeline.Config{PathKeys: true})
		n, err = p.Add(t.Context(), "visits/jane.mp3", `C:\visits\jane`)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		_, err = p.Add(t.Context(), "visits/\n.mp3")
		require.Error(t, err)
	})
}

func TestResolve(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		c.FaultRange("POST /transcribe", 1, 3, unanswered)
		p := open(t, url, c.config())
		add(t, p, "adopt", "resubmit", "drop")
		drain(t, p)
		unknown := visits(t, p, pipeline.Unknown)
		require.Len(t, unknown, 3)
		for _, d := range []pipeline.Decision{{}, {Adopt: -1}, {Adopt: 1, Drop: true}, {Resubmit: true, Drop: true}} {
			require.Error(t, p.Resolve(t.Context(), "adopt", d))
		}
		require.ErrorIs(t, p.Resolve(t.Context(), "no such visit", pipeline.Decision{Drop: true}), pipeline.ErrNoVisit)

		id := c.lastTranscript(t)
		for status, err := range p.Visits(t.Context(), pipeline.Unknown) { // the loop may resolve
			require.NoError(t, err)
			d := map[string]pipeline.Decision{"adopt": {Adopt: id}, "resubmit": {Resubmit: true}, "drop": {Drop: true}}[status.Key]
			require.NoError(t, p.Resolve(t.Context(), status.Key, d))
		}
		require.ErrorContains(t, p.Resolve(t.Context(), "drop", pipeline.Decision{Resubmit: true}), "failed")
		drain(t, p)

		assert.Equal(t, "dropped", visit(t, p, "drop").Reason)
		require.Len(t, c.results("adopt"), 1)
		assert.False(t, c.results("adopt")[0].PossibleDuplicate)
		assert.Equal(t, id, c.results("adopt")[0].Transcript.ID)
		require.Len(t, c.results("resubmit"), 1)
		assert.True(t, c.results("resubmit")[0].PossibleDuplicate)
		c.AssertCount(t, "POST /transcribe", 4)
	})
}

// An id that belongs to another visit would bring its note to the wrong patient.
func TestResolveRefusesTheIDOfAnotherVisit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.config())
		add(t, p, "first")
		drain(t, p)
		c.Fault("POST /transcribe", 2, unanswered)
		add(t, p, "second")
		drain(t, p)
		id := visit(t, p, "first").TranscriptID
		require.ErrorContains(t, p.Resolve(t.Context(), "second", pipeline.Decision{Adopt: id}), "another visit")
		assert.Equal(t, pipeline.Unknown, visit(t, p, "second").State)
	})
}

func TestVisitsReadsInPages(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		p := open(t, url, pipeline.Config{})
		add(t, p, numbered(1234)...)
		all := visits(t, p, pipeline.Todo, pipeline.Sent)
		require.Len(t, all, 1234)
		assert.Equal(t, "visit-0001", all[0].Key)
		assert.Equal(t, "visit-1234", all[1233].Key)
		assert.Empty(t, visits(t, p, pipeline.Done))
		for range p.Visits(t.Context()) {
			break
		}
	})
}
