package ambient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// oneTry keeps the retries of a call from hiding those of a wait.
var oneTry = ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1})

// Wait polls at once, since the job may be long done; after its own submit it
// cannot be, so the first poll comes after the minimum.
func TestFirstPoll(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		start := time.Now()
		_, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))

		srv.ScriptTranscription(ambienttest.Step{Status: "STT_COMPLETED"}, ambienttest.Step{Status: "STT_COMPLETED"})
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(start))
		_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}}, ambient.WithPollInterval(20*time.Second, 0))
		require.NoError(t, err)
		assert.Equal(t, 21*time.Second, time.Since(start))
		srv.AssertCount(t, harness.GetRoute, 2)
		srv.AssertCount(t, "GET /scribe/{id}", 1)
	})
}

// The least id that there can be is asked for.
func TestWaitForTheLeastID(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		_, err := harness.NewClient(t, srv).Transcriptions.Wait(t.Context(), 1)
		wait, ok := errors.AsType[*ambient.WaitError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, int64(1), wait.ID)
		srv.AssertCount(t, harness.GetRoute, 1)
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
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv, oneTry)
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
				srv.Fault(harness.GetRoute, 1, c.fault)
				start := time.Now()
				_, err := client.Transcriptions.Wait(t.Context(), id)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(start), c.least)
				assert.LessOrEqual(t, time.Since(start), c.most)
				srv.AssertCount(t, harness.GetRoute, 2)
			})
		})
	}
}

// Polls may fail for a while, and again after a good one: whatever fails, it is
// something in front of the service, or the service for a moment.
func TestTransientFailures(t *testing.T) {
	t.Parallel()
	for _, fault := range []ambienttest.Fault{
		ambienttest.Answer(500), ambienttest.ProxyHTML(502), ambienttest.Answer(503), ambienttest.Answer(504), ambienttest.Answer(408), ambienttest.Answer(425),
		{Reset: ambienttest.ResetAfterRead}, ambienttest.ProxyHTML(200), {Status: 200}, {Status: 204}, {Status: 202}, {Status: 206},
		{Status: 200, Body: `{"id": 101, "task_status": "STT_COMPL`}, {Status: 200, Body: `{"id": 101, "task_status": "STT_COMPLETED", "n": NaN}`},
		{Status: 200, Body: `{"id": 5, "task_status": "STT_COMPLETED"}`}, {Status: 200, Body: `{"id": 101}`}, {Status: 200, Body: "null"}, {Status: 200, Body: "[]"},
		{Status: 200, Body: `{"detail": "` + harness.Secret + `"}`}, {Status: 200, Body: `{"id": 101, "task_status": "STT_COMPLETED"}`, Truncate: true},
	} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv, oneTry)
			id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 20 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
			var failed, worked int
			count := ambient.WithOnPoll(func(e ambient.PollEvent) {
				if e.Err != nil {
					failed++
					harness.TellsNothing(t, e.Err)
				} else {
					worked++
				}
			})
			nine := 9
			if fault.Reset != ambienttest.NoReset {
				nine = 10 // net/http itself repeats a GET whose kept connection is lost
			}
			srv.FaultRange(harness.GetRoute, 1, nine, fault)
			srv.FaultRange(harness.GetRoute, nine+2, 2*nine+1, fault)
			tr, err := client.Transcriptions.Wait(t.Context(), id, count)
			require.NoError(t, err, "%v", fault)
			assert.True(t, tr.Done())
			assert.Equal(t, 18, failed, "%v", fault)
			assert.Equal(t, 2, worked)
		})
	}
}

// An outage ends a wait once it has lasted as long as WithMaxOutage says, a quarter of
// an hour without it. A good poll ends an outage.
func TestMaxOutage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts []ambient.WaitOption
		want time.Duration
	}{
		"the default":            {nil, 15 * time.Minute},
		"shorter":                {[]ambient.WaitOption{ambient.WithMaxOutage(20 * time.Second)}, 20 * time.Second},
		"longer":                 {[]ambient.WaitOption{ambient.WithMaxOutage(2 * time.Hour)}, 2 * time.Hour},
		"shorter than one pause": {[]ambient.WaitOption{ambient.WithMaxOutage(time.Millisecond)}, time.Millisecond},
		"polls far apart":        {[]ambient.WaitOption{ambient.WithPollInterval(time.Hour, time.Hour)}, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv, oneTry)
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
				srv.FaultRange(harness.GetRoute, 3, 10_000, ambienttest.Answer(503))
				var began time.Time
				var last error
				opts := append(c.opts, ambient.WithOnPoll(func(e ambient.PollEvent) {
					if last = e.Err; last != nil && began.IsZero() {
						began = time.Now()
					}
				}))
				_, err := client.Transcriptions.Wait(t.Context(), id, opts...)
				var ended *ambient.WaitError
				require.ErrorAs(t, err, &ended)
				assert.ErrorIs(t, err, last, "the error of the last poll")
				assert.Equal(t, id, ended.ID)
				assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
				assert.Equal(t, c.want, time.Since(began), "of failures")
				assert.True(t, ambient.Retryable(err))
				assert.True(t, ambient.MaybeSubmitted(err), "the job goes on")
			})
		})
	}
	t.Run("as long as the context", func(t *testing.T) {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv, oneTry)
			id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
			srv.FaultRange(harness.GetRoute, 1, 10_000, ambienttest.Answer(503))
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			_, err := client.Transcriptions.Wait(ctx, id, ambient.WithMaxOutage(0))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			var down *ambient.ServiceUnavailableError
			assert.ErrorAs(t, err, &down, "of the last poll")
			assert.Greater(t, time.Since(start), 24*time.Hour-2*time.Second)
		})
	})
}

