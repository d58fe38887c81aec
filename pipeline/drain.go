package pipeline

import (
	"cmp"
	"context"
	"time"
)

// Drain is Run until no visit is Todo, Sent or Waiting. Those that are left are done, failed, or need a person. It
// returns the error of ctx if that ends first.
func (p *Pipeline) Drain(ctx context.Context) error {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(run, p.config.Lease) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return cmp.Or(err, ctx.Err(), errClosed)
		case <-tick.C:
		}
		if left, err := p.unfinished(run); err == nil && !left {
			cancel()
			return <-ended
		}
	}
}

func (p *Pipeline) unfinished(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	return p.store.unfinished(ctx)
}
