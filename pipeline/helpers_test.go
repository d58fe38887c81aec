package pipeline_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
	"github.com/ambient-scribe/ambient-go/pipeline/internal/postgrestest"
)

// The cluster is shared by all tests of the package: each has a database of its own.
var cluster struct {
	once   sync.Once
	server *postgrestest.Server
	err    error
	names  atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if cluster.server != nil {
		if err := cluster.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// postgresURL is that of a new database. Without PostgreSQL the test is skipped, but not in CI.
func postgresURL(t *testing.T) string {
	t.Helper()
	cluster.once.Do(func() { cluster.server, cluster.err = postgrestest.Start("") })
	if errors.Is(cluster.err, postgrestest.ErrAbsent) && os.Getenv("CI") == "" {
		t.Skip(cluster.err)
	}
	require.NoError(t, cluster.err)
	url, err := cluster.server.Create(t.Context(), fmt.Sprintf("test%d", cluster.names.Add(1)))
	require.NoError(t, err)
	return url
}

func sqliteURL(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "visits.db")
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, sqliteURL(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, postgresURL(t)) })
}

// A clinic is an application with its fake API: a source that has every visit, and a deliverer that keeps what it gets.
type clinic struct {
	*ambienttest.Server
	client *ambient.Client

	mu        sync.Mutex
	delivered map[string][]*pipeline.Result
}

func newClinic(t *testing.T, opts ...ambienttest.Option) *clinic {
	t.Helper()
	c := &clinic{Server: ambienttest.NewServer(append([]ambienttest.Option{ambienttest.WithJobTime(100 * time.Millisecond)}, opts...)...), delivered: map[string][]*pipeline.Result{}}
	t.Cleanup(c.Close)
	var err error
	c.client, err = ambient.NewClient(ambient.WithBaseURL(c.URL), ambient.WithCredentials(c.Username, c.Password))
	require.NoError(t, err)
	return c
}

func (c *clinic) Visit(_ context.Context, key string) (*pipeline.Visit, error) {
	return &pipeline.Visit{
		Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic "+key)), PatientName: "Synthetic Canary " + key, TemplateIDs: []int64{7},
	}, nil
}

func (c *clinic) deliver(_ context.Context, r *pipeline.Result) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delivered[r.Key] = append(c.delivered[r.Key], r)
	return nil
}

func (c *clinic) results(key string) []*pipeline.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delivered[key]
}

func (c *clinic) config() pipeline.Config {
	return pipeline.Config{Client: c.client, Source: c, Deliver: c.deliver}
}

func open(t *testing.T, url string, config pipeline.Config) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Open(t.Context(), url, config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func add(t *testing.T, p *pipeline.Pipeline, keys ...string) {
	t.Helper()
	_, err := p.Add(t.Context(), keys...)
	require.NoError(t, err)
}

// drain runs until nothing is left that goes on by itself.
func drain(t *testing.T, p *pipeline.Pipeline) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, p.Drain(ctx))
}

// start runs until the function that it returns is called.
func start(t *testing.T, p *pipeline.Pipeline, grace time.Duration) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, grace) }()
	stop = sync.OnceFunc(func() { cancel(); assert.NoError(t, <-ended) })
	t.Cleanup(stop)
	return stop
}

func visits(t *testing.T, p *pipeline.Pipeline, states ...pipeline.State) (all []pipeline.Status) {
	t.Helper()
	for status, err := range p.Visits(t.Context(), states...) {
		require.NoError(t, err)
		all = append(all, status)
	}
	return all
}

func visit(t *testing.T, p *pipeline.Pipeline, key string) pipeline.Status {
	t.Helper()
	for _, status := range visits(t, p) {
		if status.Key == key {
			return status
		}
	}
	t.Fatalf("no visit %s", key)
	return pipeline.Status{}
}

// awaitVisit waits until a visit is as it should be.
func awaitVisit(t *testing.T, p *pipeline.Pipeline, key string, ok func(pipeline.Status) bool) pipeline.Status {
	t.Helper()
	var last pipeline.Status
	require.Eventually(t, func() bool { last = visit(t, p, key); return ok(last) }, time.Minute, 20*time.Millisecond, "last seen: %+v", &last)
	return last
}

func numbered(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("visit-%04d", i+1))
	}
	return keys
}

// database is a connection of the test's own.
func database(t *testing.T, url string) *sql.DB {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// unanswered is a submit that the service has, and whose answer is lost.
var unanswered = ambienttest.Fault{Reset: ambienttest.ResetAfterRead, Process: true}

// lastTranscript is the id of the last transcription that the API has.
func (c *clinic) lastTranscript(t *testing.T) int64 {
	t.Helper()
	last := int64(0)
	for id := int64(101); ; id++ { // the fake API counts from here
		if _, err := c.client.Transcriptions.Get(t.Context(), id); err != nil {
			require.NotZero(t, last)
			return last
		}
		last = id
	}
}

// newCluster is a PostgreSQL of the test's own, which it may crash.
func newCluster(t *testing.T) *postgrestest.Server {
	t.Helper()
	server, err := postgrestest.Start("")
	if errors.Is(err, postgrestest.ErrAbsent) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	return server
}
