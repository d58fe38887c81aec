//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const (
	testUser     = "synthetic-doctor"
	testPassword = "synthetic-password"
)

// program builds the clinic once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "clinic-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "clinic")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A clinic is a server process that can be killed and started again on its data, and the front before it.
type clinic struct {
	t    *testing.T
	args []string
	env  []string
	addr string
	data string
	cmd  *exec.Cmd
	log  lockedBuffer
	api  *ambienttest.Server
	*front
}

// startClinic starts a server on a directory, and the fake API that it talks to.
func startClinic(t *testing.T, dir string, args ...string) *clinic {
	t.Helper()
	c := &clinic{t: t, addr: freeAddr(t), data: filepath.Join(dir, "data"), api: startAPI(t)}
	c.args = append([]string{"-addr", c.addr, "-data", c.data, "-templates", "1", "-v"}, args...)
	c.env = []string{
		"CLINIC_USERS=" + testUser + ":" + testPassword + ",second-doctor:" + testPassword, "DATABASE_URL=",
		"AMBIENT_BASE_URL=" + c.api.URL, "AMBIENT_USERNAME=" + c.api.Username, "AMBIENT_PASSWORD=" + c.api.Password,
	}
	c.front = startFront(t, c.addr)
	c.start()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the server's log:\n%s", c.log.String())
		}
	})
	return c
}

// startAPI starts a fake API that gives the synthetic visit to every recording.
func startAPI(t *testing.T) *ambienttest.Server {
	t.Helper()
	text, err := os.ReadFile(testdata + "visit.txt")
	require.NoError(t, err)
	data, err := os.ReadFile(testdata + "note.json")
	require.NoError(t, err)
	var note map[string]any
	require.NoError(t, json.Unmarshal(data, &note))
	return ambienttest.Start(t, ambienttest.WithTranscript(string(text)), ambienttest.WithNote(note), ambienttest.WithJobTime(time.Second))
}

func (c *clinic) start() {
	c.t.Helper()
	c.cmd = startProgram(c.t, &c.log, c.env, c.args...)
	eventually(c.t, "the server's health", func() bool {
		resp, err := http.Get("http://" + c.addr + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func startProgram(t *testing.T, log io.Writer, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	return cmd
}

// kill ends the server without a word.
func (c *clinic) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	_ = c.cmd.Wait()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A front is a proxy between browser and server, as a clinic has one. It keeps the chunks that pass, and can be cut.
type front struct {
	*httptest.Server
	down   atomic.Bool // no answer
	broken atomic.Bool // every chunk is refused
	mu     sync.Mutex
	chunks map[string]map[int][]byte // by recording and number
}

var chunkPath = regexp.MustCompile(`^/recordings/([^/]+)/chunks/(\d+)$`)

func startFront(t *testing.T, addr string) *front {
	f := &front{chunks: map[string]map[int][]byte{}}
	target := &url.URL{Scheme: "http", Host: addr}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ErrorLog:     log.New(io.Discard, "", 0), // streams that are cut
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() {
			panic(http.ErrAbortHandler) // the browser sees a network that has gone
		}
		f.keep(r)
		if f.broken.Load() && chunkPath.MatchString(r.URL.Path) {
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"error": "conflict"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// cut takes the network away.
func (f *front) cut() {
	f.down.Store(true)
	f.CloseClientConnections()
}

// keep keeps the chunk that the browser sends.
func (f *front) keep(r *http.Request) {
	match := chunkPath.FindStringSubmatch(r.URL.Path)
	if match == nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	n, _ := strconv.Atoi(match[2])
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.chunks[match[1]] == nil {
		f.chunks[match[1]] = map[int][]byte{}
	}
	f.chunks[match[1]][n] = body
}

// recording is what the browser has sent of a recording, in order.
func (f *front) recording(id string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []byte
	for n := range len(f.chunks[id]) {
		all = append(all, f.chunks[id][n]...)
	}
	return all
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A lockedBuffer is a log that a process and a test share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