// A poll that fails slowly counts for the outage, with each of its attempts.
func TestSlowPollsCountForAnOutage(t *testing.T) {
	t.Parallel()
	for _, attempts := range []int{1, 3} { // of 20 s
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv)
			id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
			srv.FaultRange(harness.GetRoute, 1, 10_000, harness.WithDelay(ambienttest.Answer(503), 20*time.Second))
			start := time.Now()
			_, err := client.Transcriptions.Wait(t.Context(), id, ambient.WithMaxOutage(time.Minute), ambient.WithMaxAttempts(attempts))
			require.Error(t, err)
			assert.GreaterOrEqual(t, time.Since(start), time.Minute)
			assert.Less(t, time.Since(start), 80*time.Second)
		})
	}
}

// A good poll ends an outage. Outages that are shorter than WithMaxOutage are not added up.
func TestGoodPollEndsOutage(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, oneTry)
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: time.Minute}, ambienttest.Step{Status: "STT_COMPLETED"})
		for outage := range 5 {
			srv.FaultRange(harness.GetRoute, 10*outage+2, 10*outage+10, ambienttest.Answer(503)) // about 9 s
		}
		_, err := client.Transcriptions.Wait(t.Context(), id, ambient.WithPollInterval(time.Second, time.Second), ambient.WithMaxOutage(15*time.Second))
		require.NoError(t, err)
		assert.Greater(t, len(srv.RequestsTo(harness.GetRoute)), 50)
	})
}

// Each poll of a wait has the wait's options of a call.
func TestCallOptionsOfAWait(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		ids := harness.SubmitMany(t, srv, client, 2, func(int) time.Duration { return 30 * time.Second })
		down := func() {
			polls := len(srv.RequestsTo(harness.GetRoute))
			srv.FaultRange(harness.GetRoute, polls+1, polls+5, ambienttest.Answer(503))
		}
		down()
		_, err := client.Transcriptions.Wait(t.Context(), ids[0], ambient.WithMaxAttempts(1))
		require.NoError(t, err)
		down()
		for _, err := range client.Transcriptions.WaitAll(t.Context(), ids, ambient.WithMaxAttempts(1)) {
			require.NoError(t, err)
		}
		assert.Empty(t, told.Of(ambient.EventRetry), "more than one attempt of a poll")
	})
}

// A vault that is down for a while costs no wait. It is asked again at the next poll.
func TestCredentialsFailInAWait(t *testing.T) {
	t.Parallel()
	for option, tokenLife := range map[string]time.Duration{"WithCredentialsFunc": 20 * time.Second, "WithTokenSource": time.Hour} {
		t.Run(option, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				start := time.Now()
				isDown := func() bool { return 30*time.Second < time.Since(start) && time.Since(start) < 150*time.Second }
				vault := ambient.WithCredentialsFunc(func(context.Context) (string, string, error) {
					if isDown() {
						return "", "", errVault
					}
					return srv.Username, srv.Password, nil
				})
				if option == "WithTokenSource" {
					vault = ambient.WithTokenSource(&sealedSource{isDown: isDown, token: ambient.NewToken(issuedToken(t, srv), time.Time{})})
				}
				client := harness.NewClient(t, srv, vault)
				srv.ScriptTranscription(ambienttest.TranscriptionCompletes(3*time.Minute, "hello")...)
				var failed int
				tr, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()}, ambient.WithOnPoll(func(e ambient.PollEvent) {
					if e.Err != nil {
						failed++
						source, ok := errors.AsType[*ambient.CredentialsError](e.Err)
						assert.True(t, ok && source.Source == option, "%v", e.Err)
						assert.NotContains(t, e.Err.Error(), "CAES")
					}
				}))
				require.NoError(t, err)
				assert.Equal(t, "hello", tr.RawText)
				assert.Positive(t, failed)
				srv.AssertCount(t, harness.SubmitRoute, 1)

				_, err = client.Transcriptions.Wait(t.Context(), tr.ID)
				assert.NoError(t, err)
			}, ambienttest.WithTokenLifetime(tokenLife))
		})
	}
}

