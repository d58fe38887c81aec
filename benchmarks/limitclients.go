package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"
)

// patience is how often the rivals repeat a call. With their defaults of 2 to 4 they
// would lose most calls.
const patience = 50

const nameTFE = "go-tfe's recipe"

func limitClients() []limitClient {
	return []limitClient{
		{nameOurs, "defaults", limitOurs},
		{nameRetryable, "RetryMax 50, else its defaults; follows Retry-After", limitRetryable},
		{nameTFE, "go-retryablehttp behind x/time/rate, set to two thirds of X-RateLimit-Limit, with go-tfe's bounds; it reads no other header", limitTFE},
		{nameFailsafe, "failsafehttp's retry policy, 50 retries, backoff of 250 ms to 30 s; follows Retry-After", limitFailsafe},
		{nameResty, "50 retries, waits of 250 ms to 30 s; follows Retry-After", limitResty},
		{nameResty3, "the same", limitResty3},
		{nameAzure, "50 retries, else its defaults; follows Retry-After", limitAzure},
		{nameAWS, "AdaptiveMode, 50 attempts without a quota, else its defaults; limits its own rate after a refusal; reads no header of other services", limitAWS},
	}
}

func limitOurs(s *ambienttest.Server, token, _ string, id int64) func(context.Context) error {
	client := ours(s.URL, nil, ambient.WithToken(token))
	return func(ctx context.Context) error {
		_, err := client.Transcriptions.Get(ctx, id)
		return err
	}
}

func limitRetryable(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	client := retryable(manyIdle())
	client.RetryMax = patience
	return getThrough(client, s.URL+path, token)
}

func limitFailsafe(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	return getFailsafe(failsafe(manyIdle(), patience), s.URL+path, token)
}

func limitResty(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	return getResty(restyClient(s.URL, patience).SetTransport(manyIdle()).SetAuthToken(token), path)
}

func limitResty3(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	return getResty3(restyClient3(s.URL, patience).SetTransport(manyIdle()).SetAuthToken(token), path)
}

func limitAzure(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	return newAzure(manyIdle(), patience, token).get(s.URL + path)
}

func limitAWS(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	return newAWS(manyIdle(), awsAdaptive(patience), token).get(s.URL + path)
}

// limitTFE does what go-tfe v1 does in tfe.go. The X-RateLimit-Limit of the first
// answer sets a limiter to two thirds of the rate and a burst of one third. A 429 is
// repeated after X-RateLimit-Reset seconds and some jitter.
func limitTFE(s *ambienttest.Server, token, path string, _ int64) func(context.Context) error {
	limiter := rate.NewLimiter(rate.Inf, 0)
	client := retryable(manyIdle())
	client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = 30, 100*time.Millisecond, 400*time.Millisecond
	client.Backoff = tfeBackoff
	var learn sync.Once
	client.ResponseLogHook = func(_ retryablehttp.Logger, resp *http.Response) {
		if limit, err := strconv.ParseFloat(resp.Header.Get("X-RateLimit-Limit"), 64); err == nil && limit > 0 {
			learn.Do(func() { limiter.SetBurst(int(limit * 0.33)); limiter.SetLimit(rate.Limit(limit * 0.66)) })
		}
	}
	get := getThrough(client, s.URL+path, token)
	_ = get(context.Background()) // as go-tfe, which asks the server for its limit when a client is made
	return func(ctx context.Context) error {
		if err := limiter.Wait(ctx); err != nil {
			return err
		}
		return get(ctx)
	}
}

func tfeBackoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		return retryablehttp.LinearJitterBackoff(700*time.Millisecond, 900*time.Millisecond, attempt, resp)
	}
	jitter := rand.N(most - least)
	// The header is seconds at go-tfe's service and an epoch at ours.
	if reset, err := strconv.ParseFloat(resp.Header.Get("X-RateLimit-Reset"), 64); err == nil {
		wait := time.Duration((reset - float64(time.Now().UnixMilli())/1000) * float64(time.Second))
		least = max(least, wait)
	}
	return least + jitter
}
