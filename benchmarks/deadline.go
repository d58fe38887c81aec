package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-github/v93/github"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/openai/openai-go/v3"
	"github.com/stripe/stripe-go/v85"

	"github.com/ambient-scribe/ambient-go"
)

// deadlineOfCall is far shorter than the minute that the server asks to wait.
const deadlineOfCall = 2 * time.Second

// A deadlineResult is how a client met a 503 that asks for a minute under a
// deadline of two seconds.
type deadlineResult struct {
	refused
	seconds sample
	tells   bool // every error tells of the 503 as a value
}

// A refused is a call of a client and what its error says.
type refused struct {
	name   string
	note   string
	call   func(ctx context.Context, base string) error
	status func(error) bool
}

func refusals() []refused {
	return append([]refused{
		{nameOurs, "repeats a 503; not past the deadline", func(ctx context.Context, base string) error {
			_, err := ours(base, nil).Transcriptions.Get(ctx, 7)
			return err
		}, func(err error) bool {
			_, ok := errors.AsType[*ambient.ServiceUnavailableError](err)
			return ok
		}},
		{nameHCloud, "repeats 502 and 504, and no 503", func(ctx context.Context, base string) error {
			_, _, err := hCloud(base, nil).Action.GetByID(ctx, 7)
			return err
		}, func(err error) bool {
			e, ok := errors.AsType[hcloud.Error](err)
			return ok && e.Response().StatusCode == http.StatusServiceUnavailable
		}},
		{nameStripe, "does not repeat this 503", func(ctx context.Context, base string) error {
			_, err := stripeClient(base, nil).V1Files.Retrieve(ctx, "file_7", nil)
			return err
		}, func(err error) bool {
			e, ok := errors.AsType[*stripe.Error](err)
			return ok && e.HTTPStatusCode == http.StatusServiceUnavailable
		}},
		{nameOpenAI, "repeats a 503; WithMaxRetryDelay, 2 min unless set, bounds the wait", func(ctx context.Context, base string) error {
			client := openAI(base, nil)
			_, err := client.Files.Get(ctx, "file-7")
			return err
		}, func(err error) bool {
			e, ok := errors.AsType[*openai.Error](err)
			return ok && e.StatusCode == http.StatusServiceUnavailable
		}},
		{nameGitHub, "repeats nothing", func(ctx context.Context, base string) error {
			_, _, err := gitHub(base, nil).Users.Get(ctx, "synthetic")
			return err
		}, func(err error) bool {
			e, ok := errors.AsType[*github.ErrorResponse](err)
			return ok && e.Response.StatusCode == http.StatusServiceUnavailable
		}},
	}, retryingRefusals()...)
}

// retryingRefusals are those of clients that know no API.
func retryingRefusals() []refused {
	through := func(c caller) func(context.Context, string) error {
		return func(ctx context.Context, base string) error { return c(ctx, http.MethodGet, base+"/transcribe/7", nil) }
	}
	isAzure := func(err error) bool {
		e, ok := errors.AsType[*azcore.ResponseError](err)
		return ok && e.StatusCode == http.StatusServiceUnavailable
	}
	return []refused{
		{nameRetryable, "repeats a 503", through(retryableCaller(retryable(nil), "synthetic")), isPlainStatus},
		{nameResty, "repeats a 503", through(restyCaller(restyClient("", 3))), isPlainStatus},
		{nameResty3, "repeats a 503", through(resty3Caller(restyClient3("", 3))), isPlainStatus},
		{nameFailsafe, "repeats a 503", through(failsafeCaller(failsafe(manyIdle(), 3), "synthetic")), isPlainStatus},
		{nameAzure, "repeats a 503; MaxRetryDelay, 1 min unless set, bounds the wait", through(newAzure(nil, 0, "synthetic").caller()), isAzure},
		{nameAWS, "repeats a 503 after less than 0.2 s; reads no Retry-After", through(newAWS(nil, retry.NewStandard(), "synthetic").caller()), isPlainStatus},
	}
}

func measureDeadline(r refused, rounds int) deadlineResult {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":{"code":"unavailable","message":"synthetic"}}`))
	}))
	defer s.Close()
	result := deadlineResult{refused: r, tells: true}
	for range rounds {
		ctx, cancel := context.WithTimeout(context.Background(), deadlineOfCall)
		start := time.Now()
		err := r.call(ctx, s.URL)
		cancel()
		result.seconds = append(result.seconds, time.Since(start).Seconds())
		result.tells = result.tells && r.status(err)
	}
	return result
}