// sealedSource is a token source that fails for a while.
type sealedSource struct {
	isDown func() bool
	token  ambient.Token
}

func (s *sealedSource) Token(context.Context) (ambient.Token, error) {
	if s.isDown() {
		return ambient.Token{}, errVault
	}
	return s.token, nil
}

func (*sealedSource) Invalidate(ambient.Token) {}

// issuedToken is a token that the server takes.
func issuedToken(t *testing.T, srv *ambienttest.Server) string {
	t.Helper()
	res, err := srv.Client().PostForm(srv.URL+"/auth/token", url.Values{"username": {srv.Username}, "password": {srv.Password}})
	require.NoError(t, err)
	defer res.Body.Close()
	var reply struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&reply))
	return reply.Token
}

// A wait for the rate limit is no outage, before failures or between them.
func TestRateLimitIsNoOutage(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, oneTry)
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		srv.Fault(harness.GetRoute, 1, ambienttest.Answer(503))
		for n := range 5 {
			srv.Fault(harness.GetRoute, 2*n+2, limited("Retry-After", "840")) // 14 minutes, which a call waits for
			srv.Fault(harness.GetRoute, 2*n+3, ambienttest.Answer(503))
		}
		start := time.Now()
		_, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Greater(t, time.Since(start), 70*time.Minute)
	})
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, harness.Policy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1})) // so that the wait meets each 429
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		for n := range 5 {
			srv.Fault(harness.GetRoute, 2*n+1, ambienttest.Answer(503))
			srv.Fault(harness.GetRoute, 2*n+2, limited("Retry-After", "840"))
		}
		_, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
	})
}

// The age of a job that this call submitted is known here, whatever the clocks of the
// service and its database say.
func TestAgeOfANewJob(t *testing.T) {
	t.Parallel()
	for name, created := range map[string]func() any{
		"without a zone, five hours behind": func() any { return time.Now().Add(-5 * time.Hour).Format("2006-01-02T15:04:05.999999") },
		"without a zone, five hours ahead":  func() any { return time.Now().Add(5 * time.Hour).Format("2006-01-02 15:04:05") },
		"ten minutes slow":                  func() any { return time.Now().Add(-10 * time.Minute) },
		"the epoch":                         func() any { return "1970-01-01T00:00:00Z" },
		"year 1":                            func() any { return "0001-01-01T00:00:00Z" },
		"absent":                            func() any { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				fields := map[string]any{"created_at": created(), "submitted_at": created()}
				srv.ScriptTranscription(ambienttest.Step{Status: "STT_PROCESSING", For: 5 * time.Second, Fields: fields}, ambienttest.Step{Status: "STT_COMPLETED"})
				srv.ScriptScribe(ambienttest.Step{Status: "IN_PROGRESS", For: 5 * time.Second, Fields: fields}, ambienttest.Step{Status: "COMPLETED"})
				client := harness.NewClient(t, srv)
				start := time.Now()
				_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
				require.NoError(t, err)
				assert.Less(t, time.Since(start), 6500*time.Millisecond)
				start = time.Now()
				_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
				require.NoError(t, err)
				assert.Less(t, time.Since(start), 6500*time.Millisecond)
			})
		})
	}
}

// Of a job of another call, a time without a zone says nothing of its age.
func TestAgeOfAJobWithoutAZone(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		fields := map[string]any{"created_at": time.Now().Add(-5 * time.Hour).Format("2006-01-02T15:04:05")}
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 5 * time.Second, Fields: fields}, ambienttest.Step{Status: "STT_COMPLETED"})
		start := time.Now()
		_, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Less(t, time.Since(start), 6500*time.Millisecond)
	})
}

// The answer to a submit may say when to come back.
func TestRetryAfterOfASubmit(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"4": 4 * time.Second, "0": time.Second, "-4": time.Second, "soon": time.Second, "999999": 15 * time.Minute} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			accepted := ambienttest.RetryAfter(202, value)
			accepted.Body = `{"transcription_id": 7}`
			srv.Fault(harness.SubmitRoute, 1, accepted)
			srv.Fault(harness.GetRoute, 1, harness.SomeJob)
			client := harness.NewClient(t, srv)
			start := time.Now()
			_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(start), value)
		})
	}
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		accepted := ambienttest.RetryAfter(202, "600")
		accepted.Process = true
		accepted.Body = `{"transcription_id": 101}`
		srv.Fault(harness.SubmitRoute, 1, accepted)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := harness.NewClient(t, srv).Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err, "one poll fits before the deadline")
	})
}

