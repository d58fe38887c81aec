package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const (
	limitGoroutines = 64
	limitTimeout    = 2 * time.Minute  // of all the calls of one client
	loopbackTrip    = time.Millisecond // of a request over loopback at most, without a load
)

// A limitCase is a rate limit and a load that meets it.
type limitCase struct {
	name    string
	limit   ambienttest.RateLimit
	calls   int
	clients int           // that share the account, and nothing else
	ideal   time.Duration // for all calls, from the start in the middle of a window
	held    bool          // to these two bounds
	ratio   float64
	refused float64
	note    string
}

func limitCases() []limitCase {
	fixed := ambienttest.RateLimit{Limit: 100, Window: time.Second, Dialect: ambienttest.XRateLimit}
	delta, bare, sliding := fixed, fixed, fixed
	delta.Dialect, bare.Dialect = ambienttest.RateLimitDelta, ambienttest.RetryAfterOnly
	sliding.Algorithm = ambienttest.SlidingLog
	bucket := ambienttest.RateLimit{Algorithm: ambienttest.TokenBucket, Limit: 50, Window: time.Second, Burst: 50}
	return []limitCase{
		// 100 calls go in the rest of the first window, on average half of it. The last 50 go at the beginning of the tenth.
		{"fixed window of 100 per 1 s, full headers, 950 calls", fixed, 950, 1, 8500 * time.Millisecond, true, 0.95, 10,
			"X-RateLimit-Reset is an epoch, and the window ends with a second, so that the header gives the end exactly. Retry-After counts\n" +
				"whole seconds from the refusal, and a client that follows it comes in the middle of a window."},
		{"four clients that share only the account, in that fixed window", fixed, 950, 4, 8500 * time.Millisecond, true, 0.95, 100, ""},
		{"the same window for one client, its reset in seconds from now", delta, 950, 1, 8500 * time.Millisecond, false, 0, 0,
			"RateLimit-Reset is in whole seconds, rounded up, so that nobody can know when the window ends."},
		{"the same window for one client, with Retry-After and no other header", bare, 950, 1, 8500 * time.Millisecond, false, 0, 0,
			"The server does not say how many requests remain. This SDK goes on slowly after a refusal, to be refused less."},
		{"sliding log of 100 per 1 s, full headers, 950 calls", sliding, 950, 1, 9 * time.Second, false, 0, 0,
			"The server gives the reset in whole seconds, rounded up. A client that believes it waits up to 2 s for a window of 1 s,\n" +
				"and is never refused."},
		{"token bucket of 50 per 1 s, no headers, 500 calls", bucket, 500, 1, 9 * time.Second, true, 0.85, 100, ""},
	}
}

// A limitResult is what one client did in one case, over several runs.
type limitResult struct {
	Name    string
	Ratio   sample // ideal time / time
	Refused sample // answers with 429
	Failed  sample // calls that returned an error
}

// measureLimit runs all clients of a case at the same time, each against another
// server. They disturb each other little, since they sleep nearly all the time.
func measureLimit(c limitCase, list []limitClient, rounds int) ([]limitResult, error) {
	results := make([]limitResult, len(list))
	errs := make([]error, len(list))
	for range rounds {
		var wg sync.WaitGroup
		for i, l := range list {
			wg.Go(func() { errs[i] = c.run(l, ambienttest.NewServer(), nil, &results[i]) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// run makes the calls of one client, through the transport if it is not nil, and closes
// the server.
func (c limitCase) run(l limitClient, s *ambienttest.Server, transport http.RoundTripper, r *limitResult) error {
	defer s.Close()
	a := prepare(s)
	a.transport = transport
	s.SetRateLimit(c.limit) // for a client that asks for it when it is made
	var calls []func(context.Context) error
	for range c.clients {
		calls = append(calls, l.connect(a).get)
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1500 * time.Millisecond)))
	s.SetRateLimit(c.limit) // and begin to count again
	asked := len(s.Requests())

	start := time.Now()
	failed := c.load(calls)
	took := time.Since(start)
	if took < c.ideal*9/10 {
		return fmt.Errorf("%s: %s took %v, and the limit allows no less than %v: the server did not enforce it", c.name, l.name, took, c.ideal)
	}
	refused := 0
	for _, req := range s.Requests()[asked:] {
		if req.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	r.Name = l.name
	r.Ratio = append(r.Ratio, c.ideal.Seconds()/took.Seconds())
	r.Refused = append(r.Refused, float64(refused))
	r.Failed = append(r.Failed, float64(failed))
	return nil
}

// load makes all calls, in turns through the clients, and returns how many failed.
func (c limitCase) load(calls []func(context.Context) error) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), limitTimeout)
	defer cancel()
	var left, failed atomic.Int64
	left.Store(int64(c.calls))
	var wg sync.WaitGroup
	for i := range limitGoroutines {
		call := calls[i%len(calls)]
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(ctx); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return failed.Load()
}

// prepare logs in and submits a job of each kind.
func prepare(s *ambienttest.Server) account {
	var issued struct {
		Token string `json:"access_token"`
	}
	ctx := context.Background()
	form := "username=" + s.Username + "&password=" + s.Password
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/auth/token", strings.NewReader(form)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	must(0, decode(must(s.Client().Do(req)), &issued))

	client := ours(s.URL, s.Client().Transport, ambient.WithToken(issued.Token))
	sub := must(client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: smallAudio()}))
	note := must(client.Scribes.Create(ctx, &ambient.ScribeRequest{Audio: []ambient.Audio{smallAudio()}, TemplateIDs: []int64{1}}))
	return account{
		url: s.URL, token: issued.Token, ids: [2]int64{sub.ID, note.ID},
		transcription: fmt.Sprintf("/transcribe/%d", sub.ID), note: fmt.Sprintf("/scribe/%d", note.ID),
	}
}

// measureLimits runs one case after another in real time. A quick one is in virtual time,
// in a child process, and its counts are the same on a slow machine.
func measureLimits(list []limitClient, rounds int, quick bool) ([][]limitResult, error) {
	var all [][]limitResult
	if quick {
		err := runChild(&all, nil, "-child", "limit", "-rounds", strconv.Itoa(rounds))
		return all, err
	}
	for _, c := range limitCases() {
		results, err := measureLimit(c, list, rounds)
		if err != nil {
			return nil, err
		}
		all = append(all, results)
	}
	return all, nil
}

// beLimited runs all cases with this SDK in a child process, through a network as near as
// loopback, and prints the results.
func beLimited(rounds int) {
	inBubble(nameOurs, func(*testing.T) (any, error) {
		var all [][]limitResult
		for _, c := range limitCases() {
			var r limitResult
			for range rounds {
				s := ambienttest.NewInMemory()
				if err := c.run(limitClients()[0], s, distant{s.Client().Transport, loopbackTrip}, &r); err != nil {
					return nil, err
				}
			}
			all = append(all, []limitResult{r})
		}
		return all, nil
	})
}
