package ambient

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestTokensPrintTheirExpiryOnly(t *testing.T) {
	assert.Equal(t, "Token(hidden)", NewToken("secret", time.Time{}).String())
	expiry := time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	assert.Equal(t, "Token(hidden, expires 2026-07-01T11:00:00Z)", NewToken("secret", expiry).String())
	assert.Equal(t, "Token(hidden)", Token{}.String())
}

// TestJWTLife: the exp claim counts from the server's clock, and one that is past says
// nothing.
func TestJWTLife(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, int(500*time.Millisecond), time.UTC)
	for offset, want := range map[time.Duration]time.Duration{
		-time.Hour:                 0,
		0:                          0, // with the fraction of now it would be half a second ago
		time.Second:                500 * time.Millisecond,
		time.Hour:                  time.Hour - 500*time.Millisecond,
		maxTokenLife:               maxTokenLife - 500*time.Millisecond,
		maxTokenLife + time.Second: 0,
	} {
		claims := fmt.Sprintf(`{"exp": %d}`, now.Add(offset).Unix())
		jwt := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
		assert.Equal(t, want, jwtLife(jwt, http.Header{}, now), offset)
	}
	jwt := "e30." + base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"exp": %d}`, now.Unix()+10))) + ".c2ln"
	behind := http.Header{"Date": {now.Add(-time.Minute).Format(http.TimeFormat)}}
	assert.Equal(t, 70*time.Second, jwtLife(jwt, behind, now))
}

// A life of a year is the longest that is believed.
func TestLongestLife(t *testing.T) {
	assert.Equal(t, maxTokenLife, lifeOf([]byte("31536000")))
	assert.Zero(t, lifeOf([]byte("31536001")))
}
