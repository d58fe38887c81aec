package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// This file is the life of a visit. Each statement is one arrow, a compare-and-set, and changes nothing unless the
// visit still is as its holder believes. The stages "transcript" and "note" go through all of it, "deliver" goes from todo to done.
//
//	          claim          commit          accept            finish
//	  todo ──────────▶ held ────────▶ sent ────────▶ waiting ────────▶ todo of the next stage, in the end done
//	   ▲                │              │                │
//	   │     later      │    later     │                │ fail
//	   ├────────────────┴──────────────┤                ▼
//	   │            resolve            │ doubt        failed
//	   └──────── unknown ◀─────────────┘
//
// A holder proves that it is one by its process (owner) and by the number of its claim (attempt). The lease is the
// process's, whose row says until when it counts as alive.

// A visit is a row as its holder knows it.
type visit struct {
	key          string
	stage        string
	attempt      int64
	transcriptID int64
	noteID       int64
	failures     int
	duplicate    bool
	age          time.Duration // since the commit
}

const visitColumns = `key, stage, attempt, transcript_id, note_id, failures, duplicate, {now} - submitted`

func scanVisit(r *sql.Rows) (*visit, error) {
	var v visit
	var age int64
	err := r.Scan(&v.key, &v.stage, &v.attempt, &v.transcriptID, &v.noteID, &v.failures, &v.duplicate, &age)
	v.age = max(time.Duration(age)*time.Millisecond, 0)
	return &v, err
}

// setJob notes the service's id of the stage.
func (v *visit) setJob(id int64) {
	v.age = 0
	if v.stage == stageNote {
		v.noteID = id
	} else {
		v.transcriptID = id
	}
}

// claim takes a visit that is due for a process that is alive. Without one it returns nil.
func (s *store) claim(ctx context.Context, key, owner string) (*visit, error) {
	found, err := rows(ctx, s.db, scanVisit, s.sql(`
		UPDATE ambient_visit SET owner = $2, attempt = attempt + 1, job = 0
		WHERE key = $1 AND state = 'todo' AND owner IS NULL AND not_before <= {now}
			AND EXISTS (SELECT 1 FROM ambient_process WHERE id = $2 AND alive_until > {now})
		RETURNING `+visitColumns), key, owner)
	if len(found) == 0 {
		return nil, err
	}
	return found[0], err
}

// commit is the point of no return of a submit. It fails where the process has lost the visit, or counts as dead.
func (s *store) commit(ctx context.Context, v *visit, owner string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'sent', submitted = {now}
		WHERE key = $1 AND stage = $2 AND attempt = $3 AND owner = $4 AND state IN ('todo', 'sent')
			AND EXISTS (SELECT 1 FROM ambient_process WHERE id = $4 AND alive_until > {now})`,
		v.key, v.stage, v.attempt, owner)
}

// The outcome of a submit counts until the visit is claimed again, also where the process that brings it was taken for
// dead before that.
const outcomeOf = ` WHERE key = $1 AND stage = $2 AND attempt = $3 AND state IN ('todo', 'sent', 'unknown')`

// accept notes the service's id. owner is the process that polls from now on, empty for whoever comes first.
func (s *store) accept(ctx context.Context, v *visit, id int64, duplicate bool, owner string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'waiting', owner = nullif($4, ''), reason = '', failures = 0, job = 0,
			transcript_id = CASE stage WHEN 'transcript' THEN $5 ELSE transcript_id END,
			note_id = CASE stage WHEN 'note' THEN $5 ELSE note_id END,
			duplicate = {max}(duplicate, $6)`+outcomeOf,
		v.key, v.stage, v.attempt, owner, id, number(duplicate))
}

// later gives a visit back that was not submitted, for another try after a while.
func (s *store) later(ctx context.Context, v *visit, wait time.Duration, failures int, reason string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'todo', owner = NULL, job = 0, not_before = {now} + $4, failures = $5, reason = $6`+outcomeOf,
		v.key, v.stage, v.attempt, wait.Milliseconds(), failures, reason)
}

// doubt leaves to a person what may have been submitted.
func (s *store) doubt(ctx context.Context, v *visit, reason string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'unknown', owner = NULL, job = 0, reason = $4`+outcomeOf,
		v.key, v.stage, v.attempt, reason)
}

// resubmit gives back what may have been submitted, where Config.Resubmit is set.
func (s *store) resubmit(ctx context.Context, v *visit, wait time.Duration, reason string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'todo', owner = NULL, job = 0, not_before = {now} + $4, failures = failures + 1, reason = $5, duplicate = 1`+outcomeOf,
		v.key, v.stage, v.attempt, wait.Milliseconds(), reason)
}

// fail ends a visit that the service or the source refuses.
func (s *store) fail(ctx context.Context, v *visit, reason string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'failed', owner = NULL, job = 0, reason = $4`+outcomeOf,
		v.key, v.stage, v.attempt, reason)
}

// finish ends the wait for a job that ended well.
func (s *store) finish(ctx context.Context, v *visit, owner, next string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET stage = $5, state = 'todo', owner = NULL, job = 0, not_before = {now}, reason = '', failures = 0
		WHERE key = $1 AND stage = $2 AND attempt = $3 AND owner = $4 AND state = 'waiting'`,
		v.key, v.stage, v.attempt, owner, next)
}

// failJob ends the wait for a job that ended badly.
func (s *store) failJob(ctx context.Context, v *visit, owner, reason string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET state = 'failed', owner = NULL, reason = $5
		WHERE key = $1 AND stage = $2 AND attempt = $3 AND owner = $4 AND state = 'waiting'`,
		v.key, v.stage, v.attempt, owner, reason)
}

// skipNote takes a visit that has no templates from its note to its delivery, in the same hands.
func (s *store) skipNote(ctx context.Context, v *visit, owner string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET stage = 'deliver', reason = '', failures = 0
		WHERE key = $1 AND stage = 'note' AND attempt = $2 AND owner = $3 AND state = 'todo'`,
		v.key, v.attempt, owner)
}

// done ends a visit that was delivered. db may be the delivery's transaction.
func (s *store) done(ctx context.Context, db execer, v *visit) (bool, error) {
	return changeIn(ctx, db, s.sql(`
		UPDATE ambient_visit SET state = 'done', owner = NULL, job = 0, reason = '', failures = 0
		WHERE key = $1 AND stage = 'deliver' AND attempt = $2 AND state = 'todo'`),
		v.key, v.attempt)
}

// adopt takes waiting visits that no process polls.
func (s *store) adopt(ctx context.Context, owner string) ([]*visit, error) {
	return rows(ctx, s.db, scanVisit, s.sql(`
		UPDATE ambient_visit SET owner = $1 WHERE state = 'waiting' AND owner IS NULL AND key IN (
			SELECT key FROM ambient_visit v WHERE state = 'waiting' AND owner IS NULL LIMIT 1000 {skip locked})
		RETURNING `+visitColumns), owner)
}

// adoptOne takes one waiting visit that no process polls, or returns nil.
func (s *store) adoptOne(ctx context.Context, key, owner string) (*visit, error) {
	found, err := rows(ctx, s.db, scanVisit, s.sql(`
		UPDATE ambient_visit SET owner = $2 WHERE key = $1 AND state = 'waiting' AND owner IS NULL RETURNING `+visitColumns), key, owner)
	if len(found) == 0 {
		return nil, err
	}
	return found[0], err
}

// The dead are processes whose lease has run out, and those that have ended.
const heldByDead = ` owner IS NOT NULL AND owner NOT IN (SELECT id FROM ambient_process WHERE alive_until > {now})`

// release gives back what dead processes held and had not submitted.
func (s *store) release(ctx context.Context) error {
	_, err := s.change(ctx, `UPDATE ambient_visit SET owner = NULL, job = 0 WHERE state IN ('todo', 'waiting') AND`+heldByDead)
	return err
}

// orphan leaves to a person, or with Config.Resubmit submits again, what dead processes held past its commit.
func (s *store) orphan(ctx context.Context, again bool) error {
	statement := `UPDATE ambient_visit SET state = 'unknown', owner = NULL, job = 0, reason = 'process-died' WHERE state = 'sent' AND`
	if again {
		statement = `UPDATE ambient_visit SET state = 'todo', owner = NULL, job = 0, not_before = {now}, reason = 'process-died', duplicate = 1 WHERE state = 'sent' AND`
	}
	_, err := s.change(ctx, statement+heldByDead)
	return err
}

// letGo gives back one visit that its process holds and does not work on.
func (s *store) letGo(ctx context.Context, key string, attempt int64, owner string) (bool, error) {
	return s.change(ctx, `
		UPDATE ambient_visit SET owner = NULL, job = 0 WHERE key = $1 AND attempt = $2 AND owner = $3 AND state IN ('todo', 'waiting')`,
		key, attempt, owner)
}

// resolve carries out a person's decision.
func (s *store) resolve(ctx context.Context, key string, d Decision) (bool, error) {
	switch {
	case d.Adopt > 0:
		return s.change(ctx, `
			UPDATE ambient_visit SET state = 'waiting', reason = '', failures = 0,
				transcript_id = CASE stage WHEN 'transcript' THEN $2 ELSE transcript_id END,
				note_id = CASE stage WHEN 'note' THEN $2 ELSE note_id END
			WHERE key = $1 AND state = 'unknown' AND NOT EXISTS (
				SELECT 1 FROM ambient_visit v WHERE ambient_visit.stage = 'transcript' AND v.transcript_id = $2 OR ambient_visit.stage = 'note' AND v.note_id = $2)`,
			key, d.Adopt)
	case d.Resubmit:
		return s.change(ctx, `
			UPDATE ambient_visit SET state = 'todo', not_before = {now}, reason = '', failures = 0, duplicate = 1 WHERE key = $1 AND state = 'unknown'`, key)
	default:
		return s.change(ctx, `UPDATE ambient_visit SET state = 'failed', reason = 'dropped' WHERE key = $1 AND state = 'unknown'`, key)
	}
}

// add adds visits that are not known yet, to be committed with tx.
func (s *store) add(ctx context.Context, tx execer, keys []string) (added int, err error) {
	const batch = 500
	for len(keys) > 0 {
		n := min(batch, len(keys))
		args := make([]any, n)
		for i, key := range keys[:n] {
			args[i] = key
		}
		keys = keys[n:]
		result, err := tx.ExecContext(ctx, s.sql(`INSERT INTO ambient_visit (key, not_before) VALUES `+
			placeholders(n, "($%d, {now})")+` ON CONFLICT (key) DO NOTHING`), args...)
		if err != nil {
			return 0, err
		}
		affected, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		added += int(affected)
	}
	return added, nil
}

// unfinished reports whether anything is left that goes on by itself.
func (s *store) unfinished(ctx context.Context) (left bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM ambient_visit WHERE state IN ('todo', 'sent', 'waiting'))`).Scan(&left)
	return left, err
}

