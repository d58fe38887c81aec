package pipeline_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// What follows from a submit that fails, in one visit each.
func TestFailedSubmit(t *testing.T) {
	refused := []string{"POST /transcribe", "POST /scribe"}
	rows := []struct {
		name   string
		routes []string
		fault  ambienttest.Fault
		state  pipeline.State
		reason string
	}{
		{"400", refused, ambienttest.Answer(400), pipeline.Failed, "refused-400"},
		{"404", refused, ambienttest.Answer(404), pipeline.Failed, "refused-404"},
		{"413 before the body is read", refused, ambienttest.Answer(413), pipeline.Failed, "refused-413"},
		{"422", refused, ambienttest.Answer(422), pipeline.Failed, "refused-422"},
		{"401 twice is for another time", nil, ambienttest.Fault{}, pipeline.Done, ""},
		{"403", refused, ambienttest.Answer(403), pipeline.Done, ""},
		{"409", refused, ambienttest.Answer(409), pipeline.Done, ""},
		{"503", refused, ambienttest.Answer(503), pipeline.Done, ""},
		{"429", refused, ambienttest.RetryAfter(429, "1"), pipeline.Done, ""},
		{"500 that may have been processed", refused, ambienttest.Answer(500), pipeline.Unknown, "no-answer"},
		{"502 that was processed", refused, ambienttest.Fault{Status: 502, Process: true}, pipeline.Unknown, "no-answer"},
		{"no answer", refused, ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}, pipeline.Unknown, "no-answer"},
		{"no id in the answer", refused, ambienttest.Fault{Status: 202, Body: "{}"}, pipeline.Unknown, "no-answer"},
	}
	for _, row := range rows {
		for _, route := range row.routes {
			t.Run(row.name+" "+route, func(t *testing.T) {
				t.Parallel()
				c := newClinic(t)
				c.Fault(route, 1, row.fault)
				p := open(t, sqliteURL(t), c.config())
				add(t, p, "visit")
				drain(t, p)
				got := visit(t, p, "visit")
				assert.Equal(t, row.state, got.State)
				assert.Equal(t, row.reason, got.Reason)
				assert.Empty(t, c.Unreached())
				if row.state == pipeline.Done {
					c.AssertCount(t, route, 2)
					assert.False(t, c.results("visit")[0].PossibleDuplicate)
				} else {
					c.AssertCount(t, route, 1)
				}
				if row.state == pipeline.Unknown {
					assert.WithinDuration(t, time.Now(), got.Submitted, time.Minute)
				}
			})
		}
	}
}

func TestRefusedCredentialsFailNoVisit(t *testing.T) {
	c := newClinic(t)
	c.Fault("POST /auth/token", 1, ambienttest.Answer(422))
	p := open(t, sqliteURL(t), c.config())
	add(t, p, "visit")
	drain(t, p)
	assert.Equal(t, pipeline.Done, visit(t, p, "visit").State)
}

func TestResubmitSaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		c.Fault("POST /scribe", 1, ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true})
		config := c.config()
		config.Resubmit = true
		p := open(t, url, config)
		add(t, p, "visit")
		drain(t, p)
		require.Len(t, c.results("visit"), 1)
		assert.True(t, c.results("visit")[0].PossibleDuplicate)
		c.AssertCount(t, "POST /transcribe", 1)
		c.AssertCount(t, "POST /scribe", 2)
	})
}

