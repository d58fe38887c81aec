package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"
)

// patience is how often the rivals repeat a call. With their defaults of 2 to 4 they
// would lose most calls.
const patience = 50

const nameTFE = "go-tfe's recipe"

// An account is that of a fake API, with a job of each kind. Its transport is nil in real
// time, where a client takes one that is good for the load.
type account struct {
	url, token          string
	transcription, note string // paths
	ids                 [2]int64
	transport           http.RoundTripper
}

// An apiClient makes calls of that API. Each returns the error of one call.
type apiClient struct{ get, getNote, submit func(context.Context) error }

// A limitClient connects a client.
type limitClient struct {
	name, note string
	connect    func(account) apiClient
}

func limitClients() []limitClient {
	return []limitClient{
		{nameOurs, "defaults", limitOurs},
		{nameRetryable, "RetryMax 50, else its defaults; follows Retry-After", func(a account) apiClient {
			client := retryable(a.rivalTransport())
			client.RetryMax = patience
			return a.by(retryableCaller(client, a.token))
		}},
		{nameTFE, "go-retryablehttp behind x/time/rate, set to two thirds of X-RateLimit-Limit a second, with go-tfe's bounds; it reads no other header", limitTFE},
		{nameFailsafe, "failsafehttp's retry policy, 50 retries, backoff of 250 ms to 30 s; follows Retry-After", func(a account) apiClient {
			return a.by(failsafeCaller(failsafe(a.rivalTransport(), patience), a.token))
		}},
		{nameResty, "50 retries, waits of 250 ms to 30 s; follows Retry-After", func(a account) apiClient {
			return a.by(restyCaller(restyClient(a.url, patience).SetTransport(a.rivalTransport()).SetAuthToken(a.token)))
		}},
		{nameResty3, "the same", func(a account) apiClient {
			return a.by(resty3Caller(restyClient3(a.url, patience).SetTransport(a.rivalTransport()).SetAuthToken(a.token)))
		}},
		{nameAzure, "50 retries, else its defaults; follows Retry-After", func(a account) apiClient {
			return a.by(newAzure(a.rivalTransport(), patience, a.token).caller())
		}},
		{nameAWS, "AdaptiveMode, which limits its own rate after a refusal, and in virtual time Standard; 50 attempts without a quota; reads no header of other services", func(a account) apiClient {
			inRealTime := a.transport == nil // AdaptiveMode sleeps for 0 s at times, which stops a virtual clock
			return a.by(newAWS(a.rivalTransport(), awsRetryer(patience, inRealTime), a.token).caller())
		}},
	}
}

func (a account) rivalTransport() http.RoundTripper {
	if a.transport != nil {
		return a.transport
	}
	return manyIdle()
}

// by makes the calls by hand.
func (a account) by(c caller) apiClient {
	submit := func(ctx context.Context) error { return c(ctx, http.MethodPost, a.url+"/transcribe", smallForm()) }
	return apiClient{c.get(a.url + a.transcription), c.get(a.url + a.note), submit}
}

func limitOurs(a account) apiClient {
	client := ours(a.url, a.transport, ambient.WithToken(a.token))
	get := func(ctx context.Context) error {
		_, err := client.Transcriptions.Get(ctx, a.ids[0])
		return err
	}
	getNote := func(ctx context.Context) error {
		_, err := client.Scribes.Get(ctx, a.ids[1])
		return err
	}
	submit := func(ctx context.Context) error {
		_, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: smallAudio()})
		return err
	}
	return apiClient{get, getNote, submit}
}

func smallAudio() ambient.Audio { return ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic")) }

// smallForm is what submits that audio.
func smallForm() []byte {
	return []byte("--synthetic\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"visit.mp3\"\r\n" +
		"Content-Type: audio/mpeg\r\n\r\nID3 synthetic\r\n--synthetic--\r\n")
}

// limitTFE does what go-tfe v1 does in tfe.go. The X-RateLimit-Limit of the first
// answer sets a limiter to two thirds of the rate and a burst of one third. A 429 is
// repeated after X-RateLimit-Reset seconds and some jitter.
func limitTFE(a account) apiClient {
	limiter := rate.NewLimiter(rate.Inf, 0)
	client := retryable(a.rivalTransport())
	client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = 30, 100*time.Millisecond, 400*time.Millisecond
	client.Backoff = tfeBackoff
	var learn sync.Once
	client.ResponseLogHook = func(_ retryablehttp.Logger, resp *http.Response) {
		if limit, err := strconv.ParseFloat(resp.Header.Get("X-RateLimit-Limit"), 64); err == nil && limit > 0 {
			learn.Do(func() { limiter.SetBurst(int(limit * 0.33)); limiter.SetLimit(rate.Limit(limit * 0.66)) })
		}
	}
	call := retryableCaller(client, a.token)
	_ = call.get(a.url + a.transcription)(context.Background()) // as go-tfe, which asks the server for its limit when a client is made
	return a.by(func(ctx context.Context, method, url string, form []byte) error {
		if err := limiter.Wait(ctx); err != nil {
			return err
		}
		return call(ctx, method, url, form)
	})
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