// A documented state ends a wait in any letters.
func TestStateInOtherLettersEndsAWait(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "stt_processing", For: time.Second}, ambienttest.Step{Status: "stt_completed"})
		tr, err := client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, ambient.TranscriptionCompleted, tr.Status)
		srv.ScriptScribe(ambienttest.Step{Status: "Failed"})
		_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		var failed *ambient.ScribeFailedError
		require.ErrorAs(t, err, &failed)
		assert.Empty(t, told.Of(ambient.EventUnknownStatus))
	})
}

// What another poll would meet again ends the wait at once.
func TestFailuresThatEndAWait(t *testing.T) {
	t.Parallel()
	for _, fault := range []ambienttest.Fault{
		ambienttest.Answer(400), ambienttest.Answer(403), ambienttest.Answer(404), ambienttest.Answer(422), ambienttest.Redirect("/" + harness.Secret),
		ambienttest.Answer(409), ambienttest.Answer(410), ambienttest.Answer(501), ambienttest.Answer(505),
	} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv)
			id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
			srv.Fault(harness.GetRoute, 2, fault)
			tr, err := client.Transcriptions.Wait(t.Context(), id)
			assert.Nil(t, tr)
			var ended *ambient.WaitError
			require.ErrorAs(t, err, &ended, "%v", fault)
			assert.Equal(t, id, ended.ID)
			assert.Equal(t, 2, ended.Polls)
			assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
			harness.TellsNothing(t, err)
			srv.AssertCount(t, harness.GetRoute, 2)
		})
	}
}

// So does what fails on this side, and would fail again.
func TestOwnFailuresEndAWait(t *testing.T) {
	for name, option := range map[string]ambient.Option{
		"an untrusted server": ambient.WithHTTPClient(&http.Client{Transport: harness.FailWith{Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}}),
		"a broken limiter":    ambient.WithLimiter(brokenLimiter{errors.New("broken")}),
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				start := time.Now()
				_, err := harness.NewClient(t, srv, option, ambient.WithToken("synthetic")).Transcriptions.Wait(t.Context(), 7)
				wait, ok := errors.AsType[*ambient.WaitError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, 1, wait.Polls)
				assert.Zero(t, time.Since(start))
			})
		})
	}
}

type brokenLimiter struct{ error }

func (l brokenLimiter) Wait(context.Context) error { return l.error }

// Right after its submit a job may not be found yet. That is so for ten seconds,
// and for who has just submitted it.
func TestNotFoundYet(t *testing.T) {
	t.Parallel()
	missing := ambienttest.Answer(404)
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		srv.FaultRange(harness.GetRoute, 1, 5, missing)
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		require.NoError(t, err)
		srv.FaultRange("GET /scribe/{id}", 1, 5, missing)
		_, err = client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		require.NoError(t, err)

		srv.FaultRange(harness.GetRoute, 7, 100, missing)
		start := time.Now()
		_, err = client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		var notFound *ambient.NotFoundError
		require.ErrorAs(t, err, &notFound)
		assert.InDelta(t, 10.5, time.Since(start).Seconds(), 1)
	})
}

// A status that this SDK does not know is no end, and is told of once.
func TestUnknownStatus(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		var told harness.Events
		client := harness.NewClient(t, srv, ambient.WithObserver(told.Observe))
		id := harness.SubmitLife(t, srv, client,
			ambienttest.Step{Status: "STT_PENDING", For: time.Minute}, ambienttest.Step{Status: harness.Secret, For: time.Minute},
			ambienttest.Step{Status: "STT_PROCESSING", For: time.Minute}, ambienttest.Step{Status: "STT_PENDING", For: time.Minute},
			ambienttest.Step{Status: "STT_COMPLETED"})
		var seen []string
		_, err := client.Transcriptions.Wait(t.Context(), id, ambient.WithOnPoll(func(e ambient.PollEvent) { seen = append(seen, e.Status) }))
		require.NoError(t, err)
		unknown := told.Of(ambient.EventUnknownStatus)
		require.Len(t, unknown, 2)
		assert.Equal(t, "STT_PENDING", unknown[0].Status)
		assert.Equal(t, id, unknown[0].ID)
		assert.NotContains(t, fmt.Sprintf("%+v %v", unknown, seen), strings.Split(harness.Secret, "-")[0], "it may be anything")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		srv.ScriptScribe(ambienttest.Step{Status: "PAUSED"})
		_, err = client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
		var ended *ambient.WaitError
		require.True(t, errors.As(err, &ended))
		assert.Equal(t, "PAUSED", ended.LastStatus)
		assert.Len(t, told.Of(ambient.EventUnknownStatus), 3)
	})
}

