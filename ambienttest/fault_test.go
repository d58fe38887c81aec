package ambienttest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

// eachServer runs a test against every kind of server.
func eachServer(t *testing.T, test func(t *testing.T, srv *Server)) {
	kinds := map[string]func(...Option) *Server{"TCP": NewServer, "TLS": NewTLSServer, "InMemory": NewInMemory}
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, forTest(t, start()))
		})
	}
}

func TestResets(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		big := strings.Repeat("x", 1<<20)
		for i, reset := range []Reset{ResetBeforeRead, ResetMidBody, ResetAfterRead} {
			srv.Fault("POST /transcribe", i+1, Fault{Reset: reset})
			if r := c.form("/transcribe", "audio_file", "@a.mp3", "patient_name", big); r.err == nil {
				t.Errorf("reset %d: answered %d", reset, r.status)
			}
		}
		got := srv.RequestsTo("POST /transcribe")
		want(t, "requests", len(got), 3)
		want(t, "before: read", got[0].BodySize, 0)
		if half := got[1].BodySize; half < 1<<19 || half > 1<<19+1000 {
			t.Errorf("mid: read %d", half)
		}
		want(t, "mid: complete", got[1].Complete, false)
		want(t, "after: complete", got[2].Complete, true)
		want(t, "after: status", got[2].Status, 0)
		want(t, "no job was created", c.get("/transcribe/101").status, http.StatusNotFound)

		srv.Fault("POST /transcribe", 4, Fault{Reset: ResetAfterRead, Process: true})
		if r := c.transcribe(); r.err == nil {
			t.Errorf("answered %d", r.status)
		}
		want(t, "a job was created", c.get("/transcribe/101").status, http.StatusOK)

		srv.Fault("POST /transcribe", 5, Fault{Reset: ResetMidResponse})
		r := c.transcribe()
		if r.status != http.StatusAccepted || r.err == nil {
			t.Errorf("half an answer: %+v", r)
		}
		if srv.Requests()[0].Proto == "HTTP/1.1" && !strings.HasPrefix(r.body, `{"sub`) { // HTTP/2 clients may drop it
			t.Errorf("half an answer: %+v", r)
		}
	})
}

// What Reset says of the sizes from which a client sees that its upload was cut short.
func TestResetsCutUploadsShort(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		size := 16 << 20
		if strings.HasSuffix(t.Name(), "/InMemory") {
			size = 64 << 10
		}
		for i, reset := range []Reset{ResetBeforeRead, ResetMidBody} {
			srv.Fault("POST /transcribe", i+1, Fault{Reset: reset})
			req, err := http.NewRequest("POST", srv.URL+"/transcribe", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+c.token)
			wrote := make(chan error, 4) // may come after the answer
			r := c.do(req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				WroteRequest: func(info httptrace.WroteRequestInfo) { wrote <- info.Err },
			})))
			if r.err == nil || <-wrote == nil {
				t.Errorf("reset %d: %d bytes were sent: %v", reset, size, r.err)
			}
		}
	})
}

func TestResetOnTCPIsRST(t *testing.T) {
	for _, start := range []func(...Option) *Server{NewServer, NewTLSServer} {
		srv := forTest(t, start())
		c := newCaller(t, srv)
		srv.Fault("POST /transcribe", 1, Fault{Reset: ResetAfterRead})
		if r := c.transcribe(); !errors.Is(r.err, errReset) {
			t.Errorf("%s: %v", srv.URL, r.err)
		}
	}
}

func TestAnswers(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		for i, f := range []struct {
			Fault
			body, contentType string
		}{
			{Answer(403), `{"detail":"You do not have access to these template_ids [234234]"}`, "application/json"},
			{Answer(409), `{"detail":"Conflict"}`, "application/json"},
			{Answer(422), `{"detail":[{"loc":["body","template_ids"],"msg":"field required","type":"value_error.missing"}]}`, "application/json"},
			{RetryAfter(429, "600"), `{"details":"Too many requests"}`, "application/json"},
			{Answer(500), `{"error":{"message":"Internal Server Error"}}`, "application/json"},
			{ProxyHTML(502), "<html>\r\n<head><title>502 Bad Gateway", "text/html"},
			{Fault{Status: 504}, "", ""},
			{Fault{Status: 503, Body: `{"a":`}, `{"a":`, "application/json"},
			{Fault{Status: 413, Body: "no", BodySize: 100_000, Early: true}, "no....", "text/plain; charset=utf-8"},
			{Fault{Status: 204}, "", ""},
		} {
			srv.Fault("GET /scribe/{id}", i+1, f.Fault)
			r := c.get("/scribe/1")
			want(t, "status", r.status, f.Status)
			want(t, "Content-Type", r.header.Get("Content-Type"), f.contentType)
			want(t, "Retry-After", r.header.Get("Retry-After"), f.Header.Get("Retry-After"))
			if !strings.HasPrefix(r.body, f.body) || r.err != nil {
				t.Errorf("body of %d: %q, error %v", f.Status, r.body, r.err)
			}
			if f.BodySize > 0 {
				want(t, "size", int64(len(r.body)), int64(len(f.Body))+f.BodySize)
			}
			want(t, "recorded", srv.RequestsTo("GET /scribe/{id}")[i].Status, f.Status)
		}
	})
}

