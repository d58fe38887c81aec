//go:build linux

// Command killtest kills, freezes and cuts off real processes of a pipeline at random moments, and then compares the
// visits, the record of the fake API and the deliveries.
//
//	go run ./internal/killtest -db sqlite -kills 200
//	go run ./internal/killtest -db postgres -kills 200 -freezes 12 -crashes 7
//	go run ./internal/killtest -db sqlite -kills 40 -control   # must fail: without a durable commit visits are submitted twice
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

type plan struct {
	db      string
	kills   int
	freezes int
	crashes int
	workers int
	lease   time.Duration
	seed    uint64
	control bool
	keep    bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		work(os.Args[2:])
		return
	}
	p := plan{}
	flag.StringVar(&p.db, "db", "sqlite", "sqlite or postgres")
	flag.IntVar(&p.kills, "kills", 30, "how many processes to kill")
	flag.IntVar(&p.freezes, "freezes", 0, "how many processes to stop for longer than their lease")
	flag.IntVar(&p.crashes, "crashes", 0, "how often PostgreSQL is stopped at once")
	flag.IntVar(&p.workers, "workers", 0, "processes; default 1 on SQLite, 2 on PostgreSQL")
	flag.DurationVar(&p.lease, "lease", 3*time.Second, "Config.Lease")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "of the moments and faults")
	flag.BoolVar(&p.control, "control", false, "take the commit back: the test must fail")
	flag.BoolVar(&p.keep, "keep", false, "keep the directory")
	flag.Parse()
	if p.workers == 0 {
		p.workers = 1
		if p.db == "postgres" {
			p.workers = 2
		}
	}
	if err := p.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "killtest:", err)
		os.Exit(1)
	}
}

func (p plan) run(ctx context.Context) error {
	fmt.Printf("%s, %d workers, lease %v, %d kills, %d freezes, %d crashes of the database, seed %d\n",
		p.db, p.workers, p.lease, p.kills, p.freezes, p.crashes, p.seed)
	t, err := newTrial(ctx, p)
	if err != nil {
		return err
	}
	defer t.close()
	began := time.Now()
	if err := t.disturb(ctx); err != nil {
		return err
	}
	last := time.Now()
	fmt.Printf("%d visits; the last disturbance came after %v\n", len(t.keys), last.Sub(began).Round(time.Second))
	if err := t.settle(ctx, last); err != nil {
		return err
	}
	return t.verdict(ctx)
}

// disturb does what was planned, in random order and at random moments, and keeps visits coming.
func (t *trial) disturb(ctx context.Context) error {
	var steps []func(context.Context) error
	for range t.plan.kills {
		steps = append(steps, t.kill)
	}
	for range t.plan.freezes {
		steps = append(steps, t.freeze)
	}
	for range t.plan.crashes {
		steps = append(steps, t.crash)
	}
	t.random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	for _, step := range steps {
		if err := t.add(ctx, 5); err != nil {
			return err
		}
		// A visit takes some seconds. A process that never lives so long submits nothing that could be submitted twice.
		time.Sleep(t.between(100*time.Millisecond, 5*time.Second/time.Duration(t.plan.workers)))
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) between(least, most time.Duration) time.Duration {
	return least + time.Duration(t.random.Int64N(int64(most-least)))
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }
