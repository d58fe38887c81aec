package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/riverqueue/river/rivermigrate"
)

// schemaVersion is the version of the tables below.
const schemaVersion = 1

// Times are milliseconds since 1970 by the database's clock.
var schema = []string{
	`CREATE TABLE IF NOT EXISTS ambient_schema (version integer NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ambient_visit (
		key text {binary} NOT NULL PRIMARY KEY,
		stage text NOT NULL DEFAULT 'transcript',
		state text NOT NULL DEFAULT 'todo',
		transcript_id bigint NOT NULL DEFAULT 0,
		note_id bigint NOT NULL DEFAULT 0,
		not_before bigint NOT NULL,           -- the next try
		submitted bigint NOT NULL DEFAULT 0,  -- the commit of this stage
		reason text NOT NULL DEFAULT '',
		duplicate integer NOT NULL DEFAULT 0, -- 1: may have been submitted twice
		failures integer NOT NULL DEFAULT 0,  -- of this stage, in a row
		attempt bigint NOT NULL DEFAULT 0,    -- grows with each claim, so that an old holder changes nothing
		owner text,                           -- the process that holds it
		job bigint NOT NULL DEFAULT 0         -- River's job that brings it to a worker; 0 for none
	)`,
	`CREATE INDEX IF NOT EXISTS ambient_visit_feed ON ambient_visit (not_before) WHERE state = 'todo' AND owner IS NULL AND job = 0`,
	`CREATE INDEX IF NOT EXISTS ambient_visit_state ON ambient_visit (state, key)`,
	`CREATE INDEX IF NOT EXISTS ambient_visit_owner ON ambient_visit (owner) WHERE owner IS NOT NULL`,
	`CREATE TABLE IF NOT EXISTS ambient_process (id text NOT NULL PRIMARY KEY, alive_until bigint NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS ambient_limit (name text NOT NULL PRIMARY KEY, free_at bigint NOT NULL)`,
}

// migrate makes or updates the tables, ours and River's, in a transaction that other processes wait for.
func (s *store) migrate(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.prepare(ctx, tx); err != nil {
		return err
	}
	for _, statement := range schema {
		if _, err := tx.ExecContext(ctx, s.sql(statement)); err != nil {
			return err
		}
	}
	if err := checkVersion(ctx, tx); err != nil {
		return err
	}
	if err := s.migrateRiver(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func checkVersion(ctx context.Context, tx *sql.Tx) error {
	var version int
	err := tx.QueryRowContext(ctx, `SELECT version FROM ambient_schema`).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.ExecContext(ctx, `INSERT INTO ambient_schema (version) VALUES ($1)`, schemaVersion)
	case err == nil && version > schemaVersion:
		err = fmt.Errorf("the tables are of version %d, this program knows %d: use a newer program", version, schemaVersion)
	}
	return err
}

func (s *store) migrateRiver(ctx context.Context, tx *sql.Tx) error {
	migrator, err := rivermigrate.New(s.driver, &rivermigrate.Config{Logger: silent, Schema: s.riverSchema})
	if err != nil {
		return err
	}
	known := 0
	for _, m := range migrator.AllVersions() {
		known = max(known, m.Version)
	}
	existing, err := migrator.ExistingVersionsTx(ctx, tx)
	if err != nil {
		// A version that this River does not know is the one failure that a reachable database gives here.
		return fmt.Errorf("the tables of River cannot be read, or are newer than version %d that this program knows: %w", known, err)
	}
	for _, m := range existing {
		if m.Version > known {
			return fmt.Errorf("the tables of River are of version %d, this program knows %d: use a newer program", m.Version, known)
		}
	}
	return s.upgrade(ctx, tx, migrator)
}
