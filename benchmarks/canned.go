package main

import (
	"bytes"
	"io"
	"maps"
	"net/http"
)

// A canned transport answers every request with the same body. It uses no socket, so
// that a measurement shows the client alone.
type canned struct {
	header http.Header
	body   []byte
}

func newCanned(body string) *canned {
	return &canned{
		header: http.Header{
			"Content-Type": {"application/json"},
			"Date":         {"Thu, 06 Nov 2025 14:05:00 GMT"},
			"Server":       {"nginx"},
			"X-Request-Id": {"0b9f6c1e-6f0a-4f4e-9d7e-3d1f0f0a9f11"},
		},
		body: []byte(body),
	}
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: maps.Clone(c.header), Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: req,
	}, nil
}
