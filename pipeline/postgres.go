package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSchema keeps River's tables apart from those of an application that uses River itself.
const riverSchema = "ambient_river"

func openPostgres(databaseURL string) (*store, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("the URL is not one of a PostgreSQL database") // pgx would repeat it
	}
	poolConfig, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("the URL is not one of a PostgreSQL database")
	}
	poolConfig.MinConns, poolConfig.MaxConns = 0, 1 // River takes one connection out of it, to listen
	listener, err := pgxpool.NewWithConfig(context.Background(), poolConfig)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	return &store{
		db:     db,
		driver: riverdatabasesql.NewWithPgxListener(db, listener),
		words: strings.NewReplacer(
			"{now}", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint", "{max}", "greatest", "{binary}", `COLLATE "C"`,
			"{skip locked}", "FOR UPDATE OF v SKIP LOCKED", "{river}", riverSchema+"."),
		idleTimeout: `SET LOCAL idle_in_transaction_session_timeout = `,
		riverSchema: riverSchema,
		prepare:     func(ctx context.Context, tx *sql.Tx) error { return preparePostgres(ctx, db, tx) },
		upgrade:     upgradePostgres,
		check:       checkPostgres,
		close:       func() error { listener.Close(); return db.Close() },
	}, nil
}

const maxConnections = 12 // of a process

// preparePostgres lets one process at a time change tables.
func preparePostgres(ctx context.Context, db *sql.DB, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(7239641207746135)`); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+riverSchema)
	return err
}

// upgradePostgres runs beside the transaction that holds the lock, since River's migrations use what earlier ones have
// committed.
func upgradePostgres(ctx context.Context, _ *sql.Tx, m *rivermigrate.Migrator[*sql.Tx]) error {
	_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// checkPostgres refuses settings under which a commit may be lost.
func checkPostgres(ctx context.Context, db *sql.DB) error {
	var synchronous, fsync string
	err := db.QueryRowContext(ctx, `SELECT current_setting('synchronous_commit'), current_setting('fsync')`).Scan(&synchronous, &fsync)
	switch {
	case err != nil:
		return err
	case synchronous == "off" || fsync == "off":
		return errors.New("PostgreSQL's synchronous_commit or fsync is off: a commit may be lost, and a visit submitted twice")
	}
	return nil
}
