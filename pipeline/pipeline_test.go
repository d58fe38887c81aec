package pipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

func TestDrain(t *testing.T) {
	srv := ambienttest.Start(t, ambienttest.WithJobTime(time.Second))
	client, err := ambient.NewClient(ambient.WithBaseURL(srv.URL), ambient.WithCredentials(srv.Username, srv.Password))
	require.NoError(t, err)
	var mu sync.Mutex
	got := map[string]*pipeline.Result{}
	p, err := pipeline.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "visits.db"), pipeline.Config{
		Client: client,
		Source: pipeline.SourceFunc(func(ctx context.Context, key string) (*pipeline.Visit, error) {
			return &pipeline.Visit{Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic "+key)), TemplateIDs: []int64{7}}, nil
		}),
		Deliver: func(ctx context.Context, r *pipeline.Result) error {
			mu.Lock()
			defer mu.Unlock()
			got[r.Key] = r
			return nil
		},
	})
	require.NoError(t, err)
	defer p.Close()
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("visit-%d", i))
	}
	n, err := p.Add(t.Context(), keys...)
	require.NoError(t, err)
	assert.Equal(t, 20, n)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = p.Drain(ctx)
	for st, err := range p.Visits(t.Context()) {
		require.NoError(t, err)
		t.Logf("%+v", st)
	}
	require.NoError(t, err)
	assert.Len(t, got, 20)
	srv.AssertCount(t, "POST /transcribe", 20)
	srv.AssertCount(t, "POST /scribe", 20)
}
