package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// roundTrip is how long a poll takes. It is not nothing, because a waiter that
// polls without a pause would stop a virtual clock.
const roundTrip = 50 * time.Millisecond

// waitLengths are how long the jobs take.
var waitLengths = []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 20 * time.Minute, 2 * time.Hour}

// A client waits for waitJobs jobs of each length. It waits for fewer if it has made
// enough polls, since some clients make a hundred thousand for one job.
const (
	waitJobs    = 2000
	minWaitJobs = 4
	enoughPolls = 40_000
)

// A waiter waits for a job with a client's own function.
type waiter struct {
	name, note string
	wait       func(ctx context.Context, rt http.RoundTripper) error
	answer     func(j jobTimes) string // the service's answer about the job
}

// jobTimes are when a job began, and whether it has ended.
type jobTimes struct {
	created time.Time
	done    bool
}

func waiters() []waiter {
	return []waiter{
		{nameOurs, "Transcriptions.Wait", func(ctx context.Context, rt http.RoundTripper) error {
			_, err := ours(loopback, rt).Transcriptions.Wait(ctx, 7)
			return err
		}, func(j jobTimes) string {
			return fmt.Sprintf(`{"id":7,"task_status":%q,"created_at":%q}`, status(j, "STT_PROCESSING", "STT_COMPLETED"), j.created.Format(time.RFC3339))
		}},
		{nameHCloud, "Action.WaitFor, every 500 ms", func(ctx context.Context, rt http.RoundTripper) error {
			return hCloud(loopback, rt).Action.WaitFor(ctx, &hcloud.Action{ID: 7, Status: hcloud.ActionStatusRunning})
		}, func(j jobTimes) string {
			return fmt.Sprintf(`{"actions":[{"id":7,"status":%q,"started":%q}]}`, status(j, "running", "success"), j.created.Format(time.RFC3339))
		}},
		{nameOpenAI, "VectorStores.Files.PollStatus, every 1 s", func(ctx context.Context, rt http.RoundTripper) error {
			client := openAI(loopback, rt)
			_, err := client.VectorStores.Files.PollStatus(ctx, "vs_7", "file-7", 0)
			return err
		}, func(j jobTimes) string {
			return fmt.Sprintf(`{"id":"file-7","object":"vector_store.file","status":%q}`, status(j, "in_progress", "completed"))
		}},
		{nameAssembly, "Transcripts.Wait, from 3 s by 1.5 up to 60 s; without a pause after 15 min", func(ctx context.Context, rt http.RoundTripper) error {
			_, err := assemblyAI(loopback, rt).Transcripts.Wait(ctx, "7")
			return err
		}, func(j jobTimes) string {
			return fmt.Sprintf(`{"id":"7","status":%q}`, status(j, "processing", "completed"))
		}},
	}
}

func status(j jobTimes, running, done string) string {
	if j.done {
		return done
	}
	return running
}

// A waitResult is what one waiter did for jobs of about one length.
type waitResult struct {
	Length time.Duration
	Polls  sample
	Lag    sample // seconds from the job's end to the waiter's return
}

// beWaiter waits in a child process for jobs of lengths spread evenly over 10 % around
// each nominal one, and prints what it took.
func beWaiter(name string) {
	inBubble(name, func(t *testing.T) (any, error) {
		var results []waitResult
		for _, w := range waiters() {
			for _, length := range waitLengths {
				if w.name == name {
					results = append(results, waitFor(t, w, length))
				}
			}
		}
		return results, nil
	})
}

func waitFor(t *testing.T, w waiter, length time.Duration) waitResult {
	r, polls := waitResult{Length: length}, 0
	for i := 0; i < waitJobs && (i < minWaitJobs || polls < enoughPolls); i++ {
		_, spread := math.Modf(float64(i) * math.Phi) // even, wherever it ends
		share := 0.95 + 0.1*spread
		job := &timedJob{created: time.Now(), length: time.Duration(share * float64(length)), answer: w.answer}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+2*length)
		if err := w.wait(ctx, job); err != nil {
			t.Errorf("a job of %v: %v", length, err)
		}
		cancel()
		polls += job.polls
		r.Polls = append(r.Polls, float64(job.polls))
		r.Lag = append(r.Lag, (time.Since(job.created) - job.length).Seconds())
		time.Sleep(time.Second / 7) // the next begins at another part of a second
	}
	return r
}

// measureWaits asks a child process.
func measureWaits(w waiter) ([]waitResult, error) {
	var results []waitResult
	err := runChild(&results, nil, "-child", "wait", "-child-name", w.name)
	return results, err
}

// A timedJob is a service with one job, which ends when its time has come.
type timedJob struct {
	created time.Time
	length  time.Duration
	answer  func(jobTimes) string
	polls   int
}

func (j *timedJob) RoundTrip(req *http.Request) (*http.Response, error) {
	j.polls++
	time.Sleep(roundTrip / 2)
	body := j.answer(jobTimes{j.created, time.Since(j.created) >= j.length})
	time.Sleep(roundTrip / 2)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}
