package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go"
)

// An outcome is what follows from a try that did not succeed.
type outcome struct {
	verdict verdict
	reason  string        // in fixed words
	wait    time.Duration // of tryLater, where the service or a stop says so; else 0
	counts  bool          // of tryLater: the backoff grows
}

type verdict int

const (
	tryLater  verdict = iota // nothing was submitted
	askPerson                // it may have been
	giveUp                   // it never will be
)

// submitOutcome reads the rules of the package documentation. committed says whether the point of no return was passed.
func submitOutcome(err error, route string) outcome {
	if ambient.MaybeSubmitted(err) {
		return outcome{verdict: askPerson, reason: "no-answer"}
	}
	if limited, ok := errors.AsType[*ambient.RateLimitError](err); ok {
		return outcome{reason: "rate-limited", wait: limitWait(limited)}
	}
	if request, ok := errors.AsType[*ambient.RequestError](err); ok {
		return requestOutcome(request)
	}
	if api, ok := errors.AsType[*ambient.APIError](err); ok {
		reason := fmt.Sprintf("refused-%d", api.StatusCode)
		if api.Route != route { // of the token call
			return outcome{reason: "credentials", counts: true}
		}
		switch api.StatusCode {
		case 400, 404, 413, 422:
			return outcome{verdict: giveUp, reason: reason}
		}
		return outcome{reason: reason, counts: true}
	}
	if _, ok := errors.AsType[*ambient.AudioError](err); ok {
		return outcome{reason: "audio-failed", counts: true}
	}
	return outcome{reason: "not-sent", counts: true}
}

// requestOutcome gives up a request that can never be right. An option of the client that fails may work later.
func requestOutcome(err *ambient.RequestError) outcome {
	switch {
	case strings.HasPrefix(err.Field, "With"):
		return outcome{reason: "client-failed", counts: true}
	case errors.Is(err, fs.ErrNotExist):
		return outcome{verdict: giveUp, reason: "source-missing"}
	}
	return outcome{verdict: giveUp, reason: "request-invalid"}
}

// limitWait is how long the limit lasts, by what the SDK knows.
func limitWait(err *ambient.RateLimitError) time.Duration {
	wait := err.APIError.RetryAfter
	if !err.ResetAt.IsZero() {
		wait = time.Until(err.ResetAt)
	}
	return min(max(wait, 100*time.Millisecond), 15*time.Minute)
}

// backoff is the wait after some failures in a row. It begins with 1 s and doubles up to 5 min.
func backoff(failures int) time.Duration {
	const longest = 5 * time.Minute
	if failures > 9 {
		return longest
	}
	return min(time.Second<<max(failures-1, 0), longest)
}
