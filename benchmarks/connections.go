package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// connPairs is how many good calls are made, each followed by one that fails
// and is cancelled while it waits to be repeated.
const connPairs = 100

// A pather is a client that makes a GET of any path.
type pather struct {
	name string
	new  func(base string) func(ctx context.Context, path string) error
}

func pathers() []pather {
	return []pather{
		{nameOurs, func(base string) func(context.Context, string) error {
			client := ours(base, nil)
			return func(ctx context.Context, path string) error {
				return client.Do(ctx, http.MethodGet, path, nil, nil)
			}
		}},
		byHand(nameRetryable, func() caller { return retryableCaller(retryable(nil), "synthetic") }),
		byHand(nameResty, func() caller { return restyCaller(restyClient("", 3)) }),
		byHand(nameResty3, func() caller { return resty3Caller(restyClient3("", 3)) }),
		byHand(nameFailsafe, func() caller { return failsafeCaller(failsafe(manyIdle(), 3), "synthetic") }),
		byHand(nameAzure, func() caller { return newAzure(nil, 0, "synthetic").caller() }),
		byHand(nameAWS, func() caller { return newAWS(nil, retry.NewStandard(), "synthetic").caller() }),
	}
}

func byHand(name string, connect func() caller) pather {
	return pather{name, func(base string) func(context.Context, string) error {
		call := connect()
		return func(ctx context.Context, path string) error { return call(ctx, http.MethodGet, base+path, nil) }
	}}
}

// A connResult is how many connections a client opened.
type connResult struct {
	name   string
	opened int64
}

func measureConnections(p pather) (connResult, error) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(transcriptionJSON))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()

	call := p.new(s.URL)
	r := connResult{name: p.name}
	for range connPairs {
		if err := call(context.Background(), "/good"); err != nil {
			return r, fmt.Errorf("%s: a good call failed: %w", p.name, err)
		}
		cancelInBackoff(func(ctx context.Context) { _ = call(ctx, "/bad") })
	}
	r.opened = opened.Load()
	return r, nil
}

// cancelInBackoff cancels a call when the client has read the answer and its connection
// is idle. It cancels the call of a client whose connection is never idle 200 ms after the
// answer began.
func cancelInBackoff(call func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	late := time.AfterFunc(10*time.Second, cancel)
	defer late.Stop()
	call(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { late.Reset(200 * time.Millisecond) },
		PutIdleConn:          func(error) { late.Reset(5 * time.Millisecond) }, // time to get from there to its sleep
	}))
}
