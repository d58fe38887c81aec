// Package apicheck uses every exported name, type and signature of the SDK, from another
// module as a caller does. A change that breaks callers breaks this build first.
package apicheck

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

const _ string = ambient.DefaultBaseURL

// The client and its options.
var (
	_ func(...ambient.Option) (*ambient.Client, error)                                                     = ambient.NewClient
	_ func(*ambient.Client, context.Context) error                                                         = (*ambient.Client).Authenticate
	_ func(*ambient.Client, context.Context, string, string, any, any, ...ambient.CallOption) error        = (*ambient.Client).Do
	_ func(*ambient.Client)                                                                                = (*ambient.Client).CloseIdleConnections
	_ func(username, password string) ambient.Option                                                       = ambient.WithCredentials
	_ func(func(context.Context) (username, password string, err error)) ambient.Option                    = ambient.WithCredentialsFunc
	_ func(token string) ambient.Option                                                                    = ambient.WithToken
	_ func(ambient.TokenSource) ambient.Option                                                             = ambient.WithTokenSource
	_ func(url string) ambient.Option                                                                      = ambient.WithBaseURL
	_ func(*http.Client) ambient.Option                                                                    = ambient.WithHTTPClient
	_ func(key, value string) ambient.Option                                                               = ambient.WithHeader
	_ func(ambient.RetryPolicy) ambient.Option                                                             = ambient.WithRetryPolicy
	_ func(perSecond float64, burst int) ambient.Option                                                    = ambient.WithRateLimit
	_ func(ambient.Limiter) ambient.Option                                                                 = ambient.WithLimiter
	_ func(*slog.Logger) ambient.Option                                                                    = ambient.WithLogger
	_ func(func(context.Context, ambient.Event)) ambient.Option                                            = ambient.WithObserver
	_ func(func(context.Context, ambient.Operation) (context.Context, func(ambient.Event))) ambient.Option = ambient.WithTracer
	_ func(time.Duration) ambient.Option                                                                   = ambient.WithStallTimeout
	_ func(time.Duration) ambient.Option                                                                   = ambient.WithResponseTimeout
	_ func(product string) ambient.Option                                                                  = ambient.WithUserAgent
	_ func(value string, expiry time.Time) ambient.Token                                                   = ambient.NewToken
	_ func(ambient.Token) string                                                                           = ambient.Token.Value
	_ func(ambient.Token) time.Time                                                                        = ambient.Token.Expiry
)

// The services.
type (
	transcriptions = *ambient.TranscriptionsService
	scribes        = *ambient.ScribesService
)

var (
	_ func(transcriptions, context.Context, *ambient.TranscriptionRequest, ...ambient.CallOption) (*ambient.TranscriptionSubmission, error) = transcriptions.Submit
	_ func(transcriptions, context.Context, int64, ...ambient.CallOption) (*ambient.Transcription, error)                                   = transcriptions.Get
	_ func(transcriptions, context.Context, int64, ...ambient.WaitOption) (*ambient.Transcription, error)                                   = transcriptions.Wait
	_ func(transcriptions, context.Context, []int64, ...ambient.WaitOption) iter.Seq2[*ambient.Transcription, error]                        = transcriptions.WaitAll
	_ func(transcriptions, context.Context, *ambient.TranscriptionRequest, ...ambient.WaitOption) (*ambient.Transcription, error)           = transcriptions.SubmitAndWait

	_ func(scribes, context.Context, *ambient.ScribeRequest, ...ambient.CallOption) (*ambient.ScribeSubmission, error) = scribes.Create
	_ func(scribes, context.Context, int64, ...ambient.CallOption) (*ambient.Scribe, error)                            = scribes.Get
	_ func(scribes, context.Context, int64, []ambient.Audio, ...ambient.CallOption) (*ambient.ScribeSubmission, error) = scribes.RegenerateFromAudio
	_ func(scribes, context.Context, int64, ...ambient.WaitOption) (*ambient.Scribe, error)                            = scribes.Wait
	_ func(scribes, context.Context, []int64, ...ambient.WaitOption) iter.Seq2[*ambient.Scribe, error]                 = scribes.WaitAll
	_ func(scribes, context.Context, *ambient.ScribeRequest, ...ambient.WaitOption) (*ambient.Scribe, error)           = scribes.CreateAndWait
)

