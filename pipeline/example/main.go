// Example takes ten synthetic visits from their recordings to their notes.
//
//	go run ./example                               SQLite in a temporary file, in this process
//	DATABASE_URL=postgres://… go run ./example     PostgreSQL, as a fleet of two processes
//
// Without AMBIENT_USERNAME and AMBIENT_PASSWORD it talks to an embedded fake API.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, len(os.Args) > 1 && os.Args[1] == "worker")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, worker bool) error {
	dir, err := os.MkdirTemp("", "pipeline-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if os.Getenv("AMBIENT_USERNAME") == "" {
		server := fakeAPI()
		defer server.Close()
	}
	p, err := open(ctx, cmp.Or(os.Getenv("DATABASE_URL"), "sqlite:"+filepath.Join(dir, "visits.db")))
	if err != nil {
		return err
	}
	defer p.Close()
	if worker {
		return p.Run(ctx, time.Minute)
	}
	if err := addVisits(ctx, p); err != nil {
		return err
	}
	if os.Getenv("DATABASE_URL") != "" {
		err = runFleet(ctx, p)
	} else {
		err = p.Drain(ctx)
	}
	if err != nil {
		return err
	}
	return report(ctx, p)
}

// fakeAPI starts an API for this process and those that it starts.
func fakeAPI() *ambienttest.Server {
	fmt.Fprintln(os.Stderr, "AMBIENT_USERNAME is not set: talking to an embedded fake API, with synthetic data")
	server := ambienttest.NewServer(ambienttest.WithJobTime(2 * time.Second))
	os.Setenv("AMBIENT_BASE_URL", server.URL)
	os.Setenv("AMBIENT_USERNAME", server.Username)
	os.Setenv("AMBIENT_PASSWORD", server.Password)
	return server
}

func open(ctx context.Context, databaseURL string) (*pipeline.Pipeline, error) {
	client, err := ambient.NewClient()
	if err != nil {
		return nil, err
	}
	return pipeline.Open(ctx, databaseURL, pipeline.Config{
		Client:  client,
		Source:  pipeline.SourceFunc(visit),
		Deliver: deliver,
		Lease:   5 * time.Second,
	})
}

// visit is what the application knows of a visit, which is where its recording is, and whose it is.
func visit(context.Context, string) (*pipeline.Visit, error) {
	return &pipeline.Visit{
		Audio:         ambient.AudioFile("../testdata/visit.mp3"),
		PatientName:   "Alex Example",
		DateOfService: time.Now(),
		TemplateIDs:   []int64{1},
	}, nil
}

// deliver stores a result. It may be called twice for a key.
func deliver(_ context.Context, r *pipeline.Result) error {
	fmt.Printf("process %d delivers %s: a transcript of %d bytes, and note %d\n", os.Getpid(), r.Key, len(r.Transcript.RawText), r.Note.ID)
	return nil
}

func addVisits(ctx context.Context, p *pipeline.Pipeline) error {
	batch := rand.Text()[:6]
	for i := range 10 {
		if _, err := p.Add(ctx, fmt.Sprintf("visit-%s-%d", batch, i+1)); err != nil {
			return err
		}
	}
	return nil
}

// runFleet lets two processes work until nothing is left to do.
func runFleet(ctx context.Context, p *pipeline.Pipeline) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	for range 2 {
		cmd := exec.Command(exe, "worker")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		defer cmd.Wait()
		defer cmd.Process.Signal(os.Interrupt)
	}
	for {
		left, err := count(ctx, p, pipeline.Todo, pipeline.Sent, pipeline.Waiting)
		if err != nil || left == 0 {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func count(ctx context.Context, p *pipeline.Pipeline, states ...pipeline.State) (n int, err error) {
	for _, err := range p.Visits(ctx, states...) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func report(ctx context.Context, p *pipeline.Pipeline) error {
	for status, err := range p.Visits(ctx, pipeline.Unknown, pipeline.Failed) {
		if err != nil {
			return err
		}
		fmt.Printf("%s is %s: %s\n", status.Key, status.State, status.Reason)
	}
	done, err := count(ctx, p, pipeline.Done)
	fmt.Printf("%d visits are done\n", done)
	return err
}
