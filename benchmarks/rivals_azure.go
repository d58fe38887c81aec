package main

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
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

func (c azureClient) caller() caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var job plainJob
		if form == nil {
			return c.do(ctx, method, url, nil, &job)
		}
		return c.do(ctx, method, url, bodyOf(streaming.NopCloser(bytes.NewReader(form)), formType), &job)
	}
}

// do makes a call. setBody is nil for a call without a body.
func (c azureClient) do(ctx context.Context, method, address string, setBody func(*policy.Request) error, into any) error {
	req, err := runtime.NewRequest(ctx, method, address)
	if err != nil {
		return err
	}
	if setBody != nil {
		if err := setBody(req); err != nil {
			return err
		}
	}
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusAccepted) {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, into)
}

// bodyOf sends what r has, and rewinds it for each attempt.
func bodyOf(r io.ReadSeekCloser, contentType string) func(*policy.Request) error {
	return func(req *policy.Request) error { return req.SetBody(r, contentType) }
}

// formOf sends a form that azcore makes.
func formOf(r io.ReadSeekCloser) func(*policy.Request) error {
	return func(req *policy.Request) error {
		return runtime.SetMultipartFormData(req, map[string]any{"audio_file": r})
	}
}
