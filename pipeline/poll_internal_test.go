package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go"
)

// 10,000 jobs of 20 minutes, submitted within ten: what a poll sees of a job, and how late.
func TestPollerKeepsUpWithManyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs, jobTime, answer = 10_000, 20 * time.Minute, 50 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var lag time.Duration
		polls, ended := 0, 0
		p := newPoller(ctx, func(v *visit, age time.Duration) bool {
			time.Sleep(answer)
			mu.Lock()
			defer mu.Unlock()
			polls++
			if age < jobTime {
				return false
			}
			lag += age - jobTime
			if ended++; ended == jobs {
				cancel()
			}
			return true
		})
		go func() {
			for i := range jobs {
				p.add(&visit{key: fmt.Sprint(i)})
				time.Sleep(10 * time.Minute / jobs)
			}
		}()
		p.run()
		assert.Equal(t, jobs, ended)
		assert.Less(t, lag/jobs, time.Minute, "mean lag")
		assert.LessOrEqual(t, polls/jobs, 60, "polls of a job")
		t.Logf("mean lag %v, %d polls a job", lag/jobs, polls/jobs)
	})
}

func TestNextPoll(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		0: time.Second, 8 * time.Second: time.Second, 80 * time.Second: 10 * time.Second, 8 * time.Minute: time.Minute, 5 * time.Hour: time.Minute,
	} {
		assert.Equal(t, want, nextPoll(age), age)
	}
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		assert.Equal(t, want, backoff(failures), failures)
	}
}

// The rules of a submit, by the error alone.
func TestSubmitOutcome(t *testing.T) {
	api := func(route string, status int) error {
		return &ambient.APIError{StatusCode: status, Method: "POST", Route: route}
	}
	rows := []struct {
		err     error
		verdict verdict
		reason  string
	}{
		{api("/transcribe", 400), giveUp, "refused-400"},
		{api("/transcribe", 404), giveUp, "refused-404"},
		{api("/transcribe", 413), giveUp, "refused-413"},
		{api("/transcribe", 422), giveUp, "refused-422"},
		{api("/transcribe", 401), tryLater, "refused-401"},
		{api("/transcribe", 403), tryLater, "refused-403"},
		{api("/transcribe", 409), tryLater, "refused-409"},
		{api("/auth/token", 400), tryLater, "credentials"},
		{api("/auth/token", 404), tryLater, "credentials"},
		{&ambient.RequestError{Field: "audio_file", Problem: "is empty"}, giveUp, "request-invalid"},
		{&ambient.RequestError{Field: "WithTokenSource", Problem: "failed"}, tryLater, "client-failed"},
		{&ambient.AudioError{}, tryLater, "audio-failed"},
		{&ambient.NetworkError{}, tryLater, "not-sent"},
		{errors.New("synthetic"), tryLater, "not-sent"},
		{fmt.Errorf("synthetic: %w", fs.ErrNotExist), tryLater, "not-sent"},
	}
	for _, row := range rows {
		got := submitOutcome(row.err, "/transcribe")
		assert.Equal(t, row.verdict, got.verdict, row.err)
		assert.Equal(t, row.reason, got.reason, row.err)
		assert.True(t, got.counts || row.verdict != tryLater, row.err)
	}
	limited := submitOutcome(&ambient.RateLimitError{APIError: &ambient.APIError{StatusCode: 429, RetryAfter: time.Hour}}, "/transcribe")
	require.Equal(t, "rate-limited", limited.reason)
	assert.Equal(t, 15*time.Minute, limited.wait)
}
