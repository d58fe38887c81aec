package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ambient-scribe/ambient-go"
)

// Errors that a program may want to know.
var (
	ErrInUse   = errors.New("pipeline: another process runs on this database file")
	ErrNoVisit = errors.New("pipeline: no visit has this key")
)

// Config sets up a Pipeline. The zero value of a field is its default. A Pipeline without Client, Source and Deliver or
// DeliverTx can Add, list and Resolve visits, and not run.
type Config struct {
	Client *ambient.Client
	Source Source

	// Deliver takes a result, at least once. A process that dies at the wrong moment delivers it again, and Result.Key is
	// the idempotency key. After an error, a panic, or ten minutes it is called again later, for ever. The text of its
	// errors is neither stored nor logged, so it should log what went wrong itself.
	Deliver func(ctx context.Context, r *Result) error

	// DeliverTx is called instead of Deliver by those whose tables are in the same database. What it writes with tx is
	// committed exactly once, together with the end of the visit. It has a minute, and on SQLite nothing else goes on then.
	DeliverTx func(ctx context.Context, tx *sql.Tx, r *Result) error

	Parallel  int           // uploads at a time in this process, and notes, and deliveries; default 4
	Lease     time.Duration // after which a silent process counts as dead; default 60 s, at least 1 s
	Resubmit  bool          // submit again what the service may have, and say so; default: ask a person
	RateLimit float64       // requests a second that all processes on one database share; 0 = the SDK alone
	PathKeys  bool          // allow keys that look like paths; they are stored
	Logger    *slog.Logger  // default: none
}

// Pipeline takes visits from their keys to the delivery of their notes. It is safe for concurrent use.
type Pipeline struct {
	config     Config
	store      *store
	log        *slog.Logger
	process    *process
	limits     *limits
	sourceTime time.Duration

	life      context.Context // ends with Close
	end       context.CancelFunc
	writes    context.Context // ends a little later, so that what Close cuts can be written
	endWrites context.CancelFunc
	closing   sync.Mutex     // guards the end of life against what begins
	left      sync.WaitGroup // what Close waits for
	close     func() error
	running   atomic.Bool // Run
}

// Open opens the database of a URL, "sqlite:PATH" or "postgres://…", and makes or updates its tables. It refuses
// settings under which a commit may be lost, and tables of a newer version. A SQLite file is made, readable by its owner
// alone. Open waits for another process that makes the same file.
func Open(ctx context.Context, databaseURL string, c Config) (*Pipeline, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, databaseURL)
	if err != nil {
		return nil, wrap(err)
	}
	p := &Pipeline{config: c, store: s, log: c.Logger, sourceTime: maxSourceTime}
	p.writes, p.endWrites = context.WithCancel(context.WithoutCancel(ctx))
	p.life, p.end = context.WithCancel(p.writes)
	p.process = newProcess(p)
	p.limits = newLimits(s, c.RateLimit)
	p.close = sync.OnceValue(p.closeOnce)
	return p, nil
}

func (p *Pipeline) closeOnce() error {
	p.closing.Lock()
	p.end() // from now on nothing begins
	p.closing.Unlock()
	late := time.AfterFunc(closeTime, p.endWrites)
	p.left.Wait()
	late.Stop()
	p.endWrites()
	return p.store.close()
}

// closeTime is for writing what became of what Close has cut.
const closeTime = 5 * time.Second

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Deliver != nil && c.DeliverTx != nil:
		return c, errors.New("pipeline: Config has both Deliver and DeliverTx")
	case c.Parallel < 0 || c.Parallel > 1000:
		return c, errors.New("pipeline: Config.Parallel must be from 1 to 1000, or 0 for 4")
	case c.Lease != 0 && c.Lease < time.Second:
		return c, errors.New("pipeline: Config.Lease must be at least a second, or 0 for 60 s")
	case c.RateLimit < 0 || math.IsNaN(c.RateLimit) || math.IsInf(c.RateLimit, 0):
		return c, errors.New("pipeline: Config.RateLimit must be a number of requests a second, or 0 for none")
	}
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Logger == nil {
		c.Logger = silent
	}
	return c, nil
}

