package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// A bareServer answers connections byte by byte, as no HTTP server would.
type bareServer struct {
	net.Listener
	conns   atomic.Int32
	running sync.WaitGroup
}

// A bareConn is a connection of a bareServer.
type bareConn struct {
	net.Conn
	r *bufio.Reader
	n int // of the connection, counted from 1
}

// header reads the header of a request.
func (c bareConn) header() *http.Request {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return &http.Request{Header: http.Header{}, Body: http.NoBody}
	}
	return r
}

func (c bareConn) write(text string) { _, _ = io.WriteString(c.Conn, text) }

// reset closes the connection with a RST.
func (c bareConn) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Conn.Close()
}

// startBare serves each connection with a function, and returns a client of the server.
func startBare(t *testing.T, serve func(bareConn), opts ...ambient.Option) *ambient.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &bareServer{Listener: l}
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1))
			s.running.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				serve(bareConn{conn, bufio.NewReader(conn), n})
			})
		}
	})
	client, err := ambient.NewClient(append([]ambient.Option{
		ambient.WithBaseURL("http://" + l.Addr().String()), ambient.WithToken("synthetic"), quick,
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		_ = l.Close()
		s.running.Wait()
	})
	return client
}

const created = `{"transcription_id": 7}`

// accept reads a whole request and answers that the job was created.
func (c bareConn) accept(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	c.write(fmt.Sprintf("HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(created), created))
}

// TestARefusalBeforeTheBodyIsRead checks that a status without a body is not lost where
// the server closes the connection while net/http still writes.
func TestARefusalBeforeTheBodyIsRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		first string // before the answer
		read  int64  // of the body
		close string // a header
	}{
		{"at once", "", 0, ""},
		{"at once, and announced", "", 0, "Connection: close\r\n"},
		{"after some bytes", "", 100_000, ""},
		{"after 100 Continue and some bytes", "HTTP/1.1 100 Continue\r\n\r\n", 100_000, ""},
	} {
		for _, status := range []int{403, 413, 503} {
			t.Run(fmt.Sprint(c.name, " ", status), func(t *testing.T) {
				leavesNothing(t)
				client := startBare(t, func(conn bareConn) {
					r := conn.header()
					conn.write(c.first)
					_, _ = io.CopyN(io.Discard, r.Body, c.read)
					conn.write(fmt.Sprintf("HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n%s\r\n", status, c.close))
				})
				var info ambient.CallInfo
				_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", longVisit()[:3<<20]), ambient.WithCallInfo(&info))
				assert.False(t, ambient.MaybeSubmitted(err), "%v", err)
				assert.Len(t, info.Attempts, map[bool]int{true: 4, false: 1}[status == 503])
				for _, a := range info.Attempts {
					assert.Equal(t, status, a.StatusCode, "%v", a.Err)
				}
				harness.CheckType(t, status, err)
			})
		}
	}
}

// TestAServerThatDoesNotKnowExpect checks that the request is sent without it, and that
// the client remembers this.
func TestAServerThatDoesNotKnowExpect(t *testing.T) {
	content := longVisit()[:2<<20]
	for name, lose := range map[string]func(bareConn){
		"closes": func(conn bareConn) {}, "resets": func(conn bareConn) { conn.reset() },
	} {
		for kind, audio := range map[string]func() ambient.Audio{
			"bytes":  func() ambient.Audio { return ambient.AudioBytes("visit.mp3", content) },
			"reader": func() ambient.Audio { return ambient.AudioReader("visit.mp3", harness.ReaderAt(content)) },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				leavesNothing(t)
				var expected atomic.Int32
				client := startBare(t, func(conn bareConn) {
					r := conn.header()
					if r.Header.Get("Expect") != "" {
						expected.Add(1)
						lose(conn)
						return
					}
					conn.accept(r)
				})
				for n := range 2 {
					sub, err := harness.SubmitOf(t.Context(), client, audio())
					require.NoError(t, err)
					assert.Equal(t, int64(7), sub.ID)
					assert.False(t, sub.PossibleDuplicate())
					assert.Len(t, sub.Call.Attempts, 2-n)
				}
				assert.Equal(t, int32(1), expected.Load())
			})
		}
	}
}

// gzipText is text in gzip, without the last bytes of its trailer.
func gzipText(text string, missing int) string {
	s := gzipped(text)
	return s[:len(s)-missing]
}

// TestFramingThatEndsBadly checks that an answer whose JSON is complete is good, and that
// one whose JSON may go on is not.
func TestFramingThatEndsBadly(t *testing.T) {
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	compressed := func(missing int) string {
		return "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(gzipText(created, missing)) + "0\r\n\r\n"
	}
	for name, c := range map[string]struct {
		rest string
		good bool
	}{
		"no last chunk":                   {"Transfer-Encoding: chunked\r\n\r\n" + chunk(created), true},
		"half of the last chunk":          {"Transfer-Encoding: chunked\r\n\r\n" + chunk(created) + "0\r", true},
		"no last chunk behind a space":    {"Transfer-Encoding: chunked\r\n\r\n" + chunk(created+"\n"), true},
		"Content-Length too long":         {"Content-Length: 100\r\n\r\n" + created, true},
		"gzip":                            {compressed(0), true},
		"gzip without its trailer":        {compressed(8), true},
		"gzip with half of its trailer":   {compressed(4), true},
		"half of the JSON":                {"Transfer-Encoding: chunked\r\n\r\n" + chunk(created[:10]), false},
		"half of the JSON, too long":      {"Content-Length: 100\r\n\r\n" + created[:len(created)-1], false},
		"a number that may go on":         {"Content-Length: 100\r\n\r\n12", false},
		"nothing":                         {"Content-Length: 100\r\n\r\n", false},
		"JSON, and something behind that": {"Content-Length: 100\r\n\r\n" + created + "{", false},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			client := startBare(t, func(conn bareConn) {
				_, _ = io.Copy(io.Discard, conn.header().Body)
				conn.write("HTTP/1.1 202 Accepted\r\n" + c.rest)
			})
			sub, err := harness.SubmitOf(t.Context(), client, harness.Visit())
			if !c.good {
				assert.True(t, ambient.MaybeSubmitted(err), "%v", err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, int64(7), sub.ID)
			assert.False(t, sub.PossibleDuplicate())
		})
	}
}