// Results, audio sources, options of calls and waits.
var (
	_ func(ambient.TranscriptionSubmission) bool = ambient.TranscriptionSubmission.PossibleDuplicate
	_ func(ambient.ScribeSubmission) bool        = ambient.ScribeSubmission.PossibleDuplicate
	_ func(*ambient.Transcription, any) error    = (*ambient.Transcription).Decode
	_ func(*ambient.Transcription) bool          = (*ambient.Transcription).Done
	_ func(*ambient.Transcription) error         = (*ambient.Transcription).Err
	_ func(*ambient.Scribe, any) error           = (*ambient.Scribe).Decode
	_ func(*ambient.Scribe) bool                 = (*ambient.Scribe).Done
	_ func(*ambient.Scribe) error                = (*ambient.Scribe).Err
	_ json.Marshaler                             = ambient.Transcription{}
	_ json.Marshaler                             = ambient.Scribe{}
	_ json.Marshaler                             = ambient.TranscriptionSubmission{}
	_ json.Marshaler                             = ambient.ScribeSubmission{}
	_ json.Unmarshaler                           = (*ambient.Transcription)(nil)
	_ json.Unmarshaler                           = (*ambient.Scribe)(nil)

	_ func(path string) ambient.Audio                            = ambient.AudioFile
	_ func(fsys fs.FS, name string) ambient.Audio                = ambient.AudioFS
	_ func(name string, b []byte) ambient.Audio                  = ambient.AudioBytes
	_ func(name string, r io.ReaderAt, size int64) ambient.Audio = ambient.AudioReaderAt
	_ func(name string, r io.Reader) ambient.Audio               = ambient.AudioReader
	_ func(a ambient.Audio, mime string) ambient.Audio           = ambient.Audio.WithContentType
	_ func(a ambient.Audio, name string) ambient.Audio           = ambient.Audio.WithUploadName

	_ func(func(sent, total int64)) ambient.CallOption = ambient.WithProgress
	_ func(*ambient.CallInfo) ambient.CallOption       = ambient.WithCallInfo
	_ func(min, max time.Duration) ambient.WaitOption  = ambient.WithPollInterval
	_ func(func(ambient.PollEvent)) ambient.WaitOption = ambient.WithOnPoll
	_ ambient.WaitOption                               = ambient.CallOption(nil)

	_ ambient.TokenSource = tokenSource{}
	_ ambient.Limiter     = limiter{}
)

// What a caller implements.
type tokenSource struct{}

func (tokenSource) Token(context.Context) (ambient.Token, error) { return ambient.Token{}, nil }
func (tokenSource) Invalidate(stale ambient.Token)               {}

type limiter struct{}

func (limiter) Wait(context.Context) error { return nil }

