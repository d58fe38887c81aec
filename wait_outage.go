package ambient

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// An outage is a time in which all polls of a job fail.
type outage struct {
	lasted  time.Duration
	counted time.Time // until when lasted counts
	goes    bool      // the last poll failed, and met no rate limit
}

// add counts a failed poll, and the pause before it if the poll before failed too. What
// the poll waited for the rate limit does not count.
func (o *outage) add(began time.Time, attempts []Attempt) {
	now := time.Now()
	if o.goes {
		o.lasted += began.Sub(o.counted)
	}
	for _, a := range attempts {
		if a.StatusCode != http.StatusTooManyRequests {
			began = a.Start
			break
		}
	}
	o.lasted += now.Sub(began)
	o.goes, o.counted = true, now
}

// fit brings the next poll forward if the outage would end the wait before it.
func (o *outage) fit(due time.Time, maxOutage time.Duration) time.Time {
	last := o.counted.Add(maxOutage - o.lasted)
	if o.goes && maxOutage > 0 && due.After(last) {
		return last
	}
	return due
}

// forgives reports whether the wait goes on after a failed poll. A rate limit is no
// outage: it says when it ends, and the wait goes on if its context does not end
// before.
func (w *waiter[T]) forgives(ctx context.Context, p pollResult[T]) bool {
	k := p.state
	limit, limited := find[*RateLimitError](p.err)
	switch {
	case ctx.Err() != nil:
		return false
	case limited:
		k.outage.goes = false
		deadline, ok := ctx.Deadline()
		return !ok || limit.ResetAt.Before(deadline) && !errors.Is(p.err, context.DeadlineExceeded)
	case !k.isTransient(p.err):
		return false
	}
	k.outage.add(p.began, p.info.Attempts)
	return w.maxOutage <= 0 || k.outage.lasted < w.maxOutage
}

// isTransient reports whether another poll may go better. An answer that is no answer
// about the job is one of something in front of the service.
func (k *pollState) isTransient(err error) bool {
	for err := range errorTree(err) {
		switch e := err.(type) {
		case *APIError:
			isYoung := k.isNew && time.Since(k.started) < newJob
			return retriedStatus(e.StatusCode) || e.StatusCode == http.StatusNotFound && isYoung
		case *NetworkError:
			return !permanent(e.cause)
		case *DecodeError, *CredentialsError:
			return true
		}
	}
	return false
}