func TestJobThatEndsBadly(t *testing.T) {
	rows := []struct {
		name   string
		script func(c *clinic)
		stage  string
		reason string
	}{
		{"transcription fails", func(c *clinic) {
			c.ScriptTranscription(ambienttest.TranscriptionFails(0, "synthetic canary")...)
		}, "transcript", "job-failed"},
		{"transcription ends in the middle", func(c *clinic) {
			c.ScriptTranscription(ambienttest.TranscriptionIncomplete(0, "synthetic canary")...)
		}, "transcript", "job-incomplete"},
		{"note fails", func(c *clinic) { c.ScriptScribe(ambienttest.ScribeFails(0)...) }, "note", "job-failed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			row.script(c)
			p := open(t, sqliteURL(t), c.config())
			add(t, p, "visit")
			drain(t, p)
			got := visit(t, p, "visit")
			assert.Equal(t, []any{pipeline.Failed, row.stage, row.reason}, []any{got.State, got.Stage, got.Reason})
			assert.NotZero(t, got.TranscriptID)
			assert.Empty(t, c.results("visit"))
		})
	}
}

// A job is forgiven that is not found, but not for long; an answer that is none is forgiven for ever.
func TestPollThatFails(t *testing.T) {
	t.Run("found later", func(t *testing.T) {
		t.Parallel()
		c := newClinic(t)
		c.FaultRange("GET /transcribe/{id}", 1, 3, ambienttest.Answer(404))
		c.Fault("GET /scribe/{id}", 1, ambienttest.ProxyHTML(500))
		c.Fault("GET /scribe/{id}", 2, ambienttest.Answer(401))
		p := open(t, sqliteURL(t), c.config())
		add(t, p, "visit")
		drain(t, p)
		assert.Equal(t, pipeline.Done, visit(t, p, "visit").State)
	})
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		c := newClinic(t)
		c.FaultRange("GET /transcribe/{id}", 1, 1000, ambienttest.Answer(404))
		p := open(t, sqliteURL(t), c.config())
		add(t, p, "visit")
		begin := time.Now()
		drain(t, p)
		assert.GreaterOrEqual(t, time.Since(begin), 10*time.Second)
		got := visit(t, p, "visit")
		assert.Equal(t, []any{pipeline.Failed, "job-gone"}, []any{got.State, got.Reason})
	})
}

func TestVisitWithoutNote(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		config := c.config()
		config.Source = pipeline.SourceFunc(func(context.Context, string) (*pipeline.Visit, error) {
			return &pipeline.Visit{Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic"))}, nil
		})
		p := open(t, url, config)
		add(t, p, "visit")
		drain(t, p)
		require.Len(t, c.results("visit"), 1)
		assert.Nil(t, c.results("visit")[0].Note)
		c.AssertCount(t, "POST /scribe", 0)
		got := visit(t, p, "visit")
		assert.Equal(t, []any{pipeline.Done, "deliver"}, []any{got.State, got.Stage})
	})
}

// Both submits carry patient, date and context, and the note is made from the transcript.
func TestVisitGoesWithBothSubmits(t *testing.T) {
	c := newClinic(t)
	config := c.config()
	config.Source = pipeline.SourceFunc(func(context.Context, string) (*pipeline.Visit, error) {
		return &pipeline.Visit{
			Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic")), PatientName: "Alex Example",
			DateOfService: time.Date(2025, 11, 6, 14, 5, 0, 0, time.UTC), AdditionalContext: map[string]any{"age": 42}, TemplateIDs: []int64{7, 8},
		}, nil
	})
	p := open(t, sqliteURL(t), config)
	add(t, p, "visit")
	drain(t, p)
	for _, route := range []string{"POST /transcribe", "POST /scribe"} {
		r := c.RequestsTo(route)[0]
		assert.Equal(t, "Alex Example", r.Value("patient_name"))
		assert.Equal(t, "2025-11-06T14:05:00Z", r.Value("date_of_service"))
		assert.JSONEq(t, `{"age":42}`, r.Value("additional_context"))
	}
	note := c.RequestsTo("POST /scribe")[0]
	assert.Equal(t, []string{"7", "8"}, note.Values("template_ids"))
	assert.Contains(t, note.Value("transcripts"), "synthetic visit")
	assert.Empty(t, note.Files)
}

