package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openSQLite opens a file, which may be followed by ?parameters of the driver.
func openSQLite(target string) (*store, error) {
	path, query, _ := strings.Cut(target, "?")
	if path == "" || strings.Contains(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return nil, errors.New("sqlite: must be followed by the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path)+durable+"&"+query)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // River's advice, and ours: a second connection would meet "database is locked"
	return &store{
		db:     db,
		driver: riversqlite.New(db),
		words: strings.NewReplacer(
			"{now}", "CAST(unixepoch('subsec') * 1000 AS integer)", "{max}", "max", "{binary}", "", "{skip locked}", "", "{river}", ""),
		prepare: func(context.Context, *sql.Tx) error { return nil }, // it has begun with the lock
		upgrade: func(ctx context.Context, tx *sql.Tx, m *rivermigrate.Migrator[*sql.Tx]) error {
			//lint:ignore SA1019 there is one connection, and the migrations of SQLite can share a transaction
			_, err := m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil)
			return err
		},
		check: checkSQLite,
		lock:  func(ctx context.Context) (func() error, error) { return lockFile(ctx, path+".run") },
		close: db.Close,
	}, nil
}

// With these a commit is on the disk when it returns, on macOS too. A statement waits 10 s for another process.
const durable = "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=fullfsync(1)"

// dataSource is a file as the driver names it.
func dataSource(path string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/visits.db
	}
	return "file://" + (&url.URL{Path: slashed}).EscapedPath()
}

// makePrivate makes the file, readable by its owner alone. What SQLite puts beside it has the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		if pathError, ok := errors.AsType[*os.PathError](err); ok {
			err = pathError.Err
		}
		return fmt.Errorf("the database file cannot be opened: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("the database is no regular file")
	case info.Mode().Perm()&0o077 != 0:
		return f.Chmod(0o600)
	}
	return nil
}

// connectSQLite makes the first connection, which turns a new file to WAL. While another process does the same, SQLite
// refuses this at once, whatever its busy_timeout. So it is tried for 10 s.
func connectSQLite(ctx context.Context, db *sql.DB) error {
	for end := time.Now().Add(10 * time.Second); ; {
		err := db.PingContext(ctx)
		if !isBusy(err) || time.Now().After(end) {
			return err
		}
		time.Sleep(rand.N(20 * time.Millisecond))
	}
}

// isBusy reports whether another process, or another connection of this one, holds the file.
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// checkSQLite refuses settings under which a commit may be lost.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	if err := connectSQLite(ctx, db); err != nil {
		return err
	}
	var synchronous int
	var journal string
	if err := db.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&synchronous); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&journal); err != nil {
		return err
	}
	switch {
	case synchronous < 2:
		return errors.New("SQLite's synchronous is below FULL: a commit may be lost, and a visit submitted twice")
	case journal != "wal":
		return fmt.Errorf("SQLite's journal_mode is %s, and must be WAL", journal)
	}
	return nil
}

// lockFile takes the one place to run on a database. That is an immediate transaction on a file beside it, which ends
// with the process. Of two exclusive transactions that begin at once, SQLite may refuse both. The journal is in memory,
// because a journal file that a kill left behind is rolled back under an exclusive lock.
func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path)+"?_txlock=immediate&_pragma=journal_mode(MEMORY)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		if isBusy(err) {
			err = ErrInUse
		}
		return nil, errors.Join(err, db.Close())
	}
	return func() error { return errors.Join(tx.Rollback(), db.Close()) }, nil
}
