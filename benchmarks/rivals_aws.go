package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// An awsClient calls any server through the retryer of aws-sdk-go-v2. That SDK has clients
// for Amazon's services alone. Each builds a middleware stack of smithy-go for each call, and
// the retryer works as one middleware of it. This client builds the same stack with only
// what any server needs. It sets up the request, repeats it, makes an error of a bad status
// and decodes the answer. It does not sign the request and does not look up an endpoint.
type awsClient struct {
	http    aws.HTTPClient
	retryer aws.Retryer
	token   string
}

// newAWS has the SDK's own transport unless rt is set.
func newAWS(rt http.RoundTripper, retryer aws.Retryer, token string) *awsClient {
	c := &awsClient{http: awshttp.NewBuildableClient(), retryer: retryer, token: token}
	if rt != nil {
		c.http = &http.Client{Transport: rt}
	}
	return c
}

// awsRetryer makes that many attempts. Its quota of retries is off, as the documentation
// of RateLimiter shows. With it most calls of the rate limit rows fail.
func awsRetryer(attempts int, adaptive bool) aws.Retryer {
	options := func(o *retry.StandardOptions) { o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None }
	if !adaptive {
		return retry.NewStandard(options)
	}
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) { o.StandardOptions = append(o.StandardOptions, options) })
}

func (c *awsClient) caller() caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var job plainJob
		if form == nil {
			return c.do(ctx, method, url, nil, "", &job)
		}
		return c.do(ctx, method, url, bytes.NewReader(form), formType, &job)
	}
}

func (c *awsClient) do(ctx context.Context, method, address string, body io.Reader, contentType string, into any) error {
	stack := middleware.NewStack("Call", smithyhttp.NewStackRequest)
	steps := []error{
		stack.Serialize.Add(c.serialize(method, address, body, contentType), middleware.After),
		stack.Finalize.Add(retry.NewAttemptMiddleware(c.retryer, smithyhttp.RequestCloner), middleware.After),
		stack.Deserialize.Add(deserialize(into), middleware.After),
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	_, _, err := middleware.DecorateHandler(smithyhttp.NewClientHandlerWithOptions(c.http), stack).Handle(ctx, nil)
	return err
}

func (c *awsClient) serialize(method, address string, body io.Reader, contentType string) middleware.SerializeMiddleware {
	return middleware.SerializeMiddlewareFunc("Serialize", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
		out middleware.SerializeOutput, metadata middleware.Metadata, err error,
	) {
		req := in.Request.(*smithyhttp.Request)
		req.Method = method
		req.Header.Set("Authorization", "Bearer "+c.token)
		if req.URL, err = url.Parse(address); err != nil {
			return out, metadata, err
		}
		if body != nil {
			req.Header.Set("Content-Type", contentType)
			if req, err = req.SetStream(body); err != nil {
				return out, metadata, err
			}
		}
		in.Request = req
		return next.HandleSerialize(ctx, in)
	})
}

func deserialize(into any) middleware.DeserializeMiddleware {
	return middleware.DeserializeMiddlewareFunc("Deserialize", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
	) {
		out, metadata, err = next.HandleDeserialize(ctx, in)
		if err != nil {
			return out, metadata, err
		}
		resp := out.RawResponse.(*smithyhttp.Response)
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			_, _ = io.Copy(io.Discard, resp.Body) // as Amazon's clients, which read an error's body
			return out, metadata, &smithyhttp.ResponseError{Response: resp, Err: statusError(resp.StatusCode)}
		}
		return out, metadata, json.NewDecoder(resp.Body).Decode(into)
	})
}
