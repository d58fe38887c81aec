package main

import (
	"fmt"
	"sync"

	"github.com/ambient-scribe/ambient-go/cmd/ambient/internal/folder"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// A book knows which recording a key of the database stands for. The database
// itself holds no name.
type book struct {
	mu     sync.Mutex
	byKey  map[string]folder.Recording
	byName map[string]string // keys
}

func newBook() *book {
	return &book{byKey: map[string]folder.Recording{}, byName: map[string]string{}}
}

func (b *book) enter(key string, r folder.Recording) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byKey[key] = r
	b.byName[r.Name] = key
}

// strike forgets keys.
func (b *book) strike(keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		delete(b.byName, b.byKey[key].Name)
		delete(b.byKey, key)
	}
}

func (b *book) find(key string) (folder.Recording, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.byKey[key]
	return r, ok
}

// key is the key of a recording, if it was entered as it is now.
func (b *book) key(r folder.Recording) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.byName[r.Name]
	was, ok := b.byKey[key]
	return key, ok && was.Size == r.Size && was.Modified.Equal(r.Modified)
}

func (b *book) known(r folder.Recording) bool {
	_, ok := b.key(r)
	return ok
}

// states are the visits of a database, by key.
type states map[string]pipeline.Status

// current is the key of a recording's last try. The first try has the plain key,
// and the others have a number too.
func (s states) current(key string) string {
	last := key
	for n := 2; ; n++ {
		next := fmt.Sprintf("%s-%d", key, n)
		if _, ok := s[next]; !ok {
			return last
		}
		last = next
	}
}

// again is the key of the next try.
func (s states) again(key string) string {
	for n := 2; ; n++ {
		next := fmt.Sprintf("%s-%d", key, n)
		if _, ok := s[next]; !ok {
			return next
		}
	}
}

// needsPerson reports whether a visit goes on only if a person decides so. What
// was dropped has been decided.
func needsPerson(s pipeline.Status) bool {
	return s.State == pipeline.Unknown || s.State == pipeline.Failed && s.Reason != "dropped"
}
