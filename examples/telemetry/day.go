package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambientotel"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// A clinic submits visits and waits for their notes.
type clinic struct {
	server *ambienttest.Server
	client *ambient.Client
	tracer trace.Tracer
	log    *slog.Logger
}

// newClinic connects the SDK with OpenTelemetry. These two options are all it takes.
func newClinic(server *ambienttest.Server, t *telemetry) (*clinic, error) {
	logger := otelslog.NewLogger("clinic", otelslog.WithLoggerProvider(t.loggers))
	client, err := ambient.NewClient(
		ambient.WithBaseURL(server.URL),
		ambient.WithCredentials(server.Username, server.Password),
		ambient.WithLogger(logger),
		ambientotel.Instrument(ambientotel.WithTracerProvider(t.tracers), ambientotel.WithMeterProvider(t.meters)),
	)
	if err != nil {
		return nil, err
	}
	return &clinic{server: server, client: client, tracer: t.tracers.Tracer("clinic"), log: logger}, nil
}

// A visit is what a submit meets. The zero value goes well.
type visit struct {
	title   string
	trouble ambienttest.Fault // of its first request
	pause   time.Duration     // before each tenth of the upload
}

// badDay has a visit for each trouble.
var badDay = []visit{
	{title: "a visit that the rate limit holds up", trouble: ambienttest.RetryAfter(429, "1")},
	{title: "a visit that meets a 503", trouble: ambienttest.RetryAfter(503, "1")},
	{title: "a visit whose answer is lost", trouble: ambienttest.Fault{Process: true, Delay: 200 * time.Millisecond, Reset: ambienttest.ResetAfterRead}},
	{title: "a visit that may have two jobs", trouble: ambienttest.Fault{Process: true, Status: 502, Body: `{"detail": "upload for ` + patient + ` failed"}`}},
	{title: "a visit with a slow upload", pause: 100 * time.Millisecond},
}

func (c *clinic) liveBadDay(ctx context.Context) {
	for _, v := range badDay {
		if ctx.Err() == nil {
			c.live(ctx, v)
		}
	}
}

// live has one trace. The submit and both waits are in the span that begins here, and
// so is the log, since each line gets the context.
func (c *clinic) live(ctx context.Context, v visit) {
	ctx, span := c.tracer.Start(ctx, v.title)
	defer span.End()
	const submit = "POST /transcribe"
	c.server.Fault(submit, len(c.server.RequestsTo(submit))+1, v.trouble)

	err := c.transcribe(ctx, v)
	switch {
	case err == nil:
		return
	case ambient.MaybeSubmitted(err):
		c.log.WarnContext(ctx, "a person asks before this visit is submitted again", "error", err)
	default:
		c.log.ErrorContext(ctx, "the visit has no note", "error", err)
	}
	span.SetStatus(codes.Error, "")
}

func (c *clinic) transcribe(ctx context.Context, v visit) error {
	pace := ambient.WithPollInterval(100*time.Millisecond, time.Second) // keeps the day short
	transcript, err := c.client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
		Audio: v.audio(), PatientName: patient, DateOfService: date, AdditionalContext: map[string]string{"reason": reason},
	}, pace)
	if err != nil {
		return err
	}
	note, err := c.client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
		TemplateIDs: []int64{1}, Transcripts: []string{transcript.RawText}, PatientName: patient, DateOfService: date,
	}, pace)
	if err != nil {
		return err
	}
	c.log.InfoContext(ctx, "the visit has a note", "note", note) // a logged note shows its id, state and size
	return nil
}

// None of this appears in a span, a metric or a log. It is synthetic.
const (
	patient = "Alexandra Example"
	reason  = "synthetic insomnia"
	file    = "alexandra-example.mp3"
)

var date = time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)

func (v visit) audio() ambient.Audio {
	recording := append([]byte("ID3 synthetic recording "), make([]byte, 200_000)...)
	if v.pause == 0 {
		return ambient.AudioBytes(file, recording)
	}
	slow := slowReader{bytes.NewReader(recording), len(recording)/10 + 1, v.pause}
	return ambient.AudioReaderSize(file, slow, int64(len(recording)))
}

// A slowReader pauses before each part.
type slowReader struct {
	io.Reader
	part  int
	pause time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(r.pause)
	return io.ReadFull(r.Reader, p[:min(len(p), r.part)])
}
