package main

import (
	"context"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// An azureClient calls any server through azcore's pipeline, which azcore offers to the
// authors of clients. It has azcore's defaults, among them 3 retries, and azcore's
// policy for a key that never changes.
type azureClient struct{ pipeline runtime.Pipeline }

func newAzure(rt http.RoundTripper, retries int32, token string) azureClient {
	options := &policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: retries}}
	if rt != nil {
		options.Transport = &http.Client{Transport: rt}
	}
	key := runtime.NewKeyCredentialPolicy(azcore.NewKeyCredential(token), "Authorization", &runtime.KeyCredentialPolicyOptions{
		Prefix: "Bearer ", InsecureAllowCredentialWithHTTP: true, // loopback has no TLS
	})
	return azureClient{runtime.NewPipeline("benchmarks", "v1.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{key}}, options)}
}

// get is a GET of a job.
func (c azureClient) get(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := runtime.NewRequest(ctx, http.MethodGet, address)
		if err != nil {
			return err
		}
		var job plainJob
		return c.do(req, &job)
	}
}

func (c azureClient) post(ctx context.Context, address string, setBody func(*policy.Request) error) error {
	req, err := runtime.NewRequest(ctx, http.MethodPost, address)
	if err != nil {
		return err
	}
	if err := setBody(req); err != nil {
		return err
	}
	var submission map[string]any
	return c.do(req, &submission)
}

func (c azureClient) do(req *policy.Request, into any) error {
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, into)
}

// bareBody sends what r has, and rewinds it for each attempt.
func bareBody(r io.ReadSeekCloser) func(*policy.Request) error {
	return func(req *policy.Request) error { return req.SetBody(r, "application/octet-stream") }
}

// formBody sends a form that azcore makes.
func formBody(r io.ReadSeekCloser) func(*policy.Request) error {
	return func(req *policy.Request) error {
		return runtime.SetMultipartFormData(req, map[string]any{"audio_file": r})
	}
}
