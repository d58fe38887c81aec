package pipeline

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
)

// River brings a visit that is due to a worker that is free, in whichever process. Its jobs say nothing but the key. To
// lose or repeat one does no harm, since the truth is in ambient_visit.

type jobArgs struct {
	Key string `json:"key"`
}

func (jobArgs) Kind() string { return "ambient_visit" }

type worker struct {
	river.WorkerDefaults[jobArgs]
	s *session
}

// Work never fails, since River would store the error.
func (w *worker) Work(_ context.Context, job *river.Job[jobArgs]) error {
	w.s.bring(job.Args.Key)
	return nil
}

// longest is for how long River lets a job run. An upload of any length fits. River's rescuer finds the jobs that a
// process left behind after that time, and ends them. Their visits have long gone on.
const longest = 24 * time.Hour

func queueOf(stage string) string { return "ambient_" + stage }

// newRiver makes the client of one Run.
func (s *session) newRiver() (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{s: s}); err != nil {
		return nil, err
	}
	queue := river.QueueConfig{MaxWorkers: s.p.config.Parallel}
	return river.NewClient(s.p.store.driver, &river.Config{
		ID:                          s.p.process.id,
		Schema:                      s.p.store.riverSchema,
		Logger:                      silent,
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{queueOf(stageTranscript): queue, queueOf(stageNote): queue, queueOf(stageDeliver): queue},
		JobTimeout:                  longest,
		RescueStuckJobsAfter:        longest + time.Hour,
		FetchCooldown:               20 * time.Millisecond,
		CompletedJobRetentionPeriod: time.Hour,
	})
}

type due struct{ key, stage string }

// feed gives River a job for each visit that is due and has none. It reports whether there may be more.
func (s *store) feed(ctx context.Context, client *river.Client[*sql.Tx], idle time.Duration) (more bool, err error) {
	const batch = 200
	tx, err := s.begin(ctx, idle)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	visits, err := rows(ctx, tx, func(r *sql.Rows) (d due, err error) { return d, r.Scan(&d.key, &d.stage) }, s.sql(`
		SELECT key, stage FROM ambient_visit v WHERE state = 'todo' AND owner IS NULL AND job = 0 AND not_before <= {now}
		ORDER BY not_before LIMIT $1 {skip locked}`), batch)
	if err != nil || len(visits) == 0 {
		return false, err
	}
	params := make([]river.InsertManyParams, len(visits))
	for i, v := range visits {
		params[i] = river.InsertManyParams{Args: jobArgs{Key: v.key}, InsertOpts: &river.InsertOpts{Queue: queueOf(v.stage)}}
	}
	jobs, err := client.InsertManyTx(ctx, tx, params)
	if err != nil {
		return false, err
	}
	for i, job := range jobs {
		if _, err := tx.ExecContext(ctx, `UPDATE ambient_visit SET job = $2 WHERE key = $1 AND state = 'todo' AND owner IS NULL`, visits[i].key, job.Job.ID); err != nil {
			return false, err
		}
	}
	return len(visits) == batch, tx.Commit()
}

// unfeed finds visits that wait for a job which River does not have any more, or which ran without a claim.
func (s *store) unfeed(ctx context.Context) error {
	_, err := s.change(ctx, `
		UPDATE ambient_visit SET job = 0 WHERE state = 'todo' AND owner IS NULL AND job <> 0 AND NOT EXISTS (
			SELECT 1 FROM {river}river_job j WHERE j.id = job AND j.state IN ('available', 'pending', 'retryable', 'scheduled'))`)
	return err
}

// anyDue reports whether a feed would find something, without the lock that a transaction takes on SQLite.
func (s *store) anyDue(ctx context.Context) (found bool, err error) {
	err = s.db.QueryRowContext(ctx, s.sql(`
		SELECT EXISTS (SELECT 1 FROM ambient_visit WHERE state = 'todo' AND owner IS NULL AND job = 0 AND not_before <= {now})`)).Scan(&found)
	return found, err
}
