//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
	"github.com/ambient-scribe/ambient-go/pipeline/internal/postgrestest"
)

// A trial is one run of the harness. It has the database, the fake API, the inbox of deliveries, and the workers.
type trial struct {
	plan     plan
	random   *rand.Rand
	dir      string
	url      string
	postgres *postgrestest.Server // nil for SQLite
	pipeline *pipeline.Pipeline   // adds and lists
	api      *ambienttest.Server
	client   *ambient.Client                // of the fake API
	faults   map[string][]ambienttest.Fault // by route, of each request
	inbox    *httptest.Server
	workers  []*worker
	started  int
	keys     []string

	mu         sync.Mutex
	deliveries map[string][]delivery // by key
}

type delivery struct{ transcript, note int64 }

func newTrial(ctx context.Context, p plan) (t *trial, err error) {
	t = &trial{plan: p, random: newRandom(p.seed), deliveries: map[string][]delivery{}}
	if t.dir, err = os.MkdirTemp("", "killtest-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(t.dir, 0o755); err != nil { // PostgreSQL runs as another user
		return nil, err
	}
	if err := t.openDatabase(ctx); err != nil {
		return nil, err
	}
	if p.control {
		if err := t.takeCommitBack(ctx); err != nil {
			return nil, err
		}
	}
	t.api = ambienttest.NewServer(ambienttest.WithJobTime(500*time.Millisecond), ambienttest.WithTranscript("synthetic "+canary))
	t.planFaults()
	if t.client, err = ambient.NewClient(ambient.WithBaseURL(t.api.URL), ambient.WithCredentials(t.api.Username, t.api.Password)); err != nil {
		return nil, err
	}
	t.inbox = httptest.NewServer(http.HandlerFunc(t.receive))
	for range p.workers {
		w, err := t.startWorker()
		if err != nil {
			return nil, err
		}
		t.workers = append(t.workers, w)
	}
	return t, nil
}

func (t *trial) openDatabase(ctx context.Context) (err error) {
	switch t.plan.db {
	case "sqlite":
		t.url = "sqlite:" + filepath.Join(t.dir, "visits.db")
	case "postgres":
		if t.postgres, err = postgrestest.Start(t.dir); err != nil {
			return err
		}
		if t.url, err = t.postgres.Create(ctx, "visits"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("no database %q", t.plan.db)
	}
	t.pipeline, err = pipeline.Open(ctx, t.url, pipeline.Config{})
	return err
}

// takeCommitBack lets the database forget each commit at once, as if the pipeline wrote none.
func (t *trial) takeCommitBack(ctx context.Context) error {
	statements := []string{
		`CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.state = 'todo'; RETURN NEW; END $$`,
		`CREATE TRIGGER forget BEFORE UPDATE ON ambient_visit FOR EACH ROW WHEN (NEW.state = 'sent') EXECUTE FUNCTION forget()`,
	}
	if t.postgres == nil {
		statements = []string{`CREATE TRIGGER forget AFTER UPDATE ON ambient_visit WHEN NEW.state = 'sent'
			BEGIN UPDATE ambient_visit SET state = 'todo' WHERE key = NEW.key; END`}
	}
	db, err := t.database()
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// database is a connection beside the pipeline's.
func (t *trial) database() (*sql.DB, error) {
	if t.postgres == nil {
		return sql.Open("sqlite", filepath.Join(t.dir, "visits.db"))
	}
	return sql.Open("pgx", t.url)
}

func (t *trial) close() {
	for _, w := range t.workers {
		w.kill()
	}
	t.pipeline.Close()
	t.api.Close()
	t.inbox.Close()
	if t.postgres != nil {
		t.postgres.Crash()
	}
	if t.plan.keep {
		fmt.Println("kept:", t.dir)
		return
	}
	os.RemoveAll(t.dir)
}

// receive takes a delivery.
func (t *trial) receive(_ http.ResponseWriter, r *http.Request) {
	transcript, _ := strconv.ParseInt(r.FormValue("transcript"), 10, 64)
	note, _ := strconv.ParseInt(r.FormValue("note"), 10, 64)
	t.mu.Lock()
	defer t.mu.Unlock()
	key := r.FormValue("key")
	t.deliveries[key] = append(t.deliveries[key], delivery{transcript, note})
}

// add adds visits unless many are on their way, however long the database is away.
func (t *trial) add(ctx context.Context, n int) error {
	left, err := t.unfinished(ctx)
	if err != nil || len(left) > 40 {
		return err
	}
	var keys []string
	for range n {
		keys = append(keys, fmt.Sprintf("visit-%05d", len(t.keys)+len(keys)+1))
	}
	t.keys = append(t.keys, keys...)
	return t.patiently(func() error { _, err := t.pipeline.Add(ctx, keys...); return err })
}

func (t *trial) patiently(f func() error) (err error) {
	for range 100 {
		if err = f(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// A worker is a process that runs the pipeline.
type worker struct{ *exec.Cmd }

func (t *trial) startWorker() (*worker, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t.started++
	log, err := os.OpenFile(filepath.Join(t.dir, fmt.Sprintf("worker-%d.log", t.started)), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(exe, "worker", t.url, t.api.URL, t.inbox.URL, t.plan.lease.String())
	cmd.Env = append(os.Environ(), "AMBIENT_USERNAME="+t.api.Username, "AMBIENT_PASSWORD="+t.api.Password)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return &worker{cmd}, cmd.Start()
}

func (w *worker) kill() {
	_ = w.Process.Kill()
	_ = w.Wait()
}

// kill kills a worker and starts another in its place, at once or a little later.
func (t *trial) kill(context.Context) error {
	i := t.random.IntN(len(t.workers))
	t.workers[i].kill()
	time.Sleep(t.between(0, 300*time.Millisecond))
	w, err := t.startWorker()
	if err == nil {
		t.workers[i] = w
	}
	return err
}

// freeze stops a worker for longer than its lease, as a machine that sleeps or swaps.
func (t *trial) freeze(context.Context) error {
	w := t.workers[t.random.IntN(len(t.workers))]
	if err := w.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(t.between(t.plan.lease*3/2, t.plan.lease*5/2))
	return w.Process.Signal(syscall.SIGCONT)
}

// crash stops PostgreSQL at once and starts it again.
func (t *trial) crash(context.Context) error {
	if t.postgres == nil {
		return nil
	}
	if err := t.postgres.Crash(); err != nil {
		return err
	}
	time.Sleep(t.between(0, 3*time.Second))
	return t.postgres.Resume()
}
