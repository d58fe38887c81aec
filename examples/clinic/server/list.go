package server

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go/examples/clinic/notes"
	"github.com/ambient-scribe/ambient-go/examples/clinic/recording"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// maxVisits is how many visits of a user the page shows, the newest first.
const maxVisits = 100

// A visit is one line of the page's list.
type visit struct {
	ID          string    `json:"id"`
	Code        string    `json:"code"`
	Started     time.Time `json:"started"`
	State       string    `json:"state"` // "recording" while it is open, and then the pipeline's
	Chunks      int       `json:"chunks,omitempty"`
	Interrupted bool      `json:"interrupted,omitempty"`
	Stage       string    `json:"stage,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Submitted   time.Time `json:"submitted,omitzero"`
	owner       string
	ended       bool
}

// lists are the lists of all users. They are made once a second at most, however many browsers look, and what can no
// longer change is read from the disk once.
type lists struct {
	store *recording.Store
	notes *notes.Notes

	mu     sync.Mutex // guards what follows
	known  map[string]*visit
	byUser map[string][]visit
	made   time.Time
}

// of returns the newest visits of a user.
func (l *lists) of(ctx context.Context, user string) ([]visit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.made) >= lookEvery {
		if err := l.make(ctx); err != nil {
			return nil, err
		}
		l.made = time.Now()
	}
	return append([]visit{}, l.byUser[user]...), nil
}

func (l *lists) make(ctx context.Context) error {
	ids, err := l.store.IDs()
	if err != nil {
		return err
	}
	newest := map[string][]*visit{}
	for _, id := range ids {
		v, err := l.find(id)
		if errors.Is(err, recording.ErrNotFound) { // it is being created
			continue
		}
		if err != nil {
			return err
		}
		newest[v.owner] = append(newest[v.owner], v)
	}
	states, err := l.notes.States(ctx)
	if err != nil {
		return err
	}
	l.byUser = map[string][]visit{}
	for user, list := range newest {
		slices.SortFunc(list, func(a, b *visit) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.ID, b.ID)) })
		for _, v := range list[:min(len(list), maxVisits)] {
			if err := l.refresh(v, states); err != nil {
				return err
			}
			l.byUser[user] = append(l.byUser[user], *v)
		}
	}
	return nil
}

// find reads a recording once.
func (l *lists) find(id string) (*visit, error) {
	if v := l.known[id]; v != nil {
		return v, nil
	}
	r, err := l.store.Recording(id)
	if err != nil {
		return nil, err
	}
	v := &visit{ID: id, Code: r.Code, Started: r.Started, owner: r.Owner}
	l.known[id] = v
	return v, nil
}

// refresh brings the state of a visit up to date. What is done stays done.
func (l *lists) refresh(v *visit, states map[string]pipeline.Status) error {
	if v.State == string(pipeline.Done) {
		return nil
	}
	if !v.ended {
		ending, err := l.store.Ending(v.ID)
		if errors.Is(err, recording.ErrNotFound) {
			return l.count(v)
		}
		if err != nil {
			return err
		}
		v.ended, v.Interrupted, v.Chunks = true, ending.Interrupted, 0
	}
	status, known := states[v.Code]
	if !known { // it has not been handed over yet, or is done
		status = pipeline.Status{State: pipeline.Todo}
	}
	if l.store.HasResult(v.ID) {
		status = pipeline.Status{State: pipeline.Done}
	}
	v.State, v.Stage, v.Reason, v.Submitted = string(status.State), status.Stage, status.Reason, status.Submitted
	return nil
}

func (l *lists) count(v *visit) error {
	have, err := l.store.Have(v.ID)
	v.State, v.Chunks = "recording", len(have)
	return err
}