// TestCompressedAnswers checks that gzip is decoded whoever asked for it.
func TestCompressedAnswers(t *testing.T) {
	const job = `{"id": 7, "task_status": "STT_COMPLETED", "raw_text": "hello"}`
	for _, encoding := range []string{"gzip", "x-gzip", "GZIP", "X-GZip", "identity"} {
		for _, status := range []int{200, 404} {
			leavesNothing(t)
			body := gzipText(job, 0)
			if status == 404 {
				body = gzipText(`{"detail": "Transcription not found"}`, 0)
			}
			if encoding == "identity" {
				body = job
			}
			transport := &http.Transport{DisableCompression: true}
			client := startBare(t, func(conn bareConn) {
				conn.header()
				conn.write(fmt.Sprintf("HTTP/1.1 %d Status\r\nContent-Encoding: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, encoding, len(body), body))
			}, ambient.WithHTTPClient(&http.Client{Transport: transport}))
			err := harness.Get(t.Context(), client)
			if status == 200 {
				assert.NoError(t, err, encoding)
			} else if encoding != "identity" {
				assert.Contains(t, err.Error(), "Transcription not found", encoding)
			}
		}
	}
	_, err := ambient.NewClient(ambient.WithToken("synthetic"), ambient.WithHeader("accept-encoding", "gzip"))
	assert.ErrorContains(t, err, "Accept-Encoding")
}

// allocated is what f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// kept is what stays in memory of what f returns.
func kept(f func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestAnnouncedLengths checks that what is allocated is what has arrived.
func TestAnnouncedLengths(t *testing.T) {
	client := startBare(t, func(conn bareConn) {
		conn.header()
		conn.write("HTTP/1.1 200 OK\r\nContent-Length: 67000000\r\n\r\n{")
	})
	assert.Less(t, allocated(func() {
		for _, err := range harness.Callers(8, func() error { return harness.Get(t.Context(), client) }) {
			assert.Error(t, err)
		}
	}), uint64(16<<20))
}

// TestWhatErrorsKeep checks that an error keeps what is used, and no more.
func TestWhatErrorsKeep(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		most   int64
	}{
		"60,000 header lines":     {"HTTP/1.1 404 Not Found\r\nX-Request-Id: req-1\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 60)+"\r\n", 60_000) + "Content-Length: 0\r\n\r\n", 1 << 20},
		"10,000 names":            {"HTTP/1.1 404 Not Found\r\nX-Request-Id: req-1\r\n" + names(10_000) + "Content-Length: 0\r\n\r\n", 1 << 20},
		"60 MiB that are no JSON": {"HTTP/1.1 200 OK\r\nX-Request-Id: req-1\r\nContent-Length: 62914560\r\n\r\n" + strings.Repeat("x", 60<<20), 1<<20 + 256<<10},
		"60 MiB of an error":      {"HTTP/1.1 404 Not Found\r\nX-Request-Id: req-1\r\nContent-Length: 62914560\r\n\r\n" + strings.Repeat("x", 60<<20), 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			answer := []byte(c.answer) // not while the test measures
			client := startBare(t, func(conn bareConn) {
				conn.header()
				_, _ = conn.Write(answer)
			})
			_ = harness.Get(t.Context(), client) // the first call makes what stays
			var err error
			assert.Less(t, kept(func() any {
				err = harness.Get(t.Context(), client)
				client.CloseIdleConnections()
				return err
			}), c.most)
			if missing, ok := err.(*ambient.NotFoundError); ok {
				assert.Equal(t, "req-1", missing.RequestID)
				assert.LessOrEqual(t, len(missing.Body()), 256<<10)
			} else {
				unusable, ok := err.(*ambient.DecodeError)
				require.True(t, ok, "%v", err)
				assert.Len(t, unusable.Body(), 1<<20)
				assert.ErrorContains(t, err, "62914560 bytes")
			}
		})
	}
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-Filler-%d: %s\r\n", i, strings.Repeat("x", 60))
	}
	return b.String()
}

// TestAnUploadThatEndsWithoutAStatus says in its closing note what was tried.
func TestAnUploadThatEndsWithoutAStatus(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(conn bareConn, r *http.Request)
		note  string
	}{
		"over Expect and without": {func(conn bareConn, r *http.Request) {
			if r.Header.Get("Expect") == "" {
				_, _ = io.CopyN(io.Discard, r.Body, 100_000)
			}
			conn.reset()
		}, "with and without Expect"},
		"after 100 Continue": {func(conn bareConn, r *http.Request) {
			conn.write("HTTP/1.1 100 Continue\r\n\r\n")
			_, _ = io.CopyN(io.Discard, r.Body, 100_000)
			conn.reset()
		}, "after Expect"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			client := startBare(t, func(conn bareConn) { c.serve(conn, conn.header()) })
			_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", longVisit()))
			assert.True(t, harness.HoldsError[*ambient.NetworkError](err), "%v", err)
			assert.ErrorContains(t, err, c.note)
			assert.False(t, ambient.MaybeSubmitted(err))
		})
	}
}
