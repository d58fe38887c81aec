package main

import (
	"context"
	"net/http"

	"github.com/AssemblyAI/assemblyai-go-sdk"
	"github.com/ambient-scribe/ambient-go"
	"github.com/google/go-github/v93/github"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"
)

// The clients of this file and of the others whose names begin with rivals are set up as
// their documentation shows. They have their defaults, except for the server's address and
// the transport. A comment says why where something else differs.

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
	nameResty3    = "resty v3"
	nameAWS       = "aws-sdk-go-v2"
	nameAzure     = "azcore"
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

// retryableCaller makes calls of a job through go-retryablehttp.
func retryableCaller(client *retryablehttp.Client, token string) caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var body any // nil, not an empty form, for a GET
		if form != nil {
			body = form
		}
		req, err := retryablehttp.NewRequestWithContext(ctx, method, url, body)
		if err != nil {
			return err
		}
		setHeaders(req.Header, token, form)
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