// polls are the times of the polls so far, since start.
func polls(srv *ambienttest.Server, start time.Time) (at []time.Duration) {
	for _, r := range srv.RequestsTo(harness.GetRoute) {
		at = append(at, r.Time.Sub(start))
	}
	return at
}

// The interval is an eighth of the job's age, 10 % more or less, within the
// bounds. The age is that of the server, whose clock may be another one.
func TestPollInterval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		min, max time.Duration // 0 = the default
		skew     time.Duration
		before   time.Duration // age of the job when the wait begins
		tells    bool          // created_at
	}{
		{"the defaults", 0, 0, 0, 0, true},
		{"a job of another process", 0, 0, 0, 4 * time.Minute, true},
		{"a server that is an hour ahead", 0, 0, time.Hour, 4 * time.Minute, true},
		{"a server that is an hour behind", 0, 0, -time.Hour, 4 * time.Minute, true},
		{"a server that tells no time: from the wait on", 0, 0, 0, 4 * time.Minute, false},
		{"bounds of the caller", 3 * time.Second, 7 * time.Second, 0, 0, true},
		{"a minimum above the maximum", 90 * time.Second, 0, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				submitted := time.Now()
				fields := map[string]any{"created_at": submitted.Add(c.skew)}
				if !c.tells {
					fields["created_at"] = nil
				}
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 20 * time.Minute, Fields: fields}, ambienttest.Step{Status: "STT_COMPLETED"})
				srv.SetRateLimit(ambienttest.RateLimit{ClockSkew: c.skew})
				time.Sleep(c.before)
				var opts []ambient.WaitOption
				low, high := time.Second, time.Minute
				if c.min+c.max > 0 {
					opts = append(opts, ambient.WithPollInterval(c.min, c.max))
					low = c.min
					high = max(c.max, c.min)
				}
				_, err := client.Transcriptions.Wait(t.Context(), id, opts...)
				require.NoError(t, err)
				began := submitted
				if !c.tells {
					began = submitted.Add(c.before)
				}
				at := polls(srv, began)
				for i := 1; i < len(at)-1; i++ {
					// Date has whole seconds, so the age is up to one less.
					least := min(max((at[i-1]-time.Second)/8, low), high) * 9 / 10
					most := min(max(at[i-1]/8, low), high) * 11 / 10
					gap := at[i] - at[i-1]
					assert.GreaterOrEqual(t, gap, max(least, low), "after %v", at[i-1])
					assert.LessOrEqual(t, gap, min(most, high), "after %v", at[i-1])
				}
			})
		})
	}
}

// Waiters that started together do not poll together for ever. Below the
// minimum a jitter is cut off, one in two at first, so it takes some polls.
func TestPollsAreJittered(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		seen := map[time.Duration]bool{}
		for range 20 {
			id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: 10 * time.Second}, ambienttest.Step{Status: "STT_COMPLETED"})
			n, start := len(srv.RequestsTo(harness.GetRoute)), time.Now()
			_, err := client.Transcriptions.Wait(t.Context(), id)
			require.NoError(t, err)
			seen[polls(srv, start)[n+9]] = true
		}
		assert.Greater(t, len(seen), 18)
	})
}