// Structs with all their fields.
var (
	when  time.Time
	wait  time.Duration
	count int64

	_ = ambient.Client{Transcriptions: transcriptions(nil), Scribes: scribes(nil)}
	_ = ambient.RetryPolicy{MaxAttempts: int(0), BaseDelay: wait, MaxDelay: wait, MaxServerDelay: wait, MaxLimitWait: wait, Submits: ambient.RetryDocumented}
	_ = ambient.TranscriptionRequest{Audio: ambient.Audio{}, PatientName: "", DateOfService: when, AdditionalContext: any(nil)}
	_ = ambient.ScribeRequest{TemplateIDs: []int64{}, Audio: []ambient.Audio{}, Transcripts: []string{}, PatientName: "", DateOfService: when, AdditionalContext: any(nil)}
	_ = ambient.TranscriptionSubmission{ID: count, SubmittedAt: when, Call: ambient.CallInfo{}}
	_ = ambient.ScribeSubmission{ID: count, Status: ambient.ScribeStatus(""), SubmittedAt: when, Call: ambient.CallInfo{}}
	_ = ambient.Transcription{
		ID: count, Status: ambient.TranscriptionStatus(""), RawText: "", CreatedAt: when, UpdatedAt: when, WorkflowID: count, ErrorMessage: "",
		Extra: map[string]json.RawMessage{}, Submission: &ambient.TranscriptionSubmission{}, Call: ambient.CallInfo{},
	}
	_ = ambient.Scribe{
		ID: count, Status: ambient.ScribeStatus(""), SubmittedAt: when,
		Extra: map[string]json.RawMessage{}, Submission: &ambient.ScribeSubmission{}, Call: ambient.CallInfo{},
	}
	_ = ambient.CallInfo{RequestID: "", Header: http.Header{}, RateLimit: &ambient.RateLimit{}, Attempts: []ambient.Attempt{}}
	_ = ambient.RateLimit{Limit: count, Remaining: count, ResetAt: when}
	_ = ambient.Attempt{Start: when, Duration: wait, StatusCode: int(0), Err: error(nil), Wait: wait, BytesSent: count, Sent: ambient.Delivery(0), ConnReused: false}
	_ = ambient.APIError{
		StatusCode: int(0), Detail: "", Fields: []ambient.FieldError{}, Method: "", Route: "", RequestID: "",
		Time: when, RetryAfter: wait, Attempts: []ambient.Attempt{}, Header: http.Header{},
	}
	_ = ambient.FieldError{Path: "", Message: "", Type: ""}
	_ = ambient.RateLimitError{APIError: &ambient.APIError{}, ResetAt: when, Limit: count, Remaining: count}
	_ = ambient.NetworkError{Route: "", Sent: ambient.Delivery(0), Attempts: []ambient.Attempt{}}
	_ = ambient.DecodeError{StatusCode: int(0), Route: ""}
	_ = ambient.RequestError{Field: "", Problem: ""}
	_ = ambient.AudioError{Part: int(0), Offset: count}
	_ = ambient.TranscriptionFailedError{Transcription: &ambient.Transcription{}}
	_ = ambient.TranscriptionIncompleteError{Transcription: &ambient.Transcription{}}
	_ = ambient.ScribeFailedError{Scribe: &ambient.Scribe{}}
	_ = ambient.WaitError{ID: count, LastStatus: "", Polls: int(0)}
	_ = ambient.PollEvent{}
	_ = ambient.Event{}
	_ = ambient.Operation{Kind: "", Method: "", Endpoint: "", Number: int(0), JobID: count, ServerAddress: "", ServerPort: int(0)}
)

// Constants.
var (
	_ = [...]ambient.Delivery{ambient.NotSent, ambient.PartlySent, ambient.FullySent, ambient.Answered}
	_ = [...]ambient.SubmitRetry{ambient.RetryDocumented, ambient.RetrySafe}
)

