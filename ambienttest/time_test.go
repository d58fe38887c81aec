package ambienttest

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestLifeOfATranscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t))
		c.srv.ScriptTranscription(TranscriptionIncomplete(30*time.Minute, "Synthetic half.")...)
		path := c.job()
		for _, step := range []struct {
			after        time.Duration
			status, text any
		}{
			{0, "DETECTED_FILE", nil},
			{10*time.Minute - 1, "DETECTED_FILE", nil},
			{1, "STT_PROCESSING", nil},
			{20*time.Minute - 1, "STT_PROCESSING", nil},
			{1, "STT_INCOMPLETE", "Synthetic half."},
			{1000 * time.Hour, "", nil}, // the token has expired
		} {
			time.Sleep(step.after)
			r := c.get(path)
			if step.status == "" {
				want(t, "status after expiry", r.status, http.StatusUnauthorized)
				continue
			}
			body := r.json(t)
			want(t, "task_status", body["task_status"], step.status)
			want(t, "raw_text", body["raw_text"], step.text)
		}
		c.login()
		body := c.get(path).json(t)
		want(t, "created_at", body["created_at"].(string), "2000-01-01T00:00:00Z")
		want(t, "updated_at", body["updated_at"].(string), "2000-01-01T00:30:00Z")
	})
}

func TestLifeOfAScribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t))
		c.srv.ScriptScribe(ScribeFails(time.Second)...)
		c.srv.ScriptScribe(Step{Status: "COMPLETED", For: time.Second}, Step{Status: "SOMETHING_NEW"})
		r := c.form("/scribe", "template_ids", "7", "transcripts", "Synthetic.")
		want(t, "status", r.status, http.StatusAccepted)
		want(t, "job status", r.json(t)["status"], any("IN_PROGRESS"))
		time.Sleep(time.Second)
		want(t, "failed", c.get("/scribe/101").json(t)["status"], any("FAILED"))

		r = c.form("/scribe/101/regenerate/audio", "audio_files", "@a.wav")
		want(t, "regenerated", r.body, `{"scribe_id":101,"status":"IN_PROGRESS"}`)
		want(t, "stale", c.get("/scribe/101").json(t)["status"], any("COMPLETED"))
		time.Sleep(time.Second)
		want(t, "new", c.get("/scribe/101").json(t)["status"], any("SOMETHING_NEW"))

		c.form("/scribe", "template_ids", "7", "audio_files", "@a.wav")
		want(t, "usual", c.get("/scribe/102").json(t)["status"], any("IN_PROGRESS"))
		time.Sleep(3 * time.Second)
		if note := c.get("/scribe/102").json(t)["note"]; note == nil {
			t.Error("the usual scribe has no note")
		}
	})
}

func TestTokenExpiresAndIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t, WithTokenLifetime(time.Hour), WithTokenDelay(5*time.Second)))
		want(t, "delay", time.Since(c.srv.Requests()[0].Time), 5*time.Second)
		path := c.job()
		time.Sleep(time.Hour - 1)
		want(t, "last moment", c.get(path).status, http.StatusOK)
		time.Sleep(time.Nanosecond)
		want(t, "expired", c.get(path).status, http.StatusUnauthorized)
		c.login()
		want(t, "renewed", c.get(path).status, http.StatusOK)
		c.srv.RevokeTokens()
		want(t, "revoked", c.get(path).body, `{"detail":"Could not validate credentials"}`)
		c.login()
		want(t, "renewed again", c.get(path).status, http.StatusOK)
	})
}

func TestTenMinutesOf429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t))
		path := c.job()
		c.srv.SetRateLimit(RateLimit{Algorithm: SlidingLog, Limit: 1, Window: 10 * time.Minute, Dialect: RetryAfterOnly})
		want(t, "first", c.get(path).status, http.StatusOK)
		began, refused := time.Now(), 0
		for {
			r := c.get(path)
			if r.status == http.StatusOK {
				break
			}
			want(t, "body", r.body, `{"details":"Too many requests"}`)
			refused++
			wait, err := strconv.Atoi(r.header.Get("Retry-After"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(wait) * time.Second)
		}
		want(t, "refused", refused, 1)
		want(t, "waited", time.Since(began), 10*time.Minute)
	})
}

func TestCloseEndsWhatIsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := NewInMemory()
		c := newCaller(t, srv)
		srv.FaultRange("*", 1, 9, Fault{Delay: 1000 * time.Hour})
		var got reply
		done := make(chan struct{})
		go func() { defer close(done); got = c.get("/transcribe/1") }()
		synctest.Wait()
		began := time.Now()
		srv.Close()
		srv.Close()
		<-done
		if got.err == nil || time.Since(began) > time.Second {
			t.Errorf("answer %v after %v", got, time.Since(began))
		}
		if r := c.get("/transcribe/1"); r.err == nil {
			t.Error("a closed server answered")
		}
	})
}

func TestDelayAndTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t))
		path := c.job()
		c.srv.Fault("GET /transcribe/{id}", 1, Fault{Delay: time.Minute})
		c.srv.Fault("GET /transcribe/{id}", 2, Fault{Status: 500, Body: "slowly", Trickle: time.Second})
		began := time.Now()
		want(t, "delayed", c.get(path).status, http.StatusOK)
		want(t, "delay", time.Since(began), time.Minute)
		began = time.Now()
		want(t, "trickled", c.get(path).body, "slowly")
		want(t, "trickle", time.Since(began), 6*time.Second)
	})
}

func TestInMemoryClientReachesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t, StartInMemory(t))
		c.srv.Fault("GET /transcribe/{id}", 1, Redirect("http://elsewhere.example/"))
		if r := c.get("/transcribe/1"); r.err == nil {
			t.Errorf("the redirect led to status %d", r.status)
		}
	})
}

// A mistake that would hang a test until its time is up, and one that would send it elsewhere.
func TestServersOutOfPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("a server on a socket was started in a bubble")
			}
		}()
		NewServer()
	})
	srv := StartInMemory(t)
	if res, err := http.Get(srv.URL); err == nil {
		res.Body.Close()
		t.Errorf("%s is reached without the server's client", srv.URL)
	}
}
