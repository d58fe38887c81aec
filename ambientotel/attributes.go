package ambientotel

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	ambient "github.com/ambient-scribe/ambient-go"
)

// Attributes that the semantic conventions do not have.
const (
	callAttempts      = attribute.Key("ambient.call.attempts")      // requests on the wire
	callDuplicate     = attribute.Key("ambient.possible_duplicate") // the submit may have created two jobs
	callMaybe         = attribute.Key("ambient.maybe_submitted")    // the submit failed, and may have created a job
	attemptWait       = attribute.Key("ambient.attempt.wait")       // seconds before it, for the backoff and the rate limit; from 1 ms
	attemptSent       = attribute.Key("ambient.attempt.sent")       // how far a request without an answer got
	waitPolls         = attribute.Key("ambient.wait.polls")
	jobStatus         = attribute.Key("ambient.job.status") // last seen
	otherValue        = "_OTHER"                            // the conventions' word for a value that is none of the known ones
	otherMethodInName = "HTTP"                              // likewise for a method in the name of a span
)

// An endpoint is a method and a route without ids, at a server.
type endpoint struct {
	method, template string
	address          string
	port             int
}

func endpointOf(op ambient.Operation) endpoint {
	_, template, _ := strings.Cut(op.Endpoint, " ")
	return endpoint{methodOf(op.Method), template, op.ServerAddress, op.ServerPort}
}

// methodOf keeps methods to those that the conventions list.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY":
		return method
	}
	return otherValue
}

// name is the name of a client span.
func (e endpoint) name() string {
	if e.method == otherValue {
		return otherMethodInName + " " + e.template
	}
	return e.method + " " + e.template
}

// url is the URL with the template for its path. The path of the base URL is left out.
// The client sends plain HTTP to loopback addresses only.
func (e endpoint) url() string {
	scheme, usual := "https", 443
	if ip := net.ParseIP(e.address); e.address == "localhost" || ip != nil && ip.IsLoopback() {
		scheme, usual = "http", 80
	}
	host := e.address
	switch {
	case e.port != usual:
		host = net.JoinHostPort(host, strconv.Itoa(e.port))
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return scheme + "://" + host + e.template
}

// attributes are those of requests, in spans and metrics.
func (e endpoint) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(e.method), semconv.URLTemplate(e.template),
		semconv.ServerAddress(e.address), semconv.ServerPort(e.port),
	}
}

// labels are those of calls, in metrics.
func (e endpoint) labels() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(e.method), semconv.URLTemplate(e.template)}
}

// beginAttributes are what is known of an operation when it begins.
func beginAttributes(o *operation) []attribute.KeyValue {
	if o.Kind != "attempt" {
		return []attribute.KeyValue{semconv.URLTemplate(o.endpoint.template)}
	}
	attrs := append(o.endpoint.attributes(), semconv.URLFull(o.endpoint.url()))
	if o.Number > 1 {
		attrs = append(attrs, semconv.HTTPRequestResendCount(o.Number-1))
	}
	return attrs
}

// endAttributes are what is known of an operation when it has ended.
func endAttributes(e ambient.Event) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	add := func(present bool, a attribute.KeyValue) {
		if present {
			attrs = append(attrs, a)
		}
	}
	failure := errorType(e)
	add(failure != "", semconv.ErrorTypeKey.String(failure))
	switch a := e.Attempt; e.Kind {
	case ambient.EventAttempt:
		add(a.StatusCode > 0, semconv.HTTPResponseStatusCode(a.StatusCode))
		add(a.BytesSent > 0, semconv.HTTPRequestBodySize(int(a.BytesSent)))
		add(a.Wait >= time.Millisecond, attemptWait.Float64(a.Wait.Seconds()))
		add(a.StatusCode == 0, attemptSent.String(a.Sent.String()))
	case ambient.EventCall:
		add(true, callAttempts.Int(e.Number))
		add(ambient.MaybeSubmitted(e.Err), callMaybe.Bool(true))
	case ambient.EventJob:
		add(true, waitPolls.Int(e.Number))
		add(e.Status != "", jobStatus.String(statusOf(e)))
	}
	return attrs
}

// statusOf keeps states to those that are documented. An unknown one may be any word.
func statusOf(e ambient.Event) string {
	switch s := e.Status; {
	case s == "":
		return "none"
	case known(s, ambient.TranscriptionDetectedFile, ambient.TranscriptionProcessing, ambient.TranscriptionCompleted,
		ambient.TranscriptionError, ambient.TranscriptionIncomplete),
		known(s, ambient.ScribeInProgress, ambient.ScribeCompleted, ambient.ScribeFailed):
		return strings.ToUpper(s)
	}
	return otherValue
}

func known[S ~string](status string, all ...S) bool {
	for _, s := range all {
		if strings.EqualFold(status, string(s)) {
			return true
		}
	}
	return false
}
