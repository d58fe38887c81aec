package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go"
)

// limits hold back requests for all processes on one database. A row says when the next request may be sent, and one
// for each endpoint until when it is paused. Both fail open, since the SDK waits for limits too, and a database that
// is away must not hold up an upload.
type limits struct {
	store *store
	every time.Duration // between two requests of the fleet; 0 = no limit

	mu     sync.Mutex
	paused map[string]time.Time // by endpoint, by this machine's clock
}

const rateName = "rate"

func newLimits(s *store, perSecond float64) *limits {
	l := &limits{store: s, paused: map[string]time.Time{}}
	if perSecond > 0 {
		l.every = time.Duration(float64(time.Second) / perSecond)
	}
	return l
}

// wait returns when a request to an endpoint may be sent, or with the context's error.
func (l *limits) wait(ctx context.Context, endpoint string) error {
	for {
		pause := l.pause(endpoint)
		if pause <= 0 {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	if l.every == 0 {
		return ctx.Err()
	}
	return sleep(ctx, l.reserve(ctx))
}

func (l *limits) pause(endpoint string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.paused[endpoint])
}

// reserve takes the next place and returns how long it is off.
func (l *limits) reserve(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var micros int64
	err := l.store.db.QueryRowContext(ctx, l.store.sql(`
		INSERT INTO ambient_limit (name, free_at) VALUES ($1, {now} * 1000 + $2)
		ON CONFLICT (name) DO UPDATE SET free_at = {max}(ambient_limit.free_at, {now} * 1000) + $2
		RETURNING free_at - $2 - {now} * 1000`), rateName, l.every.Microseconds()).Scan(&micros)
	if err != nil {
		return 0
	}
	return time.Duration(micros) * time.Microsecond
}

// refused pauses an endpoint in all processes.
func (l *limits) refused(ctx context.Context, endpoint string, wait time.Duration) {
	l.extend(endpoint, wait)
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = l.store.change(ctx, `
		INSERT INTO ambient_limit (name, free_at) VALUES ($1, {now} * 1000 + $2)
		ON CONFLICT (name) DO UPDATE SET free_at = {max}(ambient_limit.free_at, excluded.free_at)`, endpoint, wait.Microseconds())
}

func (l *limits) extend(endpoint string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(wait); until.After(l.paused[endpoint]) {
		l.paused[endpoint] = until
	}
}

// refresh learns of the pauses that others have met.
func (l *limits) refresh(ctx context.Context) error {
	type pause struct {
		endpoint string
		micros   int64
	}
	pauses, err := rows(ctx, l.store.db, func(r *sql.Rows) (p pause, err error) {
		return p, r.Scan(&p.endpoint, &p.micros)
	}, l.store.sql(`SELECT name, free_at - {now} * 1000 FROM ambient_limit WHERE name <> $1 AND free_at > {now} * 1000`), rateName)
	for _, p := range pauses {
		l.extend(p.endpoint, time.Duration(p.micros)*time.Microsecond)
	}
	return err
}

// call makes a call of the API when the limits of the fleet allow it. A limit of the client's own, which refuses before
// anything is sent, is waited for here.
func call[T any](ctx context.Context, l *limits, endpoint string, f func() (T, error)) (T, error) {
	var none T
	if err := l.wait(ctx, endpoint); err != nil {
		return none, err
	}
	for {
		v, err := f()
		limited, ok := errors.AsType[*ambient.RateLimitError](err)
		if !ok || len(limited.Attempts) > 0 || !limited.ResetAt.IsZero() {
			return v, err
		}
		if err := sleep(ctx, limitWait(limited)); err != nil {
			return none, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
