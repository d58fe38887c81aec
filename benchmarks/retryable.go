package main

import (
	"context"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

// newRetryableGet is a GET through go-retryablehttp, as several rows make it.
func newRetryableGet(ctx context.Context, url, token string) (*retryablehttp.Request, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}
