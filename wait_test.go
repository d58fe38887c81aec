package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// oneTry keeps the retries of a call from hiding those of a wait.
var oneTry = ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1})

// Wait polls at once, since the job may be long done; after its own submit it
// cannot be, so the first poll comes after the minimum.
func TestFirstPoll(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		start := time.Now()
		_, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))

		srv.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED"}, ambienttest.Step{Status: "STT_COMPLETED"})
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()})
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}}, ambient.WithPollInterval(20*time.Second, 0))
		require.NoError(t, err)
		assert.Equal(t, 21*time.Second, time.Since(start))
		srv.AssertCount(t, getRoute, 2)
		srv.AssertCount(t, "GET /scribe/{id}", 1)
	})
}

// A Retry-After wins over the interval, on an answer that the job goes on as on
// one that fails; not beyond a quarter of an hour.
func TestRetryAfterOfAPoll(t *testing.T) {
	t.Parallel()
	going := func(retryAfter string) ambienttest.Fault {
		return ambienttest.Fault{Status: 200, Header: http.Header{"Retry-After": {retryAfter}}, Body: `{"id": 101, "task_status": "STT_PROCESSING"}`}
	}
	old := func(retryAfter string) ambienttest.Fault {
		return ambienttest.Fault{Status: 200, Header: http.Header{"Retry-After": {retryAfter}}, Body: `{"id": 101, "task_status": "STT_PROCESSING", "created_at": "1999-12-31T23:00:00Z"}`}
	}
	for _, c := range []struct {
		name        string
		fault       ambienttest.Fault
		least, most time.Duration
	}{
		{"goes on", going("30"), 30 * time.Second, 30 * time.Second},
		{"goes on, shorter than the interval", going("0"), time.Second, 1100 * time.Millisecond},
		{"goes on, shorter than an old job's interval", old("7"), 7 * time.Second, 7 * time.Second},
		{"goes on, for ever", going("999999999"), 15 * time.Minute, 15 * time.Minute},
		{"503", ambienttest.RetryAfter(503, "40"), 40 * time.Second, 40 * time.Second},
		{"429 in its place is waited for in the call", ambienttest.RetryAfter(429, "40"), 40 * time.Second, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := newClient(t, srv, oneTry)
				id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
				srv.Fault(getRoute, 1, c.fault)
				start := time.Now()
				_, err := client.Transcriptions.Wait(t.Context(), id)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(start), c.least)
				assert.LessOrEqual(t, time.Since(start), c.most)
				srv.AssertCount(t, getRoute, 2)
			})
		})
	}
}

// Polls may fail for a while: nine in a row and again nine after a good one.
func TestTransientFailures(t *testing.T) {
	t.Parallel()
	for _, fault := range []ambienttest.Fault{ambienttest.Answer(500), ambienttest.ProxyHTML(502), ambienttest.Answer(503), {Reset: ambienttest.ResetAfterRead}, ambienttest.Answer(408)} {
		inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := newClient(t, srv, oneTry)
			id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 20 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
			var failed, worked int
			count := ambient.WithOnPoll(func(e ambient.PollEvent) {
				if e.Err != nil {
					failed++
				} else {
					worked++
				}
			})
			nine := 9
			if fault.Status == 0 {
				nine = 10 // net/http itself repeats a GET whose kept connection is lost
			}
			srv.FaultRange(getRoute, 1, nine, fault)
			srv.FaultRange(getRoute, nine+2, 2*nine+1, fault)
			_, err := client.Transcriptions.Wait(t.Context(), id, count)
			require.NoError(t, err, "%v", fault)
			assert.Equal(t, 18, failed)
			assert.Equal(t, 2, worked)

			n := len(srv.RequestsTo(getRoute))
			id = submitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
			srv.FaultRange(getRoute, n+1, n+100, fault)
			failed = 0
			_, err = client.Transcriptions.Wait(t.Context(), id, count)
			var ended *ambient.WaitError
			require.ErrorAs(t, err, &ended)
			assert.Equal(t, 10, ended.Polls)
			assert.Equal(t, 10, failed)
			assert.Equal(t, id, ended.ID)
			assert.True(t, ambient.Retryable(err))
			assert.True(t, ambient.MaybeSubmitted(err), "the job goes on")
		})
	}
}

// What another poll would meet again ends the wait at once.
func TestFailuresThatEndAWait(t *testing.T) {
	t.Parallel()
	for _, fault := range []ambienttest.Fault{
		ambienttest.Answer(400), ambienttest.Answer(403), ambienttest.Answer(404), ambienttest.Answer(422), ambienttest.Redirect("/" + secret),
		{Status: 200, Body: "<html>" + secret}, {Status: 200, Body: `{"id": 5, "task_status": "STT_COMPLETED"}`},
	} {
		inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := newClient(t, srv)
			id := submitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
			srv.Fault(getRoute, 2, fault)
			tr, err := client.Transcriptions.Wait(t.Context(), id)
			assert.Nil(t, tr)
			var ended *ambient.WaitError
			require.ErrorAs(t, err, &ended, "%v", fault)
			assert.Equal(t, id, ended.ID)
			assert.Equal(t, 2, ended.Polls)
			assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
			tellsNothing(t, err)
			srv.AssertCount(t, getRoute, 2)
		})
	}
}

// Right after its submit a job may not be found yet. That is so for ten seconds,
// and for who has just submitted it.
func TestNotFoundYet(t *testing.T) {
	t.Parallel()
	missing := ambienttest.Answer(404)
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := newClient(t, srv)
		srv.FaultRange(getRoute, 1, 5, missing)
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()})
		require.NoError(t, err)
		srv.FaultRange("GET /scribe/{id}", 1, 5, missing)
		_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		require.NoError(t, err)

		srv.FaultRange(getRoute, 7, 100, missing)
		start := time.Now()
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: visit()})
		var notFound *ambient.NotFoundError
		require.ErrorAs(t, err, &notFound)
		assert.InDelta(t, 10.5, time.Since(start).Seconds(), 1)
	})
}

// A status that this SDK does not know is no end, and is told of once.
func TestUnknownStatus(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told events
		client := newClient(t, srv, ambient.WithObserver(told.observe))
		id := submitLife(t, srv, client,
			ambienttest.Step{Status: "STT_PENDING", For: time.Minute}, ambienttest.Step{Status: secret, For: time.Minute},
			ambienttest.Step{Status: "STT_PROCESSING", For: time.Minute}, ambienttest.Step{Status: "STT_PENDING", For: time.Minute},
			ambienttest.Step{Status: "STT_COMPLETED"})
		var seen []string
		_, err := client.Transcriptions.Wait(t.Context(), id, ambient.WithOnPoll(func(e ambient.PollEvent) { seen = append(seen, e.Status) }))
		require.NoError(t, err)
		unknown := told.of(ambient.EventUnknownStatus)
		require.Len(t, unknown, 2)
		assert.Equal(t, "STT_PENDING", unknown[0].Status)
		assert.Equal(t, id, unknown[0].ID)
		assert.NotContains(t, fmt.Sprintf("%+v %v", unknown, seen), strings.Split(secret, "-")[0], "it may be anything")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		srv.ScriptScribe(ambienttest.Step{Status: "PAUSED"})
		_, err = client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		var ended *ambient.WaitError
		require.True(t, errors.As(err, &ended))
		assert.Equal(t, "PAUSED", ended.LastStatus)
		assert.Len(t, told.of(ambient.EventUnknownStatus), 3)
	})
}
