package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A virtualCase is a rate limit that takes minutes to meet. It is met in virtual time, so
// all its figures are the same on a slow machine.
type virtualCase struct {
	name, note string
	figure     string // what the first figure of a result is
	bound      float64
	refused    float64 // the bound of the second; negative without one
	run        func(limitClient) virtualResult
}

// A virtualResult is what one client did in one case.
type virtualResult struct{ Figure, Refused, Failed float64 }

func virtualCases() []virtualCase {
	return []virtualCase{
		{"bucket of 50 per 1 s, whose answers all say that the reset is 1 s ahead, for 10 min",
			"The reset never comes nearer. A client that waits for it after each call makes few calls.",
			"calls a second", 45, -1, slidingReset},
		{"sliding log of 100 per 1 min, full headers, 500 calls",
			"The reset is rounded up to a second, as above, and here that is little.",
			"ideal time / its time", 0.95, -1, slidingLog},
		{"window of 75 per 1 min for all endpoints of the account, full headers, 10 min",
			"12 goroutines call each of three endpoints. Refused is for each window.",
			"its calls / ideal calls", 0.95, 4, accountWindow},
		{"poller beside three goroutines that submit, with a limit of 10 submits per 1 min, 5 min",
			"A client that repeats each call alone, without a thought of the others, has 1 here.",
			"its GETs / GETs without the submits", 0.95, -1, pollerBesideSubmits},
	}
}

// A venue is a client of a fake API in virtual time.
type venue struct {
	server *ambienttest.Server
	client apiClient
	failed atomic.Int64
	work   sync.WaitGroup
}

// newVenue connects a client through a network that takes about roundTrip for each request,
// and sets a limit on all routes.
func newVenue(l limitClient, limit ambienttest.RateLimit) *venue {
	v := &venue{server: ambienttest.NewInMemory()}
	a := prepare(v.server)
	a.transport = distant{v.server.Client().Transport, roundTrip}
	time.Sleep(time.Minute) // so that a window begins, and what prepared the account is past
	v.server.SetRateLimit(limit)
	v.client = l.connect(a)
	return v
}

// begin makes calls in n goroutines until end.
func (v *venue) begin(n int, end time.Time, call func(context.Context) error) {
	for range n {
		v.work.Go(func() {
			for time.Now().Before(end) {
				v.count(call(context.Background()))
			}
		})
	}
}

func (v *venue) count(err error) {
	if err != nil {
		v.failed.Add(1)
	}
}

// requests counts those since start and before end, of one route or of all.
func (v *venue) requests(route string, start, end time.Time) (passed, refused float64) {
	for _, r := range v.server.Requests() {
		switch {
		case route != "" && r.Route != route, r.Time.Before(start), !r.Time.Before(end):
		case r.Status == http.StatusTooManyRequests:
			refused++
		default:
			passed++
		}
	}
	return passed, refused
}

// A distant transport is a network between the client and the server. It takes about trip
// for each request.
type distant struct {
	http.RoundTripper
	trip time.Duration
}

func (d distant) RoundTrip(req *http.Request) (*http.Response, error) {
	d.pause(req.Context())
	resp, err := d.RoundTripper.RoundTrip(req)
	d.pause(req.Context())
	return resp, err
}

// pause takes about half of a trip.
func (d distant) pause(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.trip*9/20+rand.N(d.trip/10))
	defer cancel()
	<-ctx.Done()
}

// beVirtual meets all cases with a client in a child process, and prints the results.
func beVirtual(name string) {
	clientInBubble(name, func(l limitClient) (any, error) {
		var results []virtualResult
		for _, c := range virtualCases() {
			results = append(results, c.run(l))
		}
		return results, nil
	})
}

// clientInBubble is inBubble with the client of a name.
func clientInBubble(name string, run func(limitClient) (any, error)) {
	inBubble(name, func(*testing.T) (any, error) {
		for _, l := range limitClients() {
			if l.name == name {
				return run(l)
			}
		}
		return nil, errors.New("no such client")
	})
}

// inBubble prints what run returns. It runs it in a testing/synctest bubble, whose clock
// moves on as soon as everything sleeps. A bubble belongs to a test and a test to a
// process, so this is a child process. It ends inside the bubble, since a bubble waits for
// the goroutines that a client has left.
func inBubble(name string, run func(t *testing.T) (any, error)) {
	test := func(t *testing.T) {
		results, err := run(t)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(results)
		}
		if err == nil && !t.Failed() {
			os.Exit(0)
		}
		t.Error(err)
	}
	all := func(string, string) (bool, error) { return true, nil }
	bubble := func(t *testing.T) { synctest.Test(t, test) }
	testing.Main(all, []testing.InternalTest{{Name: name, F: bubble}}, nil, nil)
}
