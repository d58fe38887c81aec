//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// canary stands in all patients, recordings and transcripts, which may not be at rest.
const canary = "CanaryOfKilltest"

// work runs the pipeline until it is killed, or gets SIGTERM.
func work(args []string) {
	database, api, inbox := args[0], args[1], args[2]
	lease, err := time.ParseDuration(args[3])
	if err == nil {
		err = runWorker(database, api, inbox, lease)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runWorker(database, api, inbox string, lease time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := ambient.NewClient(ambient.WithBaseURL(api))
	if err != nil {
		return err
	}
	config := pipeline.Config{
		Client: client, Source: pipeline.SourceFunc(source), Lease: lease,
		Deliver: func(ctx context.Context, r *pipeline.Result) error { return deliver(ctx, inbox, r) },
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	var p *pipeline.Pipeline
	for { // the database may be away, and Open does not wait
		if p, err = pipeline.Open(ctx, database, config); err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, err)
		time.Sleep(200 * time.Millisecond)
	}
	defer p.Close()
	return p.Run(ctx, lease)
}

func source(_ context.Context, key string) (*pipeline.Visit, error) {
	r := slowAudio{sha256.Sum256([]byte(key))}
	return &pipeline.Visit{
		Audio:       ambient.AudioReaderAt("visit.mp3", r, audioSize),
		PatientName: canary + " " + key, AdditionalContext: map[string]string{"note": canary}, TemplateIDs: []int64{7},
	}, nil
}

const audioSize = 256 << 10

// slowAudio is a synthetic recording that takes a while to read, so that a kill hits the upload.
type slowAudio struct{ seed [32]byte }

func (a slowAudio) ReadAt(p []byte, at int64) (int, error) {
	n := int(min(int64(len(p)), audioSize-at))
	if n <= 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Duration(n) * time.Second / audioSize)
	header := "ID3 synthetic " + canary
	for i := range n {
		if pos := at + int64(i); pos < int64(len(header)) {
			p[i] = header[pos]
		} else {
			p[i] = a.seed[pos%32]
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// deliver hands a result to the inbox, which takes it whatever comes after.
func deliver(ctx context.Context, inbox string, r *pipeline.Result) error {
	form := url.Values{"key": {r.Key}, "transcript": {fmt.Sprint(r.Transcript.ID)}, "note": {fmt.Sprint(r.Note.ID)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, inbox+"?"+form.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
