package conformance_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// nginxConfig has a server per way in which a gateway answers by itself.
const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	limit_req_zone $server_port zone=slow:1m rate=4r/s;
	limit_req_status 429;
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $http_host;
	proxy_request_buffering off;
	client_max_body_size 0;

	server { # passes everything on, and gives up soon
		listen 127.0.0.1:%[2]d;
		location / { proxy_pass %[6]s; proxy_read_timeout 500ms; }
	}
	server { # has no service behind it, and looks for one once it has the whole request
		listen 127.0.0.1:%[3]d;
		location / { proxy_pass http://127.0.0.1:%[7]d; proxy_request_buffering on; }
	}
	server { # takes small bodies only
		listen 127.0.0.1:%[4]d;
		location / { proxy_pass %[6]s; client_max_body_size 64k; }
	}
	server { # limits the rate
		listen 127.0.0.1:%[5]d;
		location / { proxy_pass %[6]s; limit_req zone=slow; }
	}
}
`

// gateway is an nginx in front of a fake API. Its URLs are the API's through
// each of its servers.
type gateway struct{ hasty, bare, small, limited string }

func startGateway(t *testing.T, api *ambienttest.Server) gateway {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if binary = "/usr/sbin/nginx"; !executable(binary) {
			if os.Getenv("CI") == "true" {
				t.Fatal("nginx is not installed")
			}
			t.Skip("nginx is not installed")
		}
	}
	upstream, err := url.Parse(api.URL)
	require.NoError(t, err)
	ports := freePorts(t, 5)
	dir := t.TempDir()
	config := fmt.Sprintf(nginxConfig, dir, ports[0], ports[1], ports[2], ports[3], "http://"+upstream.Host, ports[4])
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))

	cmd := exec.Command(binary, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, port := range ports[:4] {
		awaitPort(t, port, filepath.Join(dir, "error.log"))
	}
	through := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d%s", port, ambienttest.BasePath) }
	return gateway{through(ports[0]), through(ports[1]), through(ports[2]), through(ports[3])}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// freePorts are held until all are known, so that no two are the same.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func awaitPort(t *testing.T, port int, log string) {
	t.Helper()
	for range 500 {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("nginx does not listen: %s", text)
}

// TestGateway checks the errors of a call that a real nginx answers or resets.
func TestGateway(t *testing.T) {
	t.Parallel()
	api := ambienttest.Start(t)
	gw := startGateway(t, api)
	quick := harness.Policy(ambient.RetryPolicy{MaxAttempts: 3, BaseDelay: time.Millisecond})
	through := func(t *testing.T, base string, opts ...ambient.Option) *ambient.Client {
		transport := &http.Transport{ExpectContinueTimeout: time.Second}
		t.Cleanup(transport.CloseIdleConnections)
		return harness.NewClient(t, api, append([]ambient.Option{ambient.WithBaseURL(base), ambient.WithHTTPClient(&http.Client{Transport: transport}), quick}, opts...)...)
	}
	direct := harness.NewClient(t, api)
	id := harness.Submitted(t, direct)

	t.Run("502 of a gateway without a service", func(t *testing.T) {
		client := through(t, gw.bare, ambient.WithToken("synthetic"))
		bad, ok := errors.AsType[*ambient.BadGatewayError](harness.Get(t.Context(), client))
		require.True(t, ok)
		assert.Len(t, bad.Attempts, 3)
		assert.Contains(t, string(bad.Body()), "nginx")
		assert.Empty(t, bad.Detail, "HTML is no message")

		_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", []byte("ID3\x04 synthetic")))
		assert.True(t, ambient.MaybeSubmitted(err), "a 502 does not say that nothing was behind: %v", err)
	})

	t.Run("504 of a gateway that gave up", func(t *testing.T) {
		before := len(api.RequestsTo(harness.SubmitRoute))
		client := through(t, gw.hasty)
		require.NoError(t, client.Authenticate(t.Context()))
		api.Fault(harness.SubmitRoute, before+1, ambienttest.Fault{Delay: time.Second, Status: 202, Body: `{"transcription_id": 1}`})
		sub, err := harness.SubmitOf(t.Context(), client, harness.Visit())
		require.NoError(t, err)
		require.Greater(t, len(sub.Call.Attempts), 1)
		assert.Equal(t, http.StatusGatewayTimeout, sub.Call.Attempts[0].StatusCode)
		assert.True(t, sub.PossibleDuplicate(), "the service had it all")
	})

	t.Run("413 in the middle of an upload", func(t *testing.T) {
		client := through(t, gw.small)
		require.NoError(t, client.Authenticate(t.Context()))
		before := len(api.RequestsTo(harness.SubmitRoute))
		for _, size := range []int{200 << 10, 4 << 20} { // without and with Expect: 100-continue
			_, err := harness.SubmitOf(t.Context(), client, ambient.AudioBytes("visit.mp3", harness.Pattern(size)))
			if api, ok := errors.AsType[*ambient.APIError](err); ok {
				assert.Equal(t, http.StatusRequestEntityTooLarge, api.StatusCode)
				assert.Len(t, api.Attempts, 1, "not repeated")
			} else { // the reset that follows may overtake the answer to the unannounced one
				assert.Less(t, size, 1<<20, "%v", err)
			}
			assert.False(t, ambient.MaybeSubmitted(err))
		}
		assert.Len(t, api.RequestsTo(harness.SubmitRoute), before)
	})

	t.Run("429 without any header", func(t *testing.T) {
		client := through(t, gw.limited)
		require.NoError(t, client.Authenticate(t.Context()))
		var info ambient.CallInfo
		for range 10 { // on a busy machine two calls may be further apart than the limit asks for
			_, err := client.Transcriptions.Get(t.Context(), id, ambient.WithCallInfo(&info))
			require.NoError(t, err)
			if len(info.Attempts) > 1 {
				break
			}
		}
		require.Greater(t, len(info.Attempts), 1)
		assert.Equal(t, http.StatusTooManyRequests, info.Attempts[0].StatusCode)
		assert.Greater(t, info.Attempts[1].Wait, 240*time.Millisecond, "nobody said how long: 250 ms from the refusal on")
	})
}
