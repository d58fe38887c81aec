package main

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A dashboard is what matters here of one of Grafana.
type dashboard struct {
	Panels []struct {
		Title, Description string
		Targets            []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// variables are what Grafana replaces in a query.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$__range", "5m", "$job", ".*")

// labelValues is the query of a variable.
var labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)

// Each query of the dashboard has a number in a Prometheus that scrapes this program,
// and each variable has a value. The submits that ask for a person are counted. The
// exemplars lead to traces that the program has printed.
func TestDashboardShowsTheDay(t *testing.T) {
	page, printed := startExample(t)
	prometheus := startPrometheus(t, page.Host)
	board := readDashboard(t)

	for _, panel := range board.Panels {
		assert.NotEmpty(t, panel.Description, panel.Title)
		assert.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			query := variables.Replace(target.Expr)
			require.NotContains(t, query, "$")
			prometheus.eventually(t, panel.Title+": "+query, func() bool { return prometheus.hasNumber(t, query) })
		}
	}
	for _, v := range board.Templating.List {
		if v.Type == "query" {
			m := labelValues.FindStringSubmatch(v.Definition)
			require.NotNil(t, m, v.Definition)
			prometheus.eventually(t, v.Definition, func() bool { return prometheus.hasValue(t, m[1], m[2]) })
		}
	}
	for _, metric := range []string{"ambient_client_possible_duplicates_total", "ambient_client_maybe_submitted_total"} {
		query := "increase(" + metric + `{url_template="/transcribe"}[5m]) > 0`
		prometheus.eventually(t, query, func() bool { return prometheus.hasNumber(t, query) })
	}
	prometheus.eventually(t, "an exemplar with a printed trace", func() bool {
		for _, id := range prometheus.exemplars(t, "ambient_client_call_duration_seconds_bucket") {
			if strings.Contains(printed(), "trace "+id) {
				return true
			}
		}
		return false
	})
}

// startExample runs the program as a person would, until the test ends. It returns the
// address of the metrics, and a function for what the program has printed.
func startExample(t *testing.T) (page *url.URL, printed func() string) {
	t.Helper()
	var out output
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, &out) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "\n") }, time.Minute, 10*time.Millisecond)
	line, _, _ := strings.Cut(out.String(), "\n")
	page, err := url.Parse(strings.TrimSuffix(strings.TrimPrefix(line, "The metrics are at "), "."))
	require.NoError(t, err, line)
	return page, out.String
}
