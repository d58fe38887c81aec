//go:build nightly

package transports

import (
	"net/http"
	"testing"

	httptrace "github.com/DataDog/dd-trace-go/contrib/net/http/v2"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/mocktracer"
)

// TestDatadog holds dd-trace-go's transport against every outcome. It has many
// dependencies, so that only the nightly run builds it.
func TestDatadog(t *testing.T) {
	tracer := mocktracer.Start()
	t.Cleanup(tracer.Stop)
	holds(t, transport{name: "dd-trace-go", wrap: datadog})
}

func datadog(_ *testing.T, next *http.Transport) http.RoundTripper {
	return httptrace.WrapRoundTripper(next)
}
