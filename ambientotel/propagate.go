package ambientotel

import (
	"net/http"

	"go.opentelemetry.io/otel/propagation"
)

// Propagate returns a transport that sends the trace context to the service in the
// headers traceparent and tracestate (W3C Trace Context), and then uses next. Without it
// nothing of a trace leaves the process. Baggage is never sent, since it may hold
// anything.
//
// A nil next is http.DefaultTransport, which lacks what NewClient sets by default. Give a
// clone with the settings that ambient.WithHTTPClient names.
//
//	transport := http.DefaultTransport.(*http.Transport).Clone()
//	transport.MaxIdleConnsPerHost = 128
//	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second}
//	ambient.WithHTTPClient(&http.Client{Transport: ambientotel.Propagate(transport)})
func Propagate(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return propagator{next}
}

type propagator struct{ next http.RoundTripper }

func (p propagator) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, header := r.Context(), r.Header.Clone()
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
	r = r.WithContext(ctx) // a copy, since a RoundTripper does not change its request
	r.Header = header
	return p.next.RoundTrip(r)
}

// CloseIdleConnections is called by ambient.Client.CloseIdleConnections.
func (p propagator) CloseIdleConnections() {
	if t, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
