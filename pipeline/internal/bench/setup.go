//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
	"github.com/ambient-scribe/ambient-go/pipeline/internal/postgrestest"
)

// A setup is what is measured.
type setup struct {
	name      string
	postgres  bool
	workers   int
	visits    int
	rateLimit float64               // Config.RateLimit
	limit     ambienttest.RateLimit // of the server
	count     bool                  // row writes on SQLite, by triggers that slow it down
	dir       string
	server    *postgrestest.Server
	api       *ambienttest.Server
}

// A measurement is what was found.
type measurement struct {
	setup
	took        time.Duration
	workerCPU   time.Duration
	databaseCPU time.Duration // PostgreSQL's
	peak        int64         // KiB of a worker
	writes      map[string]int64
	wal         int64 // bytes written on PostgreSQL; the largest file on SQLite
	size        int64 // of the database
	sent        int
	refused     int
}

func (s setup) measure(ctx context.Context) (m *measurement, err error) {
	if s.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	if err := os.Chmod(s.dir, 0o755); err != nil { // PostgreSQL runs as another user
		return nil, err
	}
	s.api = ambienttest.NewServer(ambienttest.WithJobTime(0), ambienttest.WithRateLimit(s.limit))
	defer s.api.Close()
	url, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	p, err := pipeline.Open(ctx, url, pipeline.Config{})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	db, err := s.connect(url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	keys := make([]string, s.visits)
	for i := range keys {
		keys[i] = fmt.Sprintf("visit-%06d", i)
	}
	if _, err := p.Add(ctx, keys...); err != nil {
		return nil, err
	}
	m = &measurement{setup: s}
	return m, m.run(ctx, url, db)
}

// countWrites counts the row writes of some visits on SQLite, which slows them down, for a measurement that had none.
func (m *measurement) countWrites(ctx context.Context) error {
	s := setup{workers: 1, visits: min(m.visits, 500), count: true}
	counted, err := s.measure(ctx)
	if err != nil {
		return err
	}
	for table, n := range counted.writes {
		m.writes[table] = n * int64(m.visits) / int64(s.visits)
	}
	return nil
}

func (s *setup) open(ctx context.Context) (url string, err error) {
	if !s.postgres {
		return "sqlite:" + filepath.Join(s.dir, "visits.db"), nil
	}
	if s.server, err = postgrestest.Start(s.dir); err != nil {
		return "", err
	}
	return s.server.Create(ctx, "visits")
}

func (s *setup) connect(url string) (*sql.DB, error) {
	if s.postgres {
		return sql.Open("pgx", url)
	}
	return sql.Open("sqlite", "file:"+filepath.Join(s.dir, "visits.db")+"?_pragma=busy_timeout(10000)")
}

// run starts the workers, waits until they have drained the database, and looks at what it cost.
func (m *measurement) run(ctx context.Context, url string, db *sql.DB) error {
	if m.count {
		if err := countBySQLite(ctx, db); err != nil {
			return err
		}
	}
	before, err := m.look(ctx, db)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := m.work(url); err != nil {
		return err
	}
	m.took = time.Since(begin)
	if m.postgres {
		time.Sleep(2 * time.Second) // until the statistics have arrived
	}
	after, err := m.look(ctx, db)
	if err != nil {
		return err
	}
	m.writes, m.size, m.wal = map[string]int64{}, after.size, after.wal-before.wal
	for table, n := range after.writes {
		m.writes[table] = n - before.writes[table]
	}
	for _, r := range m.api.Requests() {
		if m.sent++; r.Status == 429 {
			m.refused++
		}
	}
	if !m.postgres {
		return nil
	}
	if err := db.Close(); err != nil {
		return err
	}
	state, err := m.server.StopAndWait()
	if err == nil {
		m.databaseCPU = state.UserTime() + state.SystemTime()
	}
	return err
}

// work runs the workers to their end.
func (m *measurement) work(url string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var workers []*exec.Cmd
	for range m.workers {
		cmd := exec.Command(exe, "worker", url, m.api.URL, strconv.FormatFloat(m.rateLimit, 'f', -1, 64))
		cmd.Env = append(os.Environ(), "AMBIENT_USERNAME="+m.api.Username, "AMBIENT_PASSWORD="+m.api.Password)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
		workers = append(workers, cmd)
	}
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.Wait())
		m.workerCPU += w.ProcessState.UserTime() + w.ProcessState.SystemTime()
		m.peak = max(m.peak, w.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	}
	return errors.Join(errs...)
}