// Both services, from submit to each of their ends: what comes back, and as
// which error.
func TestLives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		life []ambienttest.Step
		err  func(*testing.T, error) *ambient.Transcription // what the error hands over
		text string
	}{
		{"completed", ambienttest.TranscriptionCompletes(time.Minute, "hello"), func(t *testing.T, err error) *ambient.Transcription {
			require.NoError(t, err)
			return nil
		}, "hello"},
		{"failed", ambienttest.TranscriptionFails(time.Minute, harness.Secret), func(t *testing.T, err error) *ambient.Transcription {
			var failed *ambient.TranscriptionFailedError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, harness.Secret, failed.Transcription.ErrorMessage)
			return failed.Transcription
		}, ""},
		{"incomplete", ambienttest.TranscriptionIncomplete(time.Minute, "hel"), func(t *testing.T, err error) *ambient.Transcription {
			var incomplete *ambient.TranscriptionIncompleteError
			require.ErrorAs(t, err, &incomplete)
			return incomplete.Transcription
		}, "hel"},
	} {
		t.Run("transcription "+c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				srv.ScriptTranscription(c.life...)
				var seen []string
				var info ambient.CallInfo
				var progress steps
				tr, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()}, ambient.WithCallInfo(&info), ambient.WithProgress(progress.add),
					ambient.WithOnPoll(func(e ambient.PollEvent) {
						assert.EqualValues(t, 101, e.ID)
						assert.NoError(t, e.Err)
						if len(seen) == 0 || seen[len(seen)-1] != e.Status {
							seen = append(seen, e.Status)
						}
						assert.Equal(t, e.Status == c.life[2].Status, e.Next == 0)
						assert.Equal(t, len(srv.RequestsTo(harness.GetRoute)), e.Polls)
					}))
				handed := c.err(t, err)
				harness.TellsNothing(t, err)
				require.NotNil(t, tr, "whatever its end, the transcription is returned")
				if handed != nil {
					assert.Same(t, tr, handed)
				}
				assert.Equal(t, c.text, tr.RawText)
				assert.Equal(t, []string{"DETECTED_FILE", "STT_PROCESSING", c.life[2].Status}, seen)
				assert.True(t, tr.Done())
				assert.EqualValues(t, 101, tr.ID)
				assert.EqualValues(t, 101, tr.Submission.ID)
				assert.Len(t, tr.Submission.Call.Attempts, 1)
				assert.Equal(t, tr.Call.String(), info.String(), "of the last poll")
				assert.NotEmpty(t, progress.sent, "of the submit")

				later, err := client.Transcriptions.Wait(t.Context(), tr.ID)
				c.err(t, err)
				assert.Nil(t, later.Submission, "another call did that")
				once, err := client.Transcriptions.Get(t.Context(), tr.ID)
				require.NoError(t, err, "a bad end is no error of Get")
				c.err(t, once.Err())
			})
		})
	}
	t.Run("scribe completed, regenerated, failed", func(t *testing.T) {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv)
			srv.ScriptScribe(ambienttest.ScribeCompletes(time.Minute, map[string]any{"plan": "rest"})...)
			var seen []string
			scribe, err := client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{harness.Visit()}},
				ambient.WithOnPoll(func(e ambient.PollEvent) { seen = append(seen, e.Status) }))
			require.NoError(t, err)
			assert.Equal(t, ambient.ScribeCompleted, scribe.Status)
			assert.JSONEq(t, `{"plan": "rest"}`, string(scribe.Extra["note"]))
			assert.Equal(t, ambient.ScribeInProgress, scribe.Submission.Status)
			assert.Equal(t, "IN_PROGRESS", seen[0])
			assert.Equal(t, "COMPLETED", seen[len(seen)-1])

			srv.ScriptScribe(ambienttest.ScribeFails(time.Minute)...)
			again, err := client.Scribes.RegenerateFromAudio(t.Context(), scribe.ID, []ambient.Audio{harness.Visit()})
			require.NoError(t, err)
			assert.Equal(t, scribe.ID, again.ID)
			assert.Equal(t, ambient.ScribeInProgress, again.Status)
			assert.Zero(t, again.SubmittedAt)
			last, err := client.Scribes.Wait(t.Context(), scribe.ID)
			var failed *ambient.ScribeFailedError
			require.ErrorAs(t, err, &failed)
			assert.Same(t, last, failed.Scribe)
			assert.Equal(t, ambient.ScribeFailed, last.Status)
			assert.False(t, ambient.Retryable(err))
			assert.False(t, ambient.MaybeSubmitted(err))
		})
	})
}

// Only the context bounds a wait. Its last interval is cut so that one more poll
// fits, and what that one sees counts.
func TestLastPollFitsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ends  time.Duration // of the job
		delay time.Duration // of each answer
		done  bool
	}{
		{"the job takes longer", time.Hour, 0, false},
		{"the job ends in the last interval", 599 * time.Second, 0, true},
		{"the job ends a moment before the deadline", 599850 * time.Millisecond, 0, true},
		{"with slow answers", 599 * time.Second, 300 * time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				srv.FaultRange(harness.GetRoute, 1, 1000, ambienttest.Fault{Delay: c.delay})
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING", For: c.ends}, ambienttest.Step{Status: "STT_COMPLETED"})
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				tr, err := client.Transcriptions.Wait(ctx, id)
				at := polls(srv, start)
				last := at[len(at)-1]
				assert.GreaterOrEqual(t, last, 599*time.Second-c.delay)
				assert.Less(t, last, 10*time.Minute)
				assert.Less(t, time.Since(start), 10*time.Minute, "it ends before, not at the deadline")
				if c.done {
					require.NoError(t, err)
					assert.True(t, tr.Done())
					return
				}
				var ended *ambient.WaitError
				require.ErrorAs(t, err, &ended)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, id, ended.ID)
				assert.Equal(t, "STT_PROCESSING", ended.LastStatus)
				assert.Equal(t, len(at), ended.Polls)
				assert.True(t, ambient.MaybeSubmitted(err), "the job goes on")
			})
		})
	}
}

