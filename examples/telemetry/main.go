// Telemetry lives a bad day with the SDK and shows what OpenTelemetry sees of it. It
// calls an embedded fake API, which refuses, fails, loses an answer and is slow. It
// prints the traces as trees, the log with its trace ids, and the metrics.
//
//	go run -C examples/telemetry . [-listen 127.0.0.1:9464]
//
// With -listen it repeats the day until it is interrupted, and serves /metrics for a
// Prometheus and for the dashboard in dashboard.json.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("telemetry", flag.ExitOnError)
	listen := flags.String("listen", "", "repeat the day, and serve /metrics on this address until interrupted")
	flags.Parse(args)

	telemetry, err := newTelemetry()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cmp.Or(*listen, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	site := &http.Server{Handler: telemetry.site(), ReadHeaderTimeout: 10 * time.Second}
	defer site.Close()
	go site.Serve(listener)
	page := "http://" + listener.Addr().String() + "/metrics"
	if *listen != "" {
		fmt.Fprintf(stdout, "The metrics are at %s.\n\n", page)
	}

	server := ambienttest.NewServer(ambienttest.WithJobTime(300 * time.Millisecond))
	defer server.Close()
	clinic, err := newClinic(server, telemetry)
	if err != nil {
		return err
	}
	clinic.liveBadDay(ctx)
	if err := telemetry.print(ctx, stdout, page); err != nil {
		return err
	}
	for *listen != "" && ctx.Err() == nil {
		telemetry.forget()
		clinic.liveBadDay(ctx)
	}
	return nil
}
