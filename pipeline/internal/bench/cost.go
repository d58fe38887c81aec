//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A cost is what the database has had to do so far.
type cost struct {
	writes map[string]int64 // rows inserted, updated and deleted, by table
	wal    int64
	size   int64
}

func (s *setup) look(ctx context.Context, db *sql.DB) (cost, error) {
	if s.postgres {
		return lookPostgres(ctx, db)
	}
	c := cost{writes: map[string]int64{}}
	for _, file := range []struct {
		suffix string
		size   *int64
	}{{"", &c.size}, {"-wal", &c.wal}} {
		if info, err := os.Stat(filepath.Join(s.dir, "visits.db"+file.suffix)); err == nil {
			*file.size = info.Size()
		}
	}
	if !s.count {
		return c, nil
	}
	return c, collect(ctx, db, c.writes, `SELECT tab, count(*) FROM bench_writes GROUP BY tab`)
}

func lookPostgres(ctx context.Context, db *sql.DB) (cost, error) {
	c := cost{writes: map[string]int64{}}
	err := db.QueryRowContext(ctx, `SELECT (pg_current_wal_lsn() - '0/0')::bigint, pg_database_size(current_database())`).Scan(&c.wal, &c.size)
	if err != nil {
		return c, err
	}
	return c, collect(ctx, db, c.writes, `SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables`)
}

func collect(ctx context.Context, db *sql.DB, into map[string]int64, query string) error {
	found, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var table string
		var n int64
		if err := found.Scan(&table, &n); err != nil {
			return err
		}
		into[table] = n
	}
	return found.Err()
}

// countBySQLite counts row writes, since SQLite has no statistics.
func countBySQLite(ctx context.Context, db *sql.DB) error {
	tables := map[string]int64{}
	if err := collect(ctx, db, tables, `SELECT name, 0 FROM sqlite_master WHERE type = 'table' AND (name LIKE 'river%' OR name LIKE 'ambient%')`); err != nil {
		return err
	}
	statements := []string{`CREATE TABLE bench_writes (tab text)`}
	for table := range tables {
		for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
			statements = append(statements, fmt.Sprintf(`CREATE TRIGGER bench_%s_%s AFTER %s ON %s BEGIN INSERT INTO bench_writes VALUES ('%s'); END`,
				table, strings.ToLower(event), event, table, table))
		}
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