// The first interval after a submit is trimmed too.
func TestFirstPollFitsBeforeTheDeadline(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) { // a job takes 3 s
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		tr, err := harness.NewClient(t, srv).Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()}, ambient.WithPollInterval(time.Minute, time.Minute))
		require.NoError(t, err)
		assert.True(t, tr.Done())
	})
}

var errClosing = errors.New("the clinic closes")

// When the context ends, the wait does, wherever it is; the error is the
// context's, with its cause, and says where to go on.
func TestContextEndsAWait(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		fault ambienttest.Fault
		polls int
	}{
		"before it begins":      {after: 0},
		"between two polls":     {after: 500 * time.Millisecond, polls: 1},
		"in a poll":             {after: 500 * time.Millisecond, fault: ambienttest.Fault{Delay: time.Hour}, polls: 1},
		"in a poll's backoff":   {after: 10 * time.Second, fault: ambienttest.RetryAfter(503, "60"), polls: 1},
		"in a poll's 429":       {after: 10 * time.Second, fault: ambienttest.RetryAfter(429, "60"), polls: 1},
		"in the body of a poll": {after: 5 * time.Second, fault: ambienttest.Fault{Trickle: time.Second}, polls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
				client := harness.NewClient(t, srv)
				id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
				if c.after > 0 {
					srv.Fault(harness.GetRoute, 1, c.fault)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.after == 0 {
					cancel(errClosing)
				}
				time.AfterFunc(c.after, func() { cancel(errClosing) })
				start := time.Now()
				var last ambient.PollEvent
				tr, err := client.Transcriptions.Wait(ctx, id, ambient.WithOnPoll(func(e ambient.PollEvent) { last = e }))
				assert.Nil(t, tr)
				var ended *ambient.WaitError
				require.ErrorAs(t, err, &ended)
				assert.ErrorIs(t, err, context.Canceled)
				assert.ErrorIs(t, err, errClosing)
				if last.Err != nil {
					assert.Zero(t, last.Next, "no poll follows")
				}
				assertNoNilInside(t, err)
				assert.Equal(t, id, ended.ID)
				assert.Equal(t, c.polls, ended.Polls)
				assert.False(t, ambient.Retryable(err))
				assert.Equal(t, c.after, time.Since(start))
				synctest.Wait()
				n := len(srv.Requests())
				time.Sleep(time.Hour)
				assert.Len(t, srv.Requests(), n, "nothing goes on")
			})
		})
	}
}

// assertNoNilInside checks every list of errors in err, since nobody who walks such a
// list looks for a nil.
func assertNoNilInside(t *testing.T, err error) {
	t.Helper()
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			assertNoNilInside(t, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			require.Error(t, inner, "in a %T", err)
			assertNoNilInside(t, inner)
		}
	}
}

// A rate limit that lasts beyond the deadline ends a wait at once. A limit that lasts
// beyond MaxLimitWait does not, for only the context bounds a wait. The poll that comes
// 15 minutes after the refusal shows that the limit is over.
func TestRateLimitInAWait(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv)
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_COMPLETED"})
		srv.Fault(harness.GetRoute, 1, limited("Retry-After", "1200"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := client.Transcriptions.Wait(ctx, id)
		var ended *ambient.WaitError
		var limit *ambient.RateLimitError
		require.ErrorAs(t, err, &ended)
		require.ErrorAs(t, err, &limit)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, time.Since(start))

		_, err = client.Transcriptions.Wait(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, 15*time.Minute, time.Since(start).Truncate(time.Minute))
	})
}

// A limit of the client's own that lasts beyond the deadline ends a wait at once, too.
func TestLocalLimitInAWait(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		client := harness.NewClient(t, srv, ambient.WithRateLimit(1.0/3600, 2))
		id := harness.SubmitLife(t, srv, client, ambienttest.Step{Status: "STT_PROCESSING"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := client.Transcriptions.Wait(ctx, id)
		wait, ok := errors.AsType[*ambient.WaitError](err)
		require.True(t, ok, "%v", err)
		_, ok = errors.AsType[*ambient.RateLimitError](err)
		require.True(t, ok, "%v", err)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2, wait.Polls)
		assert.Less(t, time.Since(start), 2*time.Second)
	})
}

