//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const perSecond = 50 // that the server of the shared limit allows

// A limitRun is four processes that share a limit, on a server that sends no headers.
type limitRun struct {
	name      string
	perSecond float64 // answered
	refused   float64 // share of all
}

func measureLimit(ctx context.Context, calls int) (runs []limitRun, err error) {
	for _, server := range []struct {
		name string
		ambienttest.RateLimit
	}{
		{"bucket of 50/s", ambienttest.RateLimit{Algorithm: ambienttest.TokenBucket, Limit: perSecond}},
		{"window of 50 in each second", ambienttest.RateLimit{Algorithm: ambienttest.FixedWindow, Limit: perSecond}},
	} {
		s := setup{postgres: true, workers: 4, visits: calls / 6, rateLimit: perSecond, limit: server.RateLimit}
		m, err := s.measure(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", server.name, err)
		}
		busy := m.busy()
		runs = append(runs, limitRun{server.name, float64(m.sent-m.refused) / busy.Seconds(), float64(m.refused) / float64(m.sent)})
		fmt.Fprintf(os.Stderr, "%s: %.1f/s, %d of %d refused\n", server.name, runs[len(runs)-1].perSecond, m.refused, m.sent)
	}
	return runs, nil
}

// busy is the time between the 5th and the 95th of 100 requests, since the fleet begins and ends with too few to send.
func (m *measurement) busy() time.Duration {
	all := m.api.Requests()
	from, to := len(all)*5/100, len(all)*95/100
	return all[to].Time.Sub(all[from].Time) * time.Duration(len(all)) / time.Duration(to-from)
}

const heading = "## The pipeline"

func report(began time.Time, measured []*measurement, limited []limitRun) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", heading)
	line("")
	line("Written by `go run -C pipeline ./internal/bench` on %s, on %d cores, %s. Each process uploads %d recordings of %d KiB at",
		began.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), parallel, audioSize>>10)
	line("a time to a fake API in another process, whose jobs take no time, and asks for a note of each.")
	line("")
	line("| %d visits | visits/s | CPU of the workers, ms a visit | of PostgreSQL | row writes a visit | of them River's | WAL | database, MiB | peak memory of a worker, MiB |", measured[0].visits)
	line("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, m := range measured {
		line("| %s | %.0f | %.1f | %s | %.1f | %.1f | %s | %.1f | %.0f |", m.name, float64(m.visits)/m.took.Seconds(),
			m.perVisit(m.workerCPU), m.databaseText(), m.writesPer(""), m.writesPer("river"), m.walText(), float64(m.size)/(1<<20), float64(m.peak)/1024)
	}
	line("")
	line("Four processes with `RateLimit: %d` on one PostgreSQL, against a server that allows as much and sends no headers:", perSecond)
	line("")
	line("| server | answered a second | of the limit | refused |")
	line("|---|--:|--:|--:|")
	for _, l := range limited {
		line("| %s | %.1f | %.1f %% | %.2f %% |", l.name, l.perSecond, 100*l.perSecond/perSecond, 100*l.refused)
	}
	return b.String()
}

func (m *measurement) perVisit(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000 / float64(m.visits)
}

func (m *measurement) databaseText() string {
	if !m.postgres {
		return "–"
	}
	return fmt.Sprintf("%.1f", m.perVisit(m.databaseCPU))
}

func (m *measurement) walText() string {
	if !m.postgres {
		return fmt.Sprintf("%.1f MiB at most", float64(m.wal)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB a visit", float64(m.wal)/1024/float64(m.visits))
}

func (m *measurement) writesPer(prefix string) float64 {
	n := int64(0)
	for table, writes := range m.writes {
		if strings.HasPrefix(table, prefix) {
			n += writes
		}
	}
	return float64(n) / float64(m.visits)
}

// writeSection puts the section in the file, in place of the last one.
func writeSection(path, text string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, _ := strings.Cut(strings.TrimRight(string(content), "\n"), "\n"+heading)
	if _, after, found := strings.Cut(rest, "\n## "); found {
		text += "\n## " + after + "\n"
	}
	return os.WriteFile(path, []byte(strings.TrimRight(before, "\n")+"\n\n"+text), 0o644)
}
