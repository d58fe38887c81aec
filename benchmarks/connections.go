package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing/synctest"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// connPairs is how many good calls are made, each followed by one that fails
// and is cancelled while it waits to be repeated.
const connPairs = 100

// beCancelled makes connPairs pairs of calls with a client in a child process, and prints
// how many connections the client opened.
func beCancelled(name string) {
	clientInBubble(name, func(l limitClient) (any, error) { return connections(l) })
}

func connections(l limitClient) (opened int64, err error) {
	s := ambienttest.NewInMemory()
	a := prepare(s)
	s.FaultRange("GET /scribe/{id}", 1, 1<<20, ambienttest.Answer(http.StatusServiceUnavailable))
	var count atomic.Int64
	network := s.Client().Transport.(*http.Transport).Clone()
	dial := network.DialContext
	network.DialContext = func(ctx context.Context, kind, address string) (net.Conn, error) {
		count.Add(1)
		return dial(ctx, kind, address)
	}
	a.transport = network
	client := l.connect(a)
	for range connPairs {
		if err := client.get(context.Background()); err != nil {
			return 0, fmt.Errorf("%s: a good call failed: %w", l.name, err)
		}
		cancelInBackoff(client.getNote)
	}
	return count.Load(), nil
}

// cancelInBackoff cancels a call when nothing goes on but its wait.
func cancelInBackoff(call func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = call(ctx)
	}()
	synctest.Wait()
	cancel()
	<-ended
}