// A function of the caller may return a nil pointer as its error.
func TestNilErrorsInAWait(t *testing.T) {
	for _, none := range []error{(*ambient.RateLimitError)(nil), (*ambient.APIError)(nil), (*ambient.NetworkError)(nil), (*ambient.CredentialsError)(nil), (*ambient.WaitError)(nil)} {
		for name, option := range map[string]ambient.Option{
			"token source": ambient.WithTokenSource(harness.FailingTokens{Err: none}),
			"credentials":  ambient.WithCredentialsFunc(func(context.Context) (string, string, error) { return "", "", none }),
			"limiter":      ambient.WithLimiter(brokenLimiter{none}),
			"transport":    ambient.WithHTTPClient(&http.Client{Transport: harness.FailWith{Err: none}}),
		} {
			t.Run(fmt.Sprintf("%s, %T", name, none), func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					_, err := harness.NewClient(t, srv, option).Transcriptions.Wait(t.Context(), 7, ambient.WithMaxOutage(time.Minute))
					wait, ok := errors.AsType[*ambient.WaitError](err)
					require.True(t, ok, "%v", err)
					assert.Equal(t, int64(7), wait.ID)
					assert.Contains(t, ambient.SupportReport(err), "Job:        7")
				})
			})
		}
	}
}

// Whatever goes wrong after the submit, the error has the id: without it the
// job would be lost.
func TestErrorsAfterTheSubmitHaveTheID(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]func(srv *ambienttest.Server, cancel func()){
		"the context ends":  func(_ *ambienttest.Server, cancel func()) { time.AfterFunc(5*time.Second, cancel) },
		"with the answer":   func(_ *ambienttest.Server, cancel func()) { time.AfterFunc(time.Nanosecond, cancel) },
		"a poll is refused": func(srv *ambienttest.Server, _ func()) { srv.Fault("*", 3, ambienttest.Answer(403)) },
		"a poll is no JSON": func(srv *ambienttest.Server, _ func()) { srv.FaultRange("*", 3, 1000, ambienttest.ProxyHTML(200)) },
		"polls are not answered": func(srv *ambienttest.Server, _ func()) {
			srv.FaultRange("*", 3, 1000, ambienttest.Fault{Reset: ambienttest.ResetAfterRead})
		},
		"the token is revoked": func(srv *ambienttest.Server, _ func()) {
			srv.FaultRange("*", 3, 1000, ambienttest.Answer(401))
		},
	} {
		for _, kind := range []string{"transcription", "scribe"} {
			t.Run(name+", "+kind, func(t *testing.T) {
				harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					plan(srv, cancel)
					var err error
					client := harness.NewClient(t, srv)
					if kind == "scribe" {
						srv.ScriptScribe(ambienttest.Step{Status: "IN_PROGRESS"})
						_, err = client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{TemplateIDs: []int64{7}, Transcripts: []string{"hello"}})
					} else {
						srv.ScriptTranscription(ambienttest.Step{Status: "STT_PROCESSING"})
						_, err = client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{Audio: harness.Visit()})
					}
					var ended *ambient.WaitError
					require.ErrorAs(t, err, &ended)
					assert.EqualValues(t, 101, ended.ID)
					assert.ErrorContains(t, err, "101")
					assert.True(t, ambient.MaybeSubmitted(err))
				})
			})
		}
	}
}

// A doubt of the submit is not lost when the wait for it ends early: the service
// may have a second job, under an id that nobody knows.
func TestWaitErrorTellsOfADuplicate(t *testing.T) {
	for _, maybe := range []bool{false, true} {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			client := harness.NewClient(t, srv)
			for _, route := range []string{"POST /transcribe", "POST /scribe"} {
				srv.Fault(route, 1, ambienttest.Fault{Status: 504, Process: maybe, Early: !maybe})
			}
			large := ambient.AudioBytes("visit.mp3", harness.AnnouncedVisit()) // announced, so that an early 504 leaves it unsent
			soon := func() context.Context {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				t.Cleanup(cancel)
				return ctx
			}
			_, transcription := client.Transcriptions.SubmitAndWait(soon(), &ambient.TranscriptionRequest{Audio: large})
			_, scribe := client.Scribes.CreateAndWait(soon(), &ambient.ScribeRequest{TemplateIDs: []int64{7}, Audio: []ambient.Audio{large}})
			for _, err := range []error{transcription, scribe} {
				ended, ok := errors.AsType[*ambient.WaitError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, maybe, ended.PossibleDuplicate())
				assert.Equal(t, maybe, strings.Contains(err.Error(), "may have been submitted twice"), err.Error())
			}
		})
	}
}

// A submit that fails is that error alone: there is no job to wait for.
func TestErrorsOfTheSubmitAreItsOwn(t *testing.T) {
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		harness.Plan(srv, ambienttest.Answer(422))
		_, err := harness.NewClient(t, srv).Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: harness.Visit()})
		var invalid *ambient.ValidationError
		require.ErrorAs(t, err, &invalid)
		var ended *ambient.WaitError
		assert.False(t, errors.As(err, &ended))
		srv.AssertCount(t, harness.GetRoute, 0)
	})
}