func TestSource(t *testing.T) {
	mp3 := ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic"))
	var calls atomic.Int64
	rows := []struct {
		name   string
		source func(context.Context, string) (*pipeline.Visit, error)
		state  pipeline.State
		reason string
	}{
		{"no such visit", func(context.Context, string) (*pipeline.Visit, error) {
			return nil, fmt.Errorf("synthetic canary: %w", fs.ErrNotExist)
		}, pipeline.Failed, "source-missing"},
		{"without audio", func(context.Context, string) (*pipeline.Visit, error) { return &pipeline.Visit{}, nil }, pipeline.Failed, "request-invalid"},
		{"audio that is gone", func(context.Context, string) (*pipeline.Visit, error) {
			return &pipeline.Visit{Audio: ambient.AudioFile("/synthetic/canary.mp3")}, nil
		}, pipeline.Failed, "source-missing"},
		{"context that is no object", func(context.Context, string) (*pipeline.Visit, error) {
			return &pipeline.Visit{Audio: mp3, AdditionalContext: 7}, nil
		}, pipeline.Failed, "request-invalid"},
		{"an error", func(context.Context, string) (*pipeline.Visit, error) {
			return nil, errors.New("synthetic canary")
		}, pipeline.Todo, "source-failed"},
		{"a panic", func(context.Context, string) (*pipeline.Visit, error) { panic("synthetic canary") }, pipeline.Todo, "source-panicked"},
		{"nothing", func(context.Context, string) (*pipeline.Visit, error) { return nil, nil }, pipeline.Todo, "source-failed"},
		{"an error of a deadline", func(context.Context, string) (*pipeline.Visit, error) {
			return nil, context.DeadlineExceeded
		}, pipeline.Todo, "source-timeout"},
		{"audio that fails", func(context.Context, string) (*pipeline.Visit, error) {
			r := io.MultiReader(strings.NewReader("ID3 synthetic"+strings.Repeat(" ", 1<<17)), failingReader{})
			return &pipeline.Visit{Audio: ambient.AudioReader("visit.mp3", r)}, nil
		}, pipeline.Todo, "audio-failed"},
		{"a second try", func(context.Context, string) (*pipeline.Visit, error) {
			if calls.Add(1) == 1 {
				return nil, errors.New("synthetic canary")
			}
			return &pipeline.Visit{Audio: mp3}, nil
		}, pipeline.Done, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t)
			config := c.config()
			config.Source = pipeline.SourceFunc(row.source)
			p := open(t, sqliteURL(t), config)
			add(t, p, "visit")
			stop := start(t, p, time.Second)
			got := awaitVisit(t, p, "visit", func(s pipeline.Status) bool {
				return s.State == row.state && s.Reason == row.reason && (s.State != pipeline.Todo || s.Reason != "")
			})
			stop()
			if row.state == pipeline.Todo {
				assert.Less(t, got.NotBefore, time.Now().Add(6*time.Minute))
			}
		})
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("synthetic canary") }

// A source that hangs, and does not look at its context, holds up nobody for longer than its time.
func TestSourceThatHangs(t *testing.T) {
	c := newClinic(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	config := c.config()
	config.Parallel = 1
	config.Source = pipeline.SourceFunc(func(ctx context.Context, key string) (*pipeline.Visit, error) {
		if key == "hangs" {
			<-release
		}
		return c.Visit(ctx, key)
	})
	p := open(t, sqliteURL(t), config)
	pipeline.SetSourceTime(p, 200*time.Millisecond)
	add(t, p, "hangs", "other")
	start(t, p, time.Second)
	awaitVisit(t, p, "other", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	awaitVisit(t, p, "hangs", func(s pipeline.Status) bool { return s.Reason == "source-timeout" })
}

func TestDeliveryIsTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		var calls atomic.Int64
		config := c.config()
		config.Deliver = func(ctx context.Context, r *pipeline.Result) error {
			switch calls.Add(1) {
			case 1:
				return errors.New("synthetic canary")
			case 2:
				panic("synthetic canary")
			}
			return c.deliver(ctx, r)
		}
		p := open(t, url, config)
		add(t, p, "visit")
		drain(t, p)
		assert.EqualValues(t, 3, calls.Load())
		assert.Len(t, c.results("visit"), 1)
		c.AssertCount(t, "POST /scribe", 1)
	})
}

