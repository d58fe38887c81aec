package origin

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://api.example.com/v1", "https://API.example.com:443/other?q=1", true},
		{"http://127.0.0.1", "http://127.0.0.1:80/", true},
		{"http://[::1]:8080/", "http://[::1]:8080", true},
		{"https://api.example.com", "http://api.example.com", false},
		{"https://api.example.com", "https://example.com", false},
		{"https://api.example.com", "https://api.example.com:8443", false},
		{"http://127.0.0.1:443", "https://127.0.0.1:443", false},
	} {
		a, err := url.Parse(c.a)
		require.NoError(t, err)
		b, err := url.Parse(c.b)
		require.NoError(t, err)
		assert.Equal(t, c.same, Same(a, b), "%s and %s", c.a, c.b)
		assert.True(t, Same(a, a))
	}
}
