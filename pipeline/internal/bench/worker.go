//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// Of a worker.
const (
	parallel  = 16
	audioSize = 16 << 10
)

// work drains a database.
func work(args []string) error {
	client, err := ambient.NewClient(ambient.WithBaseURL(args[1]))
	if err != nil {
		return err
	}
	rateLimit, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	audio := append([]byte("ID3 synthetic "), bytes.Repeat([]byte{0}, audioSize)...)
	p, err := pipeline.Open(context.Background(), args[0], pipeline.Config{
		Client: client, Parallel: parallel, RateLimit: rateLimit,
		Source: pipeline.SourceFunc(func(_ context.Context, key string) (*pipeline.Visit, error) {
			return &pipeline.Visit{Audio: ambient.AudioBytes("visit.mp3", audio), PatientName: "Synthetic " + key, TemplateIDs: []int64{7}}, nil
		}),
		Deliver: func(context.Context, *pipeline.Result) error { return nil },
	})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Drain(context.Background()); err != nil {
		return err
	}
	for s, err := range p.Visits(context.Background()) {
		if err != nil {
			return err
		}
		if s.State != pipeline.Done {
			return fmt.Errorf("a visit is %s: %s", s.State, s.Reason)
		}
	}
	return nil
}
