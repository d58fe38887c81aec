package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience bounds each wait for another process.
const patience = time.Minute

// A prometheusServer is a real Prometheus on a loopback port.
type prometheusServer struct {
	url string
	log *output
}

// startPrometheus starts Debian's Prometheus, which scrapes a target until the test
// ends.
func startPrometheus(t *testing.T, target string) *prometheusServer {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs the program prometheus")
	}
	require.NoError(t, err)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs: [{job_name: example, static_configs: [{targets: ['%s']}]}]\n", target), 0o600))

	p := &prometheusServer{log: &output{}}
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage")
	cmd.Stdout, cmd.Stderr = p.log, p.log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		assert.NoError(t, cmd.Wait(), "%s", p.log)
	})
	listening := regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:\d+)`)
	p.eventually(t, "Prometheus listens", func() bool {
		m := listening.FindStringSubmatch(p.log.String())
		if m != nil {
			p.url = "http://" + m[1]
		}
		return m != nil
	})
	return p
}

func (p *prometheusServer) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(250 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s\n%s", patience, what, p.log)
		}
	}
}

// get asks the HTTP API. Prometheus answers 503 until it is ready.
func (p *prometheusServer) get(t *testing.T, path string, query url.Values, data any) {
	t.Helper()
	response, err := http.Get(p.url + path + "?" + query.Encode())
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode == http.StatusServiceUnavailable {
		return
	}
	var answer struct {
		Status string
		Data   json.RawMessage
	}
	require.NoError(t, json.Unmarshal(body, &answer), "%s", body)
	require.Equal(t, "success", answer.Status, "%v: %s", query, body)
	require.NoError(t, json.Unmarshal(answer.Data, data), "%s", body)
}

// hasNumber reports whether a query has a result that is a finite number.
func (p *prometheusServer) hasNumber(t *testing.T, query string) bool {
	t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	p.get(t, "/api/v1/query", url.Values{"query": {query}}, &data)
	for _, r := range data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return true
		}
	}
	return false
}

// hasValue reports whether a label of a metric has a value.
func (p *prometheusServer) hasValue(t *testing.T, metric, label string) bool {
	t.Helper()
	var values []string
	p.get(t, "/api/v1/label/"+label+"/values", url.Values{"match[]": {metric}}, &values)
	return len(values) > 0
}

// exemplars lists the traces of a metric's exemplars.
func (p *prometheusServer) exemplars(t *testing.T, metric string) (traces []string) {
	t.Helper()
	var series []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now()
	p.get(t, "/api/v1/query_exemplars", url.Values{"query": {metric}, "start": {stamp(now.Add(-time.Hour))}, "end": {stamp(now.Add(time.Hour))}}, &series)
	for _, s := range series {
		for _, e := range s.Exemplars {
			traces = append(traces, e.Labels["trace_id"])
		}
	}
	return traces
}

func stamp(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// An output may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