func TestTruncatedAndEndless(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		srv.Fault("GET /scribe/{id}", 1, Fault{Status: 500, Body: "12345678", Truncate: true})
		srv.Fault("GET /scribe/{id}", 2, Fault{Status: 500, Truncate: true})
		srv.Fault("GET /scribe/{id}", 3, Fault{Status: 500, BodySize: Endless})
		r := c.get("/scribe/1")
		if r.body != "1234" || !errors.Is(r.err, io.ErrUnexpectedEOF) && srv.Requests()[1].Proto != "HTTP/2.0" || r.err == nil {
			t.Errorf("truncated: %+v", r)
		}
		if r = c.get("/scribe/1"); r.err == nil {
			t.Errorf("truncated: %+v", r)
		}
		req, _ := http.NewRequest("GET", srv.URL+"/scribe/1", nil)
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "length of the endless", res.ContentLength, -1)
		if n, err := io.CopyN(io.Discard, res.Body, 10<<20); err != nil {
			t.Errorf("the endless body ended after %d: %v", n, err)
		}
		res.Body.Close()
	})
}

func TestProcessAndThenAnswer(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	lost := ProxyHTML(504)
	lost.Process = true
	srv.Fault("POST /transcribe", 1, lost)
	srv.Fault("POST /transcribe", 2, ProxyHTML(504))
	want(t, "status", c.transcribe().status, 504)
	want(t, "created", c.get("/transcribe/101").status, 200)
	want(t, "status", c.transcribe().status, 504)
	want(t, "not created", c.get("/transcribe/102").status, 404)
	want(t, "recorded", srv.RequestsTo("POST /transcribe")[1].Files[0].Filename, "visit.mp3")
}

func TestFaultsAreCountedPerRoute(t *testing.T) {
	srv := forTest(t, NewServer())
	srv.FaultRange("GET /transcribe/{id}", 2, 3, Answer(503))
	srv.Fault("*", 6, Answer(500))
	c := newCaller(t, srv)
	var got []int
	for range 4 {
		got = append(got, c.get("/transcribe/1").status)
	}
	got = append(got, c.get("/nowhere").status)
	for i, status := range []int{404, 503, 503, 404, 500} {
		want(t, "status", got[i], status)
	}
}

func TestMountedHandler(t *testing.T) {
	srv := forTest(t, NewServer())
	front := httptest.NewServer(srv.Handler())
	defer front.Close()
	own := srv.URL
	srv.URL = front.URL + BasePath
	c := newCaller(t, srv)
	want(t, "conn", srv.Requests()[0].Conn, 0)
	srv.Fault("POST /transcribe", 1, Fault{Reset: ResetAfterRead})
	if r := c.transcribe(); !errors.Is(r.err, errReset) {
		t.Error(r.err)
	}
	srv.URL = own
	c.get("/transcribe/1")
	want(t, "conn", srv.Requests()[2].Conn, 1)
}

// A fault can be planned for requests that nobody can number.
func TestFaultWhere(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		polls := 0
		srv.Fault("GET /transcribe/{id}", 2, Answer(502))
		srv.FaultWhere(func(r Request) bool {
			if r.ID == 101 {
				polls++
			}
			return r.ID == 101 && r.Account == srv.Username && len(srv.Requests()) > 0 && polls <= 2
		}, Answer(503))
		first, second := c.job(), c.job()
		want(t, "the other job", c.get(second).status, http.StatusOK)
		want(t, "planned before", c.get(first).status, http.StatusBadGateway)
		want(t, "matched", c.get(first).status, http.StatusServiceUnavailable)
		want(t, "matched", c.get(first).status, http.StatusServiceUnavailable)
		want(t, "matched no more", c.get(first).status, http.StatusOK)
	})
}

// The body of a documented status is of the route that it is planned for.
func TestAnswersAreOfTheirRoute(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	srv.FaultWhere(func(r Request) bool { return r.Header.Get("X-Want") == "422" }, Answer(422))
	srv.FaultWhere(func(r Request) bool { return r.Header.Get("X-Want") == "404" }, Answer(404))
	for path, field := range map[string]string{
		"/auth/token": "username", "/transcribe": "audio_file", "/scribe": "template_ids", "/scribe/7/regenerate/audio": "audio_files",
	} {
		r := c.send("POST", path, "", nil, "X-Want", "422")
		want(t, path, r.body, `{"detail":[{"loc":["body","`+field+`"],"msg":"field required","type":"value_error.missing"}]}`)
	}
	want(t, "scribe", c.send("GET", "/scribe/7", "", nil, "X-Want", "404").body, `{"detail":"Scribe not found"}`)
	want(t, "transcription", c.send("GET", "/transcribe/7", "", nil, "X-Want", "404").body, `{"detail":"Transcription not found"}`)
	own := Answer(422)
	own.Body = `{"detail":"mine"}`
	srv.Fault("POST /transcribe", 2, own)
	want(t, "a body of the test's own", c.send("POST", "/transcribe", "", nil).body, own.Body)
}

