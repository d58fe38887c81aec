package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func slidingReset(l limitClient) virtualResult {
	const lasting = 10 * time.Minute
	v := newVenue(l, ambienttest.RateLimit{Algorithm: ambienttest.TokenBucket, Limit: 50, Window: time.Second, Dialect: ambienttest.RateLimitDelta})
	start := time.Now()
	end := start.Add(lasting)
	v.begin(limitGoroutines, end, v.client.get)
	v.work.Wait()
	passed, refused := v.requests("", start, end)
	return v.result(passed/lasting.Seconds(), refused)
}

func slidingLog(l limitClient) virtualResult {
	const calls, ideal = 500, 4 * time.Minute // 100 go at once, and 100 each minute
	v := newVenue(l, ambienttest.RateLimit{Algorithm: ambienttest.SlidingLog, Limit: 100, Window: time.Minute, Dialect: ambienttest.XRateLimit})
	start := time.Now()
	var left atomic.Int64
	left.Store(calls)
	for range limitGoroutines {
		v.work.Go(func() {
			for left.Add(-1) >= 0 {
				v.count(v.client.get(context.Background()))
			}
		})
	}
	v.work.Wait()
	took := time.Since(start)
	_, refused := v.requests("", start, time.Now())
	return v.result(ideal.Seconds()/took.Seconds(), refused)
}

func accountWindow(l limitClient) virtualResult {
	const limit, windows = 75, 10
	v := newVenue(l, ambienttest.RateLimit{Limit: limit, Window: time.Minute, Dialect: ambienttest.XRateLimit})
	start := time.Now()
	end := start.Truncate(time.Minute).Add(windows * time.Minute)
	v.begin(12, end, v.client.get)
	v.begin(12, end, v.client.getNote)
	v.begin(12, end, v.client.submit)
	v.work.Wait()
	passed, refused := v.requests("", start, end)
	return v.result(passed/(limit*windows), refused/windows)
}

func pollerBesideSubmits(l limitClient) virtualResult {
	const lasting = 5 * time.Minute
	gets := func(submitters int) (*venue, float64, float64) {
		v := newVenue(l, ambienttest.RateLimit{})
		v.server.SetRateLimitOf("POST /transcribe", ambienttest.RateLimit{Limit: 10, Window: time.Minute, Dialect: ambienttest.XRateLimit})
		start := time.Now()
		end := start.Add(lasting)
		v.begin(1, end, v.client.get)
		v.begin(submitters, end, v.client.submit)
		v.work.Wait()
		passed, _ := v.requests("GET /transcribe/{id}", start, end)
		_, refused := v.requests("", start, end)
		return v, passed, refused
	}
	_, alone, _ := gets(0)
	v, beside, refused := gets(3)
	return v.result(beside/alone, refused)
}

func (v *venue) result(figure, refused float64) virtualResult {
	return virtualResult{figure, refused, float64(v.failed.Load())}
}