// Neither the database nor the log has anything of a patient, nor of an application's error or panic.
func TestNothingOfPatientsAtRest(t *testing.T) {
	c := newClinic(t, ambienttest.WithTranscript("synthetic canary transcript"), ambienttest.WithNote(map[string]any{"plan": "synthetic canary note"}))
	c.Fault("POST /transcribe", 1, ambienttest.Answer(422))
	c.Fault("POST /transcribe", 2, ambienttest.Fault{Status: 503, Body: "synthetic canary"})
	var logged bytes.Buffer
	var calls atomic.Int64
	config := c.config()
	config.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.Parallel = 1
	config.Source = pipeline.SourceFunc(func(ctx context.Context, key string) (*pipeline.Visit, error) {
		if calls.Add(1) == 3 {
			panic("synthetic canary panic")
		}
		return &pipeline.Visit{
			Audio: ambient.AudioBytes("canary.mp3", []byte("ID3 synthetic canary audio")), PatientName: "Canary Synthetic", TemplateIDs: []int64{7},
			AdditionalContext: map[string]string{"canary": "canary"},
		}, nil
	})
	config.Deliver = func(context.Context, *pipeline.Result) error {
		if calls.Add(1) < 6 {
			return errors.New("canary")
		}
		return nil
	}
	path := filepath.Join(t.TempDir(), "visits.db")
	p := open(t, "sqlite:"+path, config)
	add(t, p, "visit-1", "visit-2", "visit-3")
	drain(t, p)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Greater(t, len(files), 1)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, strings.ToLower(string(content)), "canary", file)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	assert.NotContains(t, strings.ToLower(logged.String()), "canary")
	assert.NotEmpty(t, logged.String())
}

// Exactly once, for tables in the same database: what a failed delivery wrote is not there.
func TestDeliverTx(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		var calls atomic.Int64
		config := c.config()
		config.Deliver, config.Lease = nil, 7*time.Second
		config.DeliverTx = func(ctx context.Context, tx *sql.Tx, r *pipeline.Result) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO note (visit) VALUES ($1)`, r.Key); err != nil {
				return err
			}
			if url[:6] != "sqlite" { // a process that freezes here holds up others no longer than its lease
				var idle string
				if err := tx.QueryRowContext(ctx, `SHOW idle_in_transaction_session_timeout`).Scan(&idle); err != nil || idle != "7s" {
					return fmt.Errorf("idle timeout %q: %w", idle, err)
				}
			}
			if calls.Add(1) == 1 {
				return errors.New("synthetic")
			}
			return nil
		}
		p := open(t, url, config)
		db := database(t, url)
		_, err := db.Exec(`CREATE TABLE note (visit text)`)
		require.NoError(t, err)
		add(t, p, "visit-1", "visit-2")
		drain(t, p)
		var n int
		require.NoError(t, db.QueryRow(`SELECT count(*) FROM note`).Scan(&n))
		assert.Equal(t, 2, n)
		assert.EqualValues(t, 3, calls.Load())
	})
}

func TestAddTx(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.config())
		db := database(t, url)
		for _, commit := range []bool{false, true} {
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			n, err := p.AddTx(t.Context(), tx, "visit-1", "visit-2", "visit-1")
			require.NoError(t, err)
			assert.Equal(t, 2, n)
			if !commit {
				require.NoError(t, tx.Rollback())
				assert.Empty(t, visits(t, p))
				continue
			}
			require.NoError(t, tx.Commit())
			assert.Len(t, visits(t, p, pipeline.Todo), 2)
		}
	})
}
