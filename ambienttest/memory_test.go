package ambienttest

import (
	"io"
	"mime/multipart"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// An upload is hashed as it streams in: the server's memory does not grow with it.
func TestUploadIsNotHeld(t *testing.T) {
	const size = 32 << 20
	srv := Start(t)
	c := newCaller(t, srv)
	var head strings.Builder
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("audio_file", "visit.wav"); err != nil {
		t.Fatal(err)
	}
	body := io.MultiReader(strings.NewReader(head.String()), io.LimitReader(filler{}, size),
		strings.NewReader("\r\n--"+form.Boundary()+"--\r\n"))

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	want(t, "status", c.send("POST", "/transcribe", form.FormDataContentType(), body).status, 202)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated for an upload of %d", grown, size)
	}
	got := srv.RequestsTo("POST /transcribe")[0]
	want(t, "size", got.Files[0].Size, size)
	want(t, "complete", got.Complete, true)
}

func TestConcurrentUse(t *testing.T) {
	eachServer(t, func(t *testing.T, srv *Server) {
		c := newCaller(t, srv)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				path := c.job()
				srv.SetRateLimit(RateLimit{})
				want(t, "status", c.get(path).status, 200)
				srv.Requests()
			})
		}
		wg.Wait()
		srv.AssertCount(t, "GET /transcribe/{id}", 16)
	})
}
