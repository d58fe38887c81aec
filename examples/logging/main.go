// Logging writes a structured log of its calls to stderr and metrics to stdout.
// It calls a fake API that fails once and then refuses a request because of its
// rate limit.
//
//	go run ./examples/logging [-json] [-level debug|info|warn]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// metrics counts events. A real application passes the same numbers to its metrics
// library. They hold no patient data.
type metrics struct {
	mu        sync.Mutex // observers run in the goroutines of all calls
	events    map[ambient.EventKind]int
	answers   map[string]int // requests by endpoint and status
	durations [4]int         // requests by the bounds below
	backoff   time.Duration
	limited   time.Duration
}

var bounds = [...]time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second}

func newMetrics() *metrics {
	return &metrics{events: map[ambient.EventKind]int{}, answers: map[string]int{}}
}

func (m *metrics) observe(_ context.Context, e ambient.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[e.Kind]++
	switch e.Kind {
	case ambient.EventAttempt:
		m.answers[fmt.Sprintf("%s: %d", e.Endpoint(), e.Attempt.StatusCode)]++ // the endpoint has no id, so the number of metrics stays small
		slot, _ := slices.BinarySearch(bounds[:], e.Attempt.Duration)
		m.durations[slot]++
	case ambient.EventRetry:
		m.backoff += e.Wait
	case ambient.EventLimitWait:
		m.limited += e.Wait
	}
}

func (m *metrics) print(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(w, "events")
	for _, kind := range slices.Sorted(maps.Keys(m.events)) {
		fmt.Fprintf(w, "  %-28s %d\n", kind, m.events[kind])
	}
	fmt.Fprintln(w, "requests")
	for _, answer := range slices.Sorted(maps.Keys(m.answers)) {
		fmt.Fprintf(w, "  %-28s %d\n", answer, m.answers[answer])
	}
	fmt.Fprintln(w, "request durations")
	for i, n := range m.durations {
		if i < len(bounds) {
			fmt.Fprintf(w, "  %-28s %d\n", "up to "+bounds[i].String(), n)
		} else {
			fmt.Fprintf(w, "  %-28s %d\n", "longer", n)
		}
	}
	fmt.Fprintln(w, "waited")
	fmt.Fprintf(w, "  %-28s %v\n", "to repeat", m.backoff.Round(time.Millisecond))
	fmt.Fprintf(w, "  %-28s %v\n", "for the rate limit", m.limited.Round(time.Millisecond))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("logging", flag.ExitOnError)
	asJSON := flags.Bool("json", false, "log in JSON")
	var level slog.Level
	flags.TextVar(&level, "level", slog.LevelInfo, "least level to log: info shows what makes calls slow, debug shows each request")
	flags.Parse(args)
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(stderr, options)
	if *asJSON {
		handler = slog.NewJSONHandler(stderr, options)
	}

	server := ambienttest.NewServer(ambienttest.WithJobTime(10 * time.Millisecond))
	defer server.Close()
	server.Fault("POST /transcribe", 1, ambienttest.Answer(503))
	server.Fault("GET /transcribe/{id}", 1, ambienttest.Answer(429))

	metrics := newMetrics()
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
		ambient.WithRetryPolicy(ambient.RetryPolicy{BaseDelay: 50 * time.Millisecond}), // keeps the demonstration short
		ambient.WithLogger(slog.New(handler).With("service", "ambient")),
		ambient.WithObserver(metrics.observe),
	)
	if err != nil {
		return err
	}
	transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
		Audio: ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic audio")),
	}, ambient.WithPollInterval(10*time.Millisecond, time.Second))
	if err != nil {
		return err
	}
	// A logged result shows its id, state and size.
	slog.New(handler).Info("visit transcribed", "transcription", transcript)
	metrics.print(stdout)
	return nil
}
