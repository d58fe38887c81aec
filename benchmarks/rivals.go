package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/AssemblyAI/assemblyai-go-sdk"
	"github.com/ambient-scribe/ambient-go"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/go-resty/resty/v2"
	"github.com/google/go-github/v89/github"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"
)

// The clients of this file are set up as their documentation shows. They have their
// defaults, except for the server's address and the transport. A comment says why where
// something else differs.

const (
	nameOurs      = "ambient-go"
	nameNetHTTP   = "net/http by hand"
	nameRetryable = "go-retryablehttp"
	nameGitHub    = "go-github"
	nameStripe    = "stripe-go"
	nameOpenAI    = "openai-go"
	nameHCloud    = "hcloud-go"
	nameAssembly  = "assemblyai-go-sdk"
	nameFailsafe  = "failsafe-go"
	nameResty     = "resty"
)

// ours is this SDK with its defaults.
func ours(base string, rt http.RoundTripper, opts ...ambient.Option) *ambient.Client {
	opts = append([]ambient.Option{ambient.WithBaseURL(base), ambient.WithToken("synthetic")}, opts...)
	if rt != nil {
		opts = append(opts, ambient.WithHTTPClient(&http.Client{Transport: rt}))
	}
	return must(ambient.NewClient(opts...))
}

// retryable is go-retryablehttp with its defaults, except that it does not log
// each request to standard error.
func retryable(rt http.RoundTripper) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.Logger = nil
	if rt != nil {
		c.HTTPClient.Transport = rt
	}
	return c
}

// newRetryableGet is a GET through go-retryablehttp, as several rows make it.
func newRetryableGet(ctx context.Context, url, token string) (*retryablehttp.Request, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// getThrough is a GET of a job through go-retryablehttp.
func getThrough(client *retryablehttp.Client, url, token string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := newRetryableGet(ctx, url, token)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		return decodeByHand(resp, err)
	}
}

func gitHub(base string, rt http.RoundTripper) *github.Client {
	opts := []github.ClientOptionsFunc{github.WithAuthToken("synthetic"), github.WithEnterpriseURLs(base, base)}
	if rt != nil {
		opts = append(opts, github.WithTransport(rt))
	}
	return must(github.NewClient(opts...))
}

// stripeClient does not log each failed request to standard error.
func stripeClient(base string, rt http.RoundTripper) *stripe.Client {
	config := &stripe.BackendConfig{URL: &base, LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}}
	if rt != nil {
		config.HTTPClient = &http.Client{Transport: rt}
	}
	return stripe.NewClient("sk_test_synthetic", stripe.WithBackends(stripe.NewBackendsWithConfig(config)))
}

func openAI(base string, rt http.RoundTripper) openai.Client {
	opts := []option.RequestOption{option.WithAPIKey("synthetic"), option.WithBaseURL(base)}
	if rt != nil {
		opts = append(opts, option.WithHTTPClient(&http.Client{Transport: rt}))
	}
	return openai.NewClient(opts...)
}

func hCloud(base string, rt http.RoundTripper) *hcloud.Client {
	opts := []hcloud.ClientOption{hcloud.WithToken("synthetic"), hcloud.WithEndpoint(base)}
	if rt != nil {
		opts = append(opts, hcloud.WithHTTPClient(&http.Client{Transport: rt}))
	}
	return hcloud.NewClient(opts...)
}

func assemblyAI(base string, rt http.RoundTripper) *assemblyai.Client {
	opts := []assemblyai.ClientOption{assemblyai.WithAPIKey("synthetic"), assemblyai.WithBaseURL(base)}
	if rt != nil {
		opts = append(opts, assemblyai.WithHTTPClient(&http.Client{Transport: rt}))
	}
	return assemblyai.NewClientWithOptions(opts...)
}

// failsafe is failsafe-go's retry policy for HTTP, which follows Retry-After,
// with the backoff of its documentation's example. Its default of 3 attempts
// would lose most calls to a rate limit.
func failsafe(retries int) *http.Client {
	policy := failsafehttp.NewRetryPolicyBuilder().
		WithBackoff(250*time.Millisecond, 30*time.Second).
		WithJitterFactor(0.25).
		WithMaxRetries(retries).
		Build()
	return &http.Client{Transport: failsafehttp.NewRoundTripper(manyIdle(), policy)}
}

// getFailsafe is a GET of a job through it.
func getFailsafe(client *http.Client, url, token string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		return decodeByHand(resp, err)
	}
}

// restyClient retries 429 and 5xx, as resty's documentation shows, and follows
// Retry-After through resty's hook. Resty cuts the wait to its maximum.
func restyClient(base string, retries int) *resty.Client {
	return resty.New().
		SetLogger(silent{}).
		SetBaseURL(base).
		SetRetryCount(retries).
		SetRetryWaitTime(250 * time.Millisecond).
		SetRetryMaxWaitTime(30 * time.Second).
		SetRetryAfter(func(_ *resty.Client, r *resty.Response) (time.Duration, error) {
			seconds, _ := strconv.Atoi(r.Header().Get("Retry-After"))
			return time.Duration(seconds) * time.Second, nil // 0 is resty's own backoff
		}).
		AddRetryCondition(func(r *resty.Response, err error) bool {
			return err != nil || r.StatusCode() == http.StatusTooManyRequests || r.StatusCode() >= 500
		})
}

// getResty is a GET of a job through it.
func getResty(client *resty.Client, path string) func(context.Context) error {
	return func(ctx context.Context) error {
		var job plainJob
		resp, err := client.R().SetContext(ctx).SetResult(&job).Get(path)
		if err == nil && resp.IsError() {
			err = statusError(resp.StatusCode())
		}
		return err
	}
}

// silent keeps resty from logging each failed request to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// manyIdle keeps a connection for each of the 64 goroutines of the rate limit row. With
// two, net/http's default, every client would be slow.
func manyIdle() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 128
	return t
}

// must stops the command, since without the value there is nothing to measure.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
