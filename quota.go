package ambient

import "sync"

const (
	quotaSize          = 500
	costOfRetry        = 5
	costOfNetworkRetry = 10
)

// A quota bounds the retries of a whole client, so that an outage is not
// multiplied by every caller's patience: the retry token bucket of
// aws-sdk-go-v2.
type quota struct {
	mu   sync.Mutex
	left int
}

func newQuota() *quota { return &quota{left: quotaSize} }

func (q *quota) take(n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left < n {
		return false
	}
	q.left -= n
	return true
}

func (q *quota) give(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left = min(q.left+n, quotaSize)
}