// Headers without a status come beside the usual ones.
func TestHeadersOfAUsualAnswer(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	srv.Fault("POST /transcribe", 1, Fault{Header: http.Header{"Retry-After": {"4"}, "X-Request-Id": {"7"}}})
	r := c.transcribe()
	want(t, "status", r.status, http.StatusAccepted)
	want(t, "id", r.json(t)["transcription_id"], any(101.0))
	want(t, "headers", r.header.Get("Retry-After")+r.header.Get("X-Request-Id")+r.header.Get("Content-Type"), "47application/json")
}

// The whole body arrives, and then not the end that was announced.
func TestUnfinishedAnswers(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		srv.Fault("POST /transcribe", 1, Fault{Unfinished: true})
		srv.Fault("POST /transcribe", 2, Fault{Status: 200, Body: `{"a":1}`, Unfinished: true})
		for _, body := range []string{`{"sub`, `{"a":1}`} {
			r := c.transcribe()
			if r.err == nil || srv.Requests()[0].Proto == "HTTP/1.1" && !strings.HasPrefix(r.body, body) { // HTTP/2 clients may drop it
				t.Errorf("an answer without its end: %+v", r)
			}
		}
		want(t, "the job was made", c.get("/transcribe/101").status, http.StatusOK)
	})
}

func TestStatusesOfCDNs(t *testing.T) {
	want(t, "phrase", Answer(520).Body, `{"detail":"Web Server Returned an Unknown Error"}`)
	if !strings.Contains(ProxyHTML(524).Body, "524 A Timeout Occurred") {
		t.Error(ProxyHTML(524).Body)
	}
}

func TestMistakesPanic(t *testing.T) {
	srv := forTest(t, NewServer())
	for name, mistake := range map[string]func(){
		"route":         func() { srv.Fault("GET /transcribe/1", 1, Answer(500)) },
		"asserted":      func() { srv.AssertCount(t, "POST /transcribes", 0) },
		"number":        func() { srv.Fault("*", 0, Answer(500)) },
		"range":         func() { srv.FaultRange("*", 2, 1, Answer(500)) },
		"status":        func() { srv.Fault("*", 1, Fault{Status: 100}) },
		"endless":       func() { srv.Fault("*", 1, Fault{Status: 500, BodySize: Endless, Truncate: true}) },
		"early":         func() { srv.Fault("*", 1, Fault{Early: true}) },
		"process":       func() { srv.Fault("*", 1, Fault{Status: 413, Early: true, Process: true}) },
		"body":          func() { srv.Fault("*", 1, Fault{Body: "x"}) },
		"unfinished":    func() { srv.Fault("*", 1, Fault{Status: 500, BodySize: Endless, Unfinished: true}) },
		"where":         func() { srv.FaultWhere(func(Request) bool { return true }, Fault{Body: "x"}) },
		"limited":       func() { srv.SetRateLimitOf("GET /transcribe/1", RateLimit{}) },
		"no steps":      func() { srv.ScriptScribe() },
		"not encodable": func() { srv.ScriptScribe(Step{Fields: map[string]any{"x": make(chan int)}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			mistake()
		}()
	}
}

// An early answer to a client that waits for leave costs no byte of the body.
func TestRefusedBeforeTheBody(t *testing.T) {
	for _, kind := range []struct {
		name   string
		spoil  func(*caller)
		status int
	}{
		{"401", func(c *caller) { c.srv.RevokeTokens() }, 401},
		{"413", func(c *caller) {
			f := ProxyHTML(413)
			f.Early = true
			c.srv.Fault("POST /transcribe", 1, f)
		}, 413},
		{"429", func(c *caller) {
			c.srv.SetRateLimit(RateLimit{Algorithm: SlidingLog, Limit: 1, Window: time.Hour})
			c.get("/transcribe/1")
		}, 429},
	} {
		t.Run(kind.name, func(t *testing.T) {
			srv := forTest(t, NewServer())
			c := newCaller(t, srv)
			kind.spoil(c)
			r := c.send("POST", "/transcribe", multiparts+"; boundary=b", strings.NewReader(strings.Repeat("x", 4<<20)),
				"Expect", "100-continue")
			want(t, "status", r.status, kind.status)
			got := srv.RequestsTo("POST /transcribe")[0]
			want(t, "Expect", got.Header.Get("Expect"), "100-continue")
			want(t, "read", got.BodySize, 0)
			want(t, "complete", got.Complete, false)
		})
	}
}

func TestBrokenOffUpload(t *testing.T) {
	srv := forTest(t, NewServer())
	c := newCaller(t, srv)
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(srv.URL, "http://"), BasePath))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "POST "+BasePath+"/transcribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+c.token+
		"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"a.mp3\"\r\n\r\nhalf")
	_ = conn.(*net.TCPConn).CloseWrite()
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("answered: %s", answer)
	}
	conn.Close()
	got := srv.RequestsTo("POST /transcribe")[0]
	want(t, "complete", got.Complete, false)
	want(t, "size of the file so far", got.Files[0].Size > 0, true)
	want(t, "no job", c.get("/transcribe/101").status, 404)
}