// mayRun says what a pipeline lacks that is to work on visits.
func (c Config) mayRun() error {
	if c.Client == nil || c.Source == nil || c.Deliver == nil && c.DeliverTx == nil {
		return errors.New("pipeline: to run, Config needs a Client, a Source, and Deliver or DeliverTx")
	}
	return nil
}

// Close ends what goes on, and closes the database. A Run that has not returned ends as if its grace were over.
func (p *Pipeline) Close() error { return p.close() }

// Add adds visits by their keys and returns how many were new. A known key is left as it is. A key has 1 to 512 bytes
// of UTF-8 without control characters, and unless Config.PathKeys is set does not look like a path. One bad key refuses
// all of them. Keys are stored, so they should mean nothing to a reader of the database.
func (p *Pipeline) Add(ctx context.Context, keys ...string) (added int, err error) {
	if err := checkKeys(keys, p.config.PathKeys); err != nil {
		return 0, err
	}
	tx, err := p.store.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, wrap(err)
	}
	defer tx.Rollback()
	if added, err = p.store.add(ctx, tx, keys); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return 0, wrap(err)
	}
	return added, nil
}

// AddTx is Add in a transaction of the same database, for those whose tables are there too. The visits are added if tx
// is committed.
func (p *Pipeline) AddTx(ctx context.Context, tx *sql.Tx, keys ...string) (added int, err error) {
	if err := checkKeys(keys, p.config.PathKeys); err != nil {
		return 0, err
	}
	if added, err = p.store.add(ctx, tx, keys); err != nil {
		return 0, wrap(err)
	}
	return added, nil
}

// Visits yields visits in the order of their keys, those of some states or all. It reads them in pages and holds
// nothing in between, so that the loop may call Resolve. An error ends it.
func (p *Pipeline) Visits(ctx context.Context, states ...State) iter.Seq2[Status, error] {
	const size = 500
	return func(yield func(Status, error) bool) {
		after := ""
		for {
			page, err := p.store.page(ctx, after, size, states)
			if err != nil {
				yield(Status{}, wrap(err))
				return
			}
			for _, status := range page {
				if !yield(status, nil) {
					return
				}
			}
			if len(page) < size {
				return
			}
			after = page[size-1].Key
		}
	}
}

// Resolve carries out a person's decision on a visit whose State is Unknown. Adopt and Resubmit go on from the stage
// that is unknown. After Resubmit, Result.PossibleDuplicate is true. Of a visit that is not unknown it is an error, and
// so is an id that another visit has already.
func (p *Pipeline) Resolve(ctx context.Context, key string, d Decision) error {
	if d.Adopt < 0 || number(d.Adopt > 0)+number(d.Resubmit)+number(d.Drop) != 1 {
		return errors.New("pipeline: a Decision must have exactly one of Adopt, Resubmit and Drop")
	}
	changed, err := p.store.resolve(ctx, key, d)
	if err != nil {
		return wrap(err)
	}
	if changed {
		return nil
	}
	switch place, err := p.store.place(ctx, key); {
	case err != nil:
		return wrap(err)
	case place.state != Unknown:
		return fmt.Errorf("pipeline: the visit is %s, and only one that is unknown can be resolved", place.state)
	}
	return errors.New("pipeline: another visit has this id already")
}

// wrap names the package in an error, once.
func wrap(err error) error {
	if err == nil || errors.Is(err, ErrNoVisit) || errors.Is(err, ErrInUse) {
		return err
	}
	return fmt.Errorf("pipeline: %w", err)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func decimal(n int) string { return strconv.Itoa(n) }

// placeholders repeats a pattern with the numbers from 1 to n.
func placeholders(n int, pattern string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.Replace(pattern, "%d", decimal(i+1), 1)
	}
	return strings.Join(list, ", ")
}
