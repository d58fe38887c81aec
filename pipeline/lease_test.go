package pipeline_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// expire makes all processes count as dead, as if they had been frozen for longer than their lease.
func expire(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.Exec(`UPDATE ambient_process SET alive_until = 0`)
	require.NoError(t, err)
}

// shortLease is a pipeline that soon looks after what dead processes have left.
func (c *clinic) shortLease() pipeline.Config {
	config := c.config()
	config.Lease = 6 * time.Second
	return config
}

// A process that is frozen during an upload has not submitted: another one goes on, and the first is cut at its last byte.
func TestProcessThatIsTakenForDeadBeforeItsCommit(t *testing.T) {
	c := newClinic(t)
	url := postgresURL(t)
	audio := newGatedAudio()
	config := c.config()
	config.Lease, config.Source = time.Hour, audio
	frozen := open(t, url, config)
	add(t, frozen, "visit")
	stop := start(t, frozen, time.Second)
	<-audio.reached

	expire(t, database(t, url))
	other := open(t, url, c.shortLease())
	drain(t, other)
	close(audio.release)
	require.Eventually(t, func() bool { return len(c.RequestsTo("POST /transcribe")) == 2 }, time.Minute, 10*time.Millisecond)
	stop()
	assert.Equal(t, 1, complete(c, "POST /transcribe"))
	assert.Len(t, c.results("visit"), 1)
	assert.False(t, c.results("visit")[0].PossibleDuplicate)
}

// A process that is frozen after its commit leaves a doubt, which the answer ends when it comes after all.
func TestProcessThatIsTakenForDeadAfterItsCommit(t *testing.T) {
	c := newClinic(t)
	c.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: 10 * time.Second})
	url := postgresURL(t)
	config := c.config()
	config.Lease = time.Hour
	frozen := open(t, url, config)
	add(t, frozen, "visit")
	stop := start(t, frozen, time.Second)
	awaitVisit(t, frozen, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Sent })

	expire(t, database(t, url))
	other := open(t, url, c.shortLease())
	start(t, other, time.Second)
	awaitVisit(t, other, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Unknown && s.Reason == "process-died" })
	awaitVisit(t, other, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	stop()
	c.AssertCount(t, "POST /transcribe", 1)
	assert.Len(t, c.results("visit"), 1)
}

// What a process holds in the database and does not work on, since the answer to its claim was lost, goes on.
func TestProcessReleasesWhatItDoesNotWorkOn(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		p := open(t, url, c.shortLease())
		start(t, p, time.Second)
		db := database(t, url)
		var process string
		require.Eventually(t, func() bool {
			return db.QueryRow(`SELECT id FROM ambient_process`).Scan(&process) == nil
		}, time.Minute, 10*time.Millisecond)
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = p.AddTx(t.Context(), tx, "visit")
		require.NoError(t, err)
		_, err = tx.Exec(`UPDATE ambient_visit SET owner = $1`, process)
		require.NoError(t, err)
		_, err = tx.Exec(`UPDATE ambient_process SET alive_until = 0`)
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	})
}

// Whatever becomes of River's jobs, the visits go on: the truth is not there.
func TestRiverLosesItsJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := newClinic(t)
		audio := newGatedAudio()
		config := c.shortLease()
		config.Parallel, config.Source = 1, audio
		p := open(t, url, config)
		add(t, p, numbered(5)...)
		start(t, p, time.Second)
		<-audio.reached
		db := database(t, url)
		table := "river_job"
		if url[:6] != "sqlite" {
			table = "ambient_river.river_job"
		}
		require.Eventually(t, func() bool {
			var n int
			return db.QueryRow(`SELECT count(*) FROM `+table).Scan(&n) == nil && n == 5
		}, time.Minute, 10*time.Millisecond)
		_, err := db.Exec(`DELETE FROM ` + table + ` WHERE state = 'available'`)
		require.NoError(t, err)
		close(audio.release)
		require.Eventually(t, func() bool { return len(visits(t, p, pipeline.Done)) == 5 }, time.Minute, 100*time.Millisecond)
		c.AssertCount(t, "POST /transcribe", 5)
	})
}

func TestDatabaseThatCrashes(t *testing.T) {
	server := newCluster(t)
	url, err := server.Create(t.Context(), "visits")
	require.NoError(t, err)
	c := newClinic(t)
	c.Fault("POST /transcribe", 1, ambienttest.Fault{Delay: 3 * time.Second})
	p := open(t, url, c.shortLease())
	add(t, p, "visit")
	stop := start(t, p, time.Minute)
	awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Sent })
	require.NoError(t, server.Crash())

	_, err = pipeline.Open(t.Context(), url, pipeline.Config{}) // which does not wait
	require.Error(t, err)
	_, err = p.Add(t.Context(), "other")
	require.Error(t, err)
	require.Eventually(t, func() bool { return complete(c, "POST /transcribe") == 1 }, time.Minute, 10*time.Millisecond)
	time.Sleep(3 * time.Second) // the answer comes while the database is away
	require.NoError(t, server.Resume())

	awaitVisit(t, p, "visit", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	stop()
	c.AssertCount(t, "POST /transcribe", 1)

	require.NoError(t, server.Crash())
	stop = start(t, p, 0) // a Run that begins while the database is away
	time.Sleep(time.Second)
	require.NoError(t, server.Resume())
	add(t, p, "later")
	awaitVisit(t, p, "later", func(s pipeline.Status) bool { return s.State == pipeline.Done })
	stop()
}
