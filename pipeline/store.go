package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
)

// A store is the database. All that differs between SQLite and PostgreSQL is in its fields.
type store struct {
	db          *sql.DB
	driver      riverdriver.Driver[*sql.Tx]
	words       *strings.Replacer                                                              // {now} and the like, in the database's words
	idleTimeout string                                                                         // the statement that bounds a silence in a transaction, without its milliseconds; empty for none
	riverSchema string                                                                         // where River's tables are
	prepare     func(ctx context.Context, tx *sql.Tx) error                                    // before a migration, which other processes then wait for
	upgrade     func(ctx context.Context, tx *sql.Tx, m *rivermigrate.Migrator[*sql.Tx]) error // of River's tables
	check       func(ctx context.Context, db *sql.DB) error                                    // that a commit is durable
	lock        func(ctx context.Context) (func() error, error)                                // nil, or takes the one place to run
	close       func() error
}

var silent = slog.New(slog.DiscardHandler)

// openStore opens a database by its URL.
func openStore(ctx context.Context, databaseURL string) (*store, error) {
	var s *store
	var err error
	switch {
	case strings.HasPrefix(databaseURL, "sqlite:"):
		s, err = openSQLite(strings.TrimPrefix(databaseURL, "sqlite:"))
	case strings.HasPrefix(databaseURL, "postgres://"), strings.HasPrefix(databaseURL, "postgresql://"):
		s, err = openPostgres(databaseURL)
	default:
		return nil, errors.New("the URL must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, err
	}
	if err = s.check(ctx, s.db); err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// begin begins a transaction that PostgreSQL rolls back if the process is silent in it for as long as idle. One that
// froze must not hold rows that others wait for.
func (s *store) begin(ctx context.Context, idle time.Duration) (*sql.Tx, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil || s.idleTimeout == "" {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, s.idleTimeout+decimal(int(idle.Milliseconds()))); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// sql puts a statement in the database's words.
func (s *store) sql(statement string) string { return s.words.Replace(statement) }

// change runs a compare-and-set and reports whether it changed a row.
func (s *store) change(ctx context.Context, statement string, args ...any) (bool, error) {
	return changeIn(ctx, s.db, s.sql(statement), args...)
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func changeIn(ctx context.Context, db execer, statement string, args ...any) (bool, error) {
	result, err := db.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// rows reads all rows of a query, so that the one connection of SQLite is free when it returns.
func rows[T any](ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []T
	for found.Next() {
		v, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, found.Err()
}
