// Package notes hands closed recordings to the pipeline and keeps the transcripts and notes that come back.
//
// The key of a visit in the pipeline is its code. What comes back is kept beside the recording.
package notes

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// A Config is what Open needs. All but Templates is required.
type Config struct {
	Store     *recording.Store
	Client    *ambient.Client
	Templates []int64 // of the note; without any there is only a transcript
	Logger    *slog.Logger
}

// Notes is safe for concurrent use.
type Notes struct {
	Config
	pipeline *pipeline.Pipeline
	closed   chan struct{} // holds one signal that a recording was closed
}

// A Result is what came of a visit.
type Result struct {
	Transcript        string                     `json:"transcript"`
	Note              map[string]json.RawMessage `json:"note,omitempty"` // as the service gave it: its shape is not published
	PossibleDuplicate bool                       `json:"possibleDuplicate,omitempty"`
}

// Open opens the pipeline's database, see pipeline.Open. Processes that share the database share the Store's directory.
func Open(ctx context.Context, databaseURL string, c Config) (*Notes, error) {
	n := &Notes{Config: c, closed: make(chan struct{}, 1)}
	p, err := pipeline.Open(ctx, databaseURL, pipeline.Config{
		Client: c.Client, Source: pipeline.SourceFunc(n.visit), Deliver: n.deliver, Logger: c.Logger,
	})
	n.pipeline = p
	return n, err
}

// Close closes the database.
func (n *Notes) Close() error { return n.pipeline.Close() }

// Run works on visits until ctx ends, and then as pipeline.Run says.
func (n *Notes) Run(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	var handOver sync.WaitGroup
	handOver.Go(func() { n.handOver(ctx) })
	defer handOver.Wait()
	defer cancel()
	return n.pipeline.Run(ctx, grace)
}

// Closed says that a recording was closed.
func (n *Notes) Closed() {
	select {
	case n.closed <- struct{}{}:
	default: // a signal is waiting already
	}
}

// lookEvery is how often the store is searched for closed recordings. Another process may have closed one, or may have
// died before it could hand one over.
const lookEvery = 30 * time.Second

func (n *Notes) handOver(ctx context.Context) {
	for {
		if err := n.addClosed(ctx); err != nil && ctx.Err() == nil {
			n.Logger.ErrorContext(ctx, "recordings could not be handed over", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-n.closed:
		case <-time.After(lookEvery):
		}
	}
}

// addClosed adds every closed recording without a result. The pipeline leaves those as they are that it knows.
func (n *Notes) addClosed(ctx context.Context) error {
	ids, err := n.Store.IDs()
	if err != nil {
		return err
	}
	var codes []string
	for _, id := range ids {
		if n.Store.HasResult(id) {
			continue
		}
		_, err := n.Store.Ending(id)
		if errors.Is(err, recording.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		r, err := n.Store.Recording(id)
		if err != nil {
			return err
		}
		codes = append(codes, r.Code)
	}
	_, err = n.pipeline.Add(ctx, codes...)
	return err
}

// visit is the pipeline's Source.
func (n *Notes) visit(_ context.Context, code string) (*pipeline.Visit, error) {
	r, err := n.Store.ByCode(code)
	if err != nil {
		return nil, missing(err)
	}
	path, err := n.Store.Audio(r)
	if err != nil {
		return nil, missing(err)
	}
	return &pipeline.Visit{Audio: ambient.AudioFile(path), DateOfService: r.Started, TemplateIDs: n.Templates}, nil
}

// missing says in the pipeline's words that there is no such recording, so that it does not try again.
func missing(err error) error {
	if errors.Is(err, recording.ErrNotFound) {
		return fs.ErrNotExist
	}
	return err
}

// deliver keeps a result. A second delivery of a visit takes the place of the first.
func (n *Notes) deliver(_ context.Context, r *pipeline.Result) error {
	kept, err := n.Store.ByCode(r.Key)
	if err != nil {
		return err
	}
	result := Result{Transcript: r.Transcript.RawText, PossibleDuplicate: r.PossibleDuplicate}
	if r.Note != nil {
		result.Note = r.Note.Extra
	}
	return n.Store.SaveResult(kept.ID, result)
}

// States returns the visits that are not done, by code.
func (n *Notes) States(ctx context.Context) (map[string]pipeline.Status, error) {
	states := map[string]pipeline.Status{}
	for status, err := range n.pipeline.Visits(ctx, pipeline.Todo, pipeline.Sent, pipeline.Waiting, pipeline.Unknown, pipeline.Failed) {
		if err != nil {
			return nil, err
		}
		states[status.Key] = status
	}
	return states, nil
}

// ErrNotUnknown refuses a decision about a visit that needs no decision.
var ErrNotUnknown = errors.New("notes: the visit does not need a decision")

// Resolve carries out a person's decision, see pipeline.Resolve.
func (n *Notes) Resolve(ctx context.Context, code string, d pipeline.Decision) error {
	for status, err := range n.pipeline.Visits(ctx, pipeline.Unknown) {
		if err != nil {
			return err
		}
		if status.Key == code {
			return n.pipeline.Resolve(ctx, code, d)
		}
	}
	return ErrNotUnknown
}
