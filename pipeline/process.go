package pipeline

import (
	"context"
	"crypto/rand"
	"database/sql"
	"sync"
	"time"
)

// A process is this process as the others see it. Its row says until when it is alive, and is written again and again
// while there is work. What it holds is known here too, so that what it holds in the database alone can be given back.
type process struct {
	p  *Pipeline
	id string

	joining sync.Mutex // guards these
	users   int        // Run and Steps
	stop    context.CancelFunc
	beating sync.WaitGroup
	unlock  func() error

	mu       sync.Mutex      // guards these
	doubtful bool            // a statement failed, and may have been carried out
	working  map[string]bool // keys of the visits that are worked on
	forget   func()          // drops what is polled: the lease had run out, and others may have it
}

func newProcess(p *Pipeline) *process {
	return &process{p: p, id: rand.Text(), working: map[string]bool{}}
}

// join registers the process, unless another call has, and keeps it alive until leave.
func (pr *process) join(ctx context.Context) error {
	pr.joining.Lock()
	defer pr.joining.Unlock()
	if pr.users > 0 {
		pr.users++
		return nil
	}
	var unlock func() error
	if lock := pr.p.store.lock; lock != nil {
		var err error
		if unlock, err = lock(ctx); err != nil {
			return err
		}
	}
	if err := pr.register(ctx); err != nil {
		if unlock != nil {
			unlock()
		}
		return err
	}
	ctx, pr.stop = context.WithCancel(pr.p.writes)
	pr.beating.Go(func() { pr.beat(ctx) })
	pr.unlock = unlock
	pr.users = 1
	return nil
}

// register writes the process's row. Who holds the lock of a file is alone on it, so that all others are dead.
func (pr *process) register(ctx context.Context) error {
	if pr.p.store.lock != nil {
		if _, err := pr.p.store.change(ctx, `DELETE FROM ambient_process`); err != nil {
			return err
		}
	}
	if err := pr.renew(ctx); err != nil {
		return err
	}
	return pr.p.sweep(ctx)
}

// leave takes the process off the list, unless others still use it. What it holds is free for others at once.
func (pr *process) leave() {
	pr.joining.Lock()
	defer pr.joining.Unlock()
	if pr.users--; pr.users > 0 {
		return
	}
	pr.stop()
	pr.beating.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(pr.p.life), statementTime)
	defer cancel()
	_, _ = pr.p.store.change(ctx, `DELETE FROM ambient_process WHERE id = $1`, pr.id) // else it counts as dead after the lease
	_ = pr.p.store.release(ctx)
	if pr.unlock != nil {
		_ = pr.unlock()
	}
}

// statementTime bounds a statement, so that a database that hangs is one that fails.
const statementTime = 10 * time.Second

// renew begins a lease.
func (pr *process) renew(ctx context.Context) error {
	_, err := pr.p.store.change(ctx, `
		INSERT INTO ambient_process (id, alive_until) VALUES ($1, {now} + $2)
		ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until`, pr.id, pr.p.config.Lease.Milliseconds())
	return err
}

// extend is renew for a process that is alive still. It is false where the process counts as dead.
func (pr *process) extend(ctx context.Context) (bool, error) {
	return pr.p.store.change(ctx, `UPDATE ambient_process SET alive_until = {now} + $2 WHERE id = $1 AND alive_until > {now}`,
		pr.id, pr.p.config.Lease.Milliseconds())
}

// beat renews the lease three times in its length, and looks after what others have left.
func (pr *process) beat(ctx context.Context) {
	every := min(pr.p.config.Lease/3, 20*time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pr.once(ctx)
	}
}

func (pr *process) once(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(min(pr.p.config.Lease/3, statementTime), time.Second))
	defer cancel()
	alive, err := pr.extend(ctx)
	if err == nil && !alive {
		pr.lapsed()
		err = pr.renew(ctx)
	}
	if err == nil && pr.isDoubtful() {
		err = pr.reconcile(ctx)
	}
	if err == nil {
		err = pr.p.sweep(ctx)
	}
	if err != nil {
		pr.markDoubtful()
		pr.p.databaseFailed(ctx, err)
	}
}

// A holding is a visit that this process holds in the database.
type holding struct {
	key     string
	attempt int64
}

// reconcile gives back what the process holds in the database and does not work on. The answer to a claim may have been
// lost.
func (pr *process) reconcile(ctx context.Context) error {
	pr.mu.Lock()
	pr.doubtful = false
	pr.mu.Unlock()
	held, err := rows(ctx, pr.p.store.db, func(r *sql.Rows) (h holding, err error) {
		return h, r.Scan(&h.key, &h.attempt)
	}, `SELECT key, attempt FROM ambient_visit WHERE owner = $1`, pr.id)
	if err != nil {
		return err
	}
	for _, h := range held {
		if pr.worksOn(h.key) {
			continue
		}
		if _, err := pr.p.store.letGo(ctx, h.key, h.attempt, pr.id); err != nil {
			return err
		}
	}
	return nil
}

// lapsed is called where others may have taken what this process holds.
func (pr *process) lapsed() {
	pr.mu.Lock()
	forget := pr.forget
	pr.doubtful = true
	pr.mu.Unlock()
	if forget != nil {
		forget()
	}
}

func (pr *process) onLapse(forget func()) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	pr.forget = forget
}

// take notes that a visit is about to be worked on. It is false if it is already.
func (pr *process) take(key string) bool {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	if pr.working[key] {
		return false
	}
	pr.working[key] = true
	return true
}

func (pr *process) drop(key string) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	delete(pr.working, key)
}

func (pr *process) worksOn(key string) bool {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.working[key]
}

func (pr *process) markDoubtful() {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	pr.doubtful = true
}

func (pr *process) isDoubtful() bool {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.doubtful
}

// sweep looks after what dead processes have left, and after visits whose job River has lost.
func (p *Pipeline) sweep(ctx context.Context) error {
	if err := p.store.orphan(ctx, p.config.Resubmit); err != nil {
		return err
	}
	if err := p.store.release(ctx); err != nil {
		return err
	}
	if _, err := p.store.change(ctx, `DELETE FROM ambient_process WHERE alive_until <= {now}`); err != nil {
		return err
	}
	return p.store.unfeed(ctx)
}

// settle writes what must not be lost, again and again until the database has it or the pipeline is closed.
func (p *Pipeline) settle(write func(ctx context.Context) error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(p.writes, statementTime)
		err := write(ctx)
		cancel()
		if err == nil || p.writes.Err() != nil {
			return err
		}
		p.process.markDoubtful()
		select {
		case <-time.After(wait):
		case <-p.writes.Done():
			return err
		}
	}
}
