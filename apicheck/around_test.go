package apicheck

import (
	"context"
	"database/sql"
	"io"
	"iter"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/pipeline"
)

// Options of calls and waits, errors and the hook of tracers.
var (
	_ func(name string, r io.Reader, size int64) ambient.Audio = ambient.AudioReaderSize
	_ func(n int) ambient.CallOption                           = ambient.WithMaxAttempts
	_ func(time.Duration) ambient.CallOption                   = ambient.WithMaxLimitWait
	_ func(time.Duration) ambient.WaitOption                   = ambient.WithMaxOutage
	_ func(func(context.Context) error) ambient.CallOption     = ambient.WithCommit
	_ func(error) bool                                         = ambient.Retryable
	_ func(error) bool                                         = ambient.MaybeSubmitted
	_ func(error) string                                       = ambient.SupportReport

	_ error = &ambient.CredentialsError{Source: "WithTokenSource"}
	_       = ambient.NetworkError{Method: "GET"}
	_       = ambient.DecodeError{Method: "GET"}
	_       = ambient.Operation{Kind: "call", Method: "GET", Endpoint: "GET /transcribe/{id}", Number: 1, JobID: 7, ServerAddress: "host", ServerPort: 443}
	_       = []ambient.EventKind{ambient.EventCall, ambient.EventJob}
)

// Package ambientotel.
var (
	_ func(...ambientotel.Option) ambient.Option    = ambientotel.Instrument
	_ func(trace.TracerProvider) ambientotel.Option = ambientotel.WithTracerProvider
	_ func(metric.MeterProvider) ambientotel.Option = ambientotel.WithMeterProvider
)

// Package pipeline.
type pipe = *pipeline.Pipeline

var (
	_ func(ctx context.Context, databaseURL string, c pipeline.Config) (pipe, error)   = pipeline.Open
	_ func(pipe, context.Context, ...string) (int, error)                              = pipe.Add
	_ func(pipe, context.Context, *sql.Tx, ...string) (int, error)                     = pipe.AddTx
	_ func(pipe, context.Context, time.Duration) error                                 = pipe.Run
	_ func(pipe, context.Context) error                                                = pipe.Drain
	_ func(pipe, context.Context, string) (time.Duration, error)                       = pipe.Step
	_ func(pipe, context.Context, ...pipeline.State) iter.Seq2[pipeline.Status, error] = pipe.Visits
	_ func(pipe, context.Context, string, pipeline.Decision) error                     = pipe.Resolve
	_ func(pipe) error                                                                 = pipe.Close
	_ pipeline.Source                                                                  = source{}

	_ = pipeline.Config{
		Client: (*ambient.Client)(nil), Source: source{},
		Deliver:  func(context.Context, *pipeline.Result) error { return nil },
		Parallel: 4, Lease: time.Minute, Resubmit: false, RateLimit: 1.5, PathKeys: false,
		DeliverTx: func(context.Context, *sql.Tx, *pipeline.Result) error { return nil },
		Logger:    (*slog.Logger)(nil),
	}
	_ = pipeline.Visit{Audio: ambient.AudioFile("visit.mp3"), PatientName: "", DateOfService: time.Time{}, AdditionalContext: nil, TemplateIDs: []int64{1}}
	_ = pipeline.Result{Key: "", Transcript: (*ambient.Transcription)(nil), Note: (*ambient.Scribe)(nil), PossibleDuplicate: false}
	_ = pipeline.Decision{Adopt: 1, Resubmit: false, Drop: false}
	_ = pipeline.Status{Key: "", Stage: "note", State: pipeline.Todo, TranscriptID: 1, NoteID: 2, NotBefore: time.Time{}, Submitted: time.Time{}, Reason: ""}
)

const (
	_ pipeline.State = pipeline.Todo
	_                = pipeline.Sent
	_                = pipeline.Waiting
	_                = pipeline.Done
	_                = pipeline.Unknown
	_                = pipeline.Failed
)

type source struct{}

func (source) Visit(context.Context, string) (*pipeline.Visit, error) { return nil, nil }
