package pipeline_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// gatedAudio is a synthetic recording that stops before its end until it is let go.
type gatedAudio struct {
	once    sync.Once
	reached chan struct{}
	release chan struct{}
}

const gatedSize = 256 << 10

func newGatedAudio() *gatedAudio {
	return &gatedAudio{reached: make(chan struct{}), release: make(chan struct{})}
}

func (a *gatedAudio) ReadAt(p []byte, at int64) (int, error) {
	n := int(min(int64(len(p)), gatedSize-at))
	if n <= 0 {
		return 0, io.EOF
	}
	if at > 0 {
		a.once.Do(func() { close(a.reached) })
		<-a.release
	}
	copy(p[:n], "ID3 synthetic")
	if at+int64(n) == gatedSize {
		return n, io.EOF
	}
	return n, nil
}

func (a *gatedAudio) Visit(context.Context, string) (*pipeline.Visit, error) {
	return &pipeline.Visit{Audio: ambient.AudioReaderAt("visit.mp3", a, gatedSize)}, nil
}

// complete counts the submits that arrived whole.
func complete(c *clinic, route string) (n int) {
	for _, r := range c.RequestsTo(route) {
		if r.Complete {
			n++
		}
	}
	return n
}

func TestRunEndsBeforeTheCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		audio := newGatedAudio()
		config := c.config()
		config.Source = audio
		p := open(t, url, config)
		add(t, p, "visit")
		stop := start(t, p, time.Minute)
		<-audio.reached
		begin := time.Now()
		stop()
		assert.Less(t, time.Since(begin), 30*time.Second)
		got := visit(t, p, "visit")
		assert.Equal(t, []any{pipeline.Todo, ""}, []any{got.State, got.Reason})
		close(audio.release)
		assert.Zero(t, complete(c, "POST /transcribe"))
	})
}

func TestRunWaitsForTheAnswerToWhatIsPastItsCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		c.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: 5 * time.Second})
		p := open(t, url, c.config())
		add(t, p, "visit")
		stop := start(t, p, time.Minute)
		awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Sent })
		stop()
		got := visit(t, p, "visit")
		assert.Equal(t, pipeline.Waiting, got.State)
		assert.NotZero(t, got.TranscriptID)
		drain(t, p) // Run may be called again
		assert.Len(t, c.results("visit"), 1)
		c.AssertCount(t, "POST /transcribe", 1)
	})
}

func TestRunEndsAfterItsGrace(t *testing.T) {
	c := newClinic(t)
	c.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: time.Minute, Process: true})
	p := open(t, sqliteURL(t), c.config())
	add(t, p, "visit")
	stop := start(t, p, 100*time.Millisecond)
	awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Sent })
	begin := time.Now()
	stop()
	assert.Less(t, time.Since(begin), 30*time.Second)
	got := visit(t, p, "visit")
	assert.Equal(t, []any{pipeline.Unknown, "no-answer"}, []any{got.State, got.Reason})
}

func TestOneProcessRunsOnAFile(t *testing.T) {
	c := newClinic(t)
	url := sqliteURL(t)
	first, second := open(t, url, c.config()), open(t, url, c.config())
	stop := start(t, first, time.Second)
	add(t, second, "visit")
	awaitVisit(t, second, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	require.ErrorIs(t, second.Run(t.Context(), 0), pipeline.ErrInUse)
	require.ErrorIs(t, second.Drain(t.Context()), pipeline.ErrInUse)
	add(t, second, "other")
	_, err := second.Step(t.Context(), "other")
	require.ErrorIs(t, err, pipeline.ErrInUse)
	require.ErrorContains(t, first.Run(t.Context(), 0), "runs already")
	stop()
	drain(t, second)
	assert.Len(t, visits(t, second, pipeline.Done), 2)
}

func TestRunNeedsItsHandlers(t *testing.T) {
	p := open(t, sqliteURL(t), pipeline.Config{})
	add(t, p, "visit")
	require.ErrorContains(t, p.Run(t.Context(), 0), "Client")
	_, err := p.Step(t.Context(), "visit")
	require.ErrorContains(t, err, "Client")
	require.NoError(t, p.Close())
	c := newClinic(t)
	p = open(t, sqliteURL(t), c.config())
	require.NoError(t, p.Close())
	require.ErrorContains(t, p.Run(t.Context(), 0), "closed")
}

func TestDrainEndsWithItsContext(t *testing.T) {
	c := newClinic(t, ambienttest.WithJobTime(time.Hour))
	p := open(t, sqliteURL(t), c.config())
	add(t, p, "visit")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.ErrorIs(t, p.Drain(ctx), context.DeadlineExceeded)
}

// Step does alone what Run does, one step a call.
func TestStep(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.config())
		add(t, p, "visit")
		steps := 0
		for {
			again, err := p.Step(t.Context(), "visit")
			require.NoError(t, err)
			if again == 0 {
				break
			}
			require.LessOrEqual(t, again, time.Minute)
			time.Sleep(min(again, time.Second))
			if steps++; steps > 100 {
				t.Fatal("too many steps")
			}
		}
		assert.Len(t, c.results("visit"), 1)
		assert.Equal(t, pipeline.Done, visit(t, p, "visit").State)
		_, err := p.Step(t.Context(), "no such visit")
		require.ErrorIs(t, err, pipeline.ErrNoVisit)
	})
}

// Steps that come at once leave a visit to one of them.
func TestStepsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.config())
		add(t, p, "visit")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := p.Step(context.WithoutCancel(t.Context()), "visit")
				assert.NoError(t, err)
			})
		}
		all.Wait()
		c.AssertCount(t, "POST /transcribe", 1)
	})
}
