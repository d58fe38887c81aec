package pipeline_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// Four processes share a limit that no answer tells them. The burst of the API forgives what is sent together after the
// machine of the test stood still for a second.
func TestRateLimitOverAFleet(t *testing.T) {
	c := newClinic(t, ambienttest.WithRateLimit(ambienttest.RateLimit{Algorithm: ambienttest.TokenBucket, Limit: 50, Burst: 50}))
	url := postgresURL(t)
	config := c.config()
	config.RateLimit, config.Parallel = 50, 8
	add(t, open(t, url, pipeline.Config{}), numbered(100)...)
	begin := time.Now()
	var all sync.WaitGroup
	for range 4 {
		// Each has a client of its own, as a process has.
		client, err := ambient.NewClient(ambient.WithBaseURL(c.URL), ambient.WithCredentials(c.Username, c.Password))
		require.NoError(t, err)
		config.Client = client
		p := open(t, url, config)
		all.Go(func() { assert.NoError(t, p.Drain(context.WithoutCancel(t.Context()))) })
	}
	all.Wait()
	took := time.Since(begin)
	refused, sent := 0, 0
	for _, r := range c.Requests() {
		switch {
		case r.Status == 429:
			refused++
		case r.Route != "POST /auth/token":
			sent++
		}
	}
	t.Logf("%d requests in %v, %.1f a second, %d refused", sent, took, float64(sent)/took.Seconds(), refused)
	assert.Len(t, visits(t, open(t, url, pipeline.Config{}), pipeline.Done), 100)
	assert.LessOrEqual(t, float64(sent)/took.Seconds(), 55.0)
	assert.LessOrEqual(t, refused, sent/20)
}

// What one process is refused, all hold back from.
func TestRefusalPausesTheFleet(t *testing.T) {
	const pause, look = 12 * time.Second, 3 * time.Second
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		c.Fault("POST /scribe", 1, ambienttest.RetryAfter(429, fmt.Sprint(pause.Seconds())))
		p := open(t, url, pipeline.Config{})
		processes := 2
		if strings.HasPrefix(url, "sqlite:") {
			processes = 1
		}
		for range processes {
			client, err := ambient.NewClient(ambient.WithBaseURL(c.URL), ambient.WithCredentials(c.Username, c.Password))
			require.NoError(t, err)
			config := c.config()
			config.Client, config.Parallel = client, 1
			start(t, open(t, url, config), time.Second)
		}
		keys := numbered(6)
		add(t, p, keys[:2]...)
		require.Eventually(t, func() bool { return len(c.RequestsTo("POST /scribe")) > 0 }, time.Minute, 10*time.Millisecond)
		refused := c.RequestsTo("POST /scribe")[0].Time
		time.Sleep(look) // until each process has seen the pause
		add(t, p, keys[2:]...)
		require.Eventually(t, func() bool { return len(visits(t, p, pipeline.Done)) == len(keys) }, time.Minute, 100*time.Millisecond)
		early := 0
		for _, r := range c.RequestsTo("POST /scribe")[1:] {
			if r.Time.Sub(refused) < pause {
				early++
			}
		}
		assert.LessOrEqual(t, early, 1, "the second visit alone may be sent before the other process looks")
		third := c.RequestsTo("POST /transcribe")[2] // added after the refusal
		assert.Less(t, third.Time.Sub(refused), pause, "another endpoint goes on")
	})
}

// A limiter that cannot ask its database lets requests go.
func TestRateLimitFailsOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		config := c.config()
		config.RateLimit = 0.001
		p := open(t, url, config)
		_, err := database(t, url).Exec(`DROP TABLE ambient_limit`)
		require.NoError(t, err)
		add(t, p, "visit")
		drain(t, p)
		assert.Len(t, c.results("visit"), 1)
	})
}

// The client's own limit is no refusal by the service: nothing is given back to the database for it.
func TestLimitOfTheClient(t *testing.T) {
	c := newClinic(t)
	client, err := ambient.NewClient(ambient.WithBaseURL(c.URL), ambient.WithCredentials(c.Username, c.Password), ambient.WithRateLimit(10, 1))
	require.NoError(t, err)
	config := c.config()
	config.Client = client
	url := sqliteURL(t)
	p := open(t, url, config)
	add(t, p, numbered(4)...)
	drain(t, p)
	assert.Len(t, visits(t, p, pipeline.Done), 4)
	var pauses int
	require.NoError(t, database(t, url).QueryRow(`SELECT count(*) FROM ambient_limit`).Scan(&pauses))
	assert.Zero(t, pauses)
}

// rowWrites counts the writes of a table from now on, by a trigger on SQLite.
func rowWrites(t *testing.T, db *sql.DB, table string) func() int {
	t.Helper()
	statements := []string{`CREATE TABLE writes (n integer)`}
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		statements = append(statements, fmt.Sprintf(`CREATE TRIGGER count_%s AFTER %s ON %s BEGIN INSERT INTO writes VALUES (1); END`, event, event, table))
	}
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	return func() (n int) {
		require.NoError(t, db.QueryRow(`SELECT count(*) FROM writes`).Scan(&n))
		return n
	}
}

// A wait costs the database two writes a job, however often it is polled: the id, and the end.
func TestRowWritesOfAWait(t *testing.T) {
	c := newClinic(t, ambienttest.WithJobTime(5*time.Second))
	url := sqliteURL(t)
	p := open(t, url, c.config())
	add(t, p, "visit")
	stop := start(t, p, time.Second)
	defer stop()
	awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Sent || s.State == pipeline.Waiting })
	count := rowWrites(t, database(t, url), "ambient_visit")
	awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.Stage == "note" })
	assert.GreaterOrEqual(t, len(c.RequestsTo("GET /transcribe/{id}")), 3)
	assert.LessOrEqual(t, count(), 5) // the feed and the claim of the note among them
}