const statusColumns = `key, stage, state, transcript_id, note_id, not_before, submitted, reason`

func scanStatus(r *sql.Rows) (Status, error) {
	var st Status
	var notBefore, submitted int64
	err := r.Scan(&st.Key, &st.Stage, &st.State, &st.TranscriptID, &st.NoteID, &notBefore, &submitted, &st.Reason)
	if st.State == Todo {
		st.NotBefore = time.UnixMilli(notBefore).UTC()
	}
	if submitted > 0 && st.Stage != stageDeliver {
		st.Submitted = time.UnixMilli(submitted).UTC()
	}
	return st, err
}

// page reads the visits of some states after a key.
func (s *store) page(ctx context.Context, after string, size int, states []State) ([]Status, error) {
	args := []any{after, size}
	filter := ""
	if len(states) > 0 {
		var list []string
		for i, state := range states {
			args = append(args, string(state))
			list = append(list, "$"+decimal(i+3))
		}
		filter = ` AND state IN (` + strings.Join(list, ", ") + `)`
	}
	return rows(ctx, s.db, scanStatus, `SELECT `+statusColumns+` FROM ambient_visit WHERE key > $1`+filter+` ORDER BY key LIMIT $2`, args...)
}

// A place is where a visit stands.
type place struct {
	state State
	wait  time.Duration // until the next try
	age   time.Duration // since the commit
	held  bool          // by a process, which may be dead
}

func (s *store) place(ctx context.Context, key string) (p place, err error) {
	var wait, age int64
	err = s.db.QueryRowContext(ctx, s.sql(`SELECT state, not_before - {now}, {now} - submitted, owner IS NOT NULL FROM ambient_visit WHERE key = $1`), key).
		Scan(&p.state, &wait, &age, &p.held)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoVisit
	}
	p.wait, p.age = time.Duration(wait)*time.Millisecond, time.Duration(age)*time.Millisecond
	return p, err
}