func TestStatuses(t *testing.T) {
	for got, want := range map[ambient.TranscriptionStatus]string{
		ambient.TranscriptionDetectedFile: "DETECTED_FILE",
		ambient.TranscriptionProcessing:   "STT_PROCESSING",
		ambient.TranscriptionCompleted:    "STT_COMPLETED",
		ambient.TranscriptionError:        "STT_ERROR",
		ambient.TranscriptionIncomplete:   "STT_INCOMPLETE",
	} {
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for got, want := range map[ambient.ScribeStatus]string{
		ambient.ScribeInProgress: "IN_PROGRESS",
		ambient.ScribeCompleted:  "COMPLETED",
		ambient.ScribeFailed:     "FAILED",
	} {
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Errors. errors.As finds each by its pointer type, and those with a status as *APIError too.
var (
	_ func(error) bool               = ambient.Retryable
	_ func(error) bool               = ambient.MaybeSubmitted
	_ func(error) string             = ambient.SupportReport
	_ func(*ambient.APIError) []byte = (*ambient.APIError).Body
	_ net.Error                      = (*ambient.NetworkError)(nil)
)

func TestErrors(t *testing.T) {
	api := &ambient.APIError{}
	match[*ambient.APIError](t, api, false)
	match[*ambient.BadRequestError](t, &ambient.BadRequestError{APIError: api}, true)
	match[*ambient.UnauthorizedError](t, &ambient.UnauthorizedError{APIError: api}, true)
	match[*ambient.ForbiddenError](t, &ambient.ForbiddenError{APIError: api}, true)
	match[*ambient.NotFoundError](t, &ambient.NotFoundError{APIError: api}, true)
	match[*ambient.ConflictError](t, &ambient.ConflictError{APIError: api}, true)
	match[*ambient.ValidationError](t, &ambient.ValidationError{APIError: api}, true)
	match[*ambient.RateLimitError](t, &ambient.RateLimitError{APIError: api}, true)
	match[*ambient.InternalServerError](t, &ambient.InternalServerError{APIError: api}, true)
	match[*ambient.BadGatewayError](t, &ambient.BadGatewayError{APIError: api}, true)
	match[*ambient.ServiceUnavailableError](t, &ambient.ServiceUnavailableError{APIError: api}, true)
	match[*ambient.GatewayTimeoutError](t, &ambient.GatewayTimeoutError{APIError: api}, true)
	match[*ambient.NetworkError](t, &ambient.NetworkError{}, false)
	match[*ambient.DecodeError](t, &ambient.DecodeError{}, false)
	match[*ambient.RequestError](t, &ambient.RequestError{}, false)
	match[*ambient.AudioError](t, &ambient.AudioError{}, false)
	match[*ambient.TranscriptionFailedError](t, &ambient.TranscriptionFailedError{}, false)
	match[*ambient.TranscriptionIncompleteError](t, &ambient.TranscriptionIncompleteError{}, false)
	match[*ambient.ScribeFailedError](t, &ambient.ScribeFailedError{}, false)
	match[*ambient.WaitError](t, &ambient.WaitError{}, false)
}

// match finds an error of a type in a chain. A nil error of that type prints too.
func match[E error](t *testing.T, err E, isAPI bool) {
	t.Helper()
	chain := errors.Join(io.EOF, err)
	var as E
	if !errors.As(chain, &as) {
		t.Errorf("errors.As does not find %T", err)
	}
	if _, ok := errors.AsType[E](chain); !ok {
		t.Errorf("errors.AsType does not find %T", err)
	}
	if _, ok := errors.AsType[*ambient.APIError](chain); isAPI && !ok {
		t.Errorf("%T is no *APIError", err)
	}
	var none E
	if none.Error() == "" {
		t.Errorf("a nil %T has no text", none)
	}
	ambient.Retryable(none)
	ambient.MaybeSubmitted(none)
	ambient.SupportReport(none)
}

func TestSubmitAndWait(t *testing.T) {
	server := ambienttest.Start(t, ambienttest.WithJobTime(0), ambienttest.WithTranscript("Synthetic visit."))
	client, err := ambient.NewClient(ambient.WithBaseURL(server.URL), ambient.WithCredentials(server.Username, server.Password))
	if err != nil {
		t.Fatal(err)
	}
	soon := ambient.WithPollInterval(time.Millisecond, time.Millisecond)
	recording := "ID3 synthetic audio"
	for _, audio := range []ambient.Audio{
		ambient.AudioBytes("visit.mp3", []byte(recording)),
		ambient.AudioFS(fstest.MapFS{"visit.mp3": {Data: []byte(recording)}}, "visit.mp3"),
		ambient.AudioReaderAt("visit.mp3", strings.NewReader(recording), int64(len(recording))),
		ambient.AudioReader("visit.mp3", strings.NewReader(recording)),
	} {
		transcript, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{Audio: audio}, soon)
		if err != nil || transcript.RawText != "Synthetic visit." {
			t.Fatal(transcript, err)
		}
	}
	scribe, err := client.Scribes.CreateAndWait(t.Context(), &ambient.ScribeRequest{TemplateIDs: []int64{1}, Transcripts: []string{"Synthetic visit."}}, soon)
	if err != nil || len(scribe.Extra) == 0 {
		t.Fatal(scribe, err)
	}
}
