package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/go-resty/resty/v2"
	resty3 "resty.dev/v3"
)

// The rivals of this file are HTTP clients that repeat what failed. They know no API.

// A caller makes a call of such a client. The call has no body, or a form of formType.
// It decodes the answer as a job.
type caller func(ctx context.Context, method, url string, form []byte) error

const formType = "multipart/form-data; boundary=synthetic"

func (c caller) get(url string) func(context.Context) error {
	return func(ctx context.Context) error { return c(ctx, http.MethodGet, url, nil) }
}

func setHeaders(h http.Header, token string, form []byte) {
	h.Set("Authorization", "Bearer "+token)
	if form != nil {
		h.Set("Content-Type", formType)
	}
}

// failsafe is failsafe-go's retry policy for HTTP, which follows Retry-After,
// with the backoff of its documentation's example. Its default of 3 attempts
// would lose most calls to a rate limit.
func failsafe(rt http.RoundTripper, retries int) *http.Client {
	policy := failsafehttp.NewRetryPolicyBuilder().
		WithBackoff(250*time.Millisecond, 30*time.Second).
		WithJitterFactor(0.25).
		WithMaxRetries(retries).
		Build()
	return &http.Client{Transport: failsafehttp.NewRoundTripper(rt, policy)}
}

func failsafeCaller(client *http.Client, token string) caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var body io.Reader // nil, not an empty form, for a GET
		if form != nil {
			body = bytes.NewReader(form)
		}
		req, err := http.NewRequestWithContext(ctx, method, url, body)
		if err != nil {
			return err
		}
		setHeaders(req.Header, token, form)
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

func restyCaller(client *resty.Client) caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var job plainJob
		req := client.R().SetContext(ctx).SetResult(&job)
		if form != nil {
			req.SetBody(form).SetHeader("Content-Type", formType)
		}
		resp, err := req.Execute(method, url)
		if err == nil && resp.IsError() {
			err = statusError(resp.StatusCode())
		}
		return err
	}
}

// restyClient3 is the release candidate of resty v3. It retries 429 and 5xx by its own
// conditions, and follows Retry-After. A POST is repeated only if the client allows it.
func restyClient3(base string, retries int) *resty3.Client {
	return resty3.New().
		SetLogger(silent{}).
		SetBaseURL(base).
		AddRetryConditions(resty3.RetryConditionStatusTooManyRequests, resty3.RetryConditionStatus5XX).
		SetRetryAllowNonIdempotent(true).
		SetRetryCount(retries).
		SetRetryWaitTime(250 * time.Millisecond).
		SetRetryMaxWaitTime(30 * time.Second)
}

func resty3Caller(client *resty3.Client) caller {
	return func(ctx context.Context, method, url string, form []byte) error {
		var job plainJob
		req := client.R().SetContext(ctx).SetResult(&job)
		if form != nil {
			req.SetBody(form).SetHeader("Content-Type", formType)
		}
		resp, err := req.Execute(method, url)
		if err == nil && resp.IsStatusFailure() {
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
