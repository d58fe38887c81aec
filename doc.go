// Package ambient is a client of the Ambient AI Scribe API. The API turns the recording
// of a medical visit into a transcript and a clinical note.
//
// # Getting started
//
// This program reads the credentials from AMBIENT_USERNAME and AMBIENT_PASSWORD.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		ambient "github.com/ambient-scribe/ambient-go"
//	)
//
//	func main() {
//		client, err := ambient.NewClient()
//		if err != nil {
//			log.Fatal(err)
//		}
//		ctx := context.Background()
//		transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
//			Audio: ambient.AudioFile("visit.mp3"),
//		})
//		if err != nil {
//			log.Fatal(err) // safe to log
//		}
//		if transcript.Submission.PossibleDuplicate() {
//			log.Print("the service may hold this visit twice, so a person must look")
//		}
//		note, err := client.Scribes.CreateAndWait(ctx, &ambient.ScribeRequest{
//			TemplateIDs: []int64{123}, // a template of your account
//			Transcripts: []string{transcript.RawText},
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		for field, value := range note.Extra {
//			fmt.Printf("%s: %s\n", field, value)
//		}
//	}
//
// Share one [Client] in a program. It is safe for concurrent use.
//
// # Jobs
//
// A submit uploads the recording and returns the id of a job. A wait polls the job
// until it has ended. SubmitAndWait and CreateAndWait do both. Wait needs only the id,
// so another process can call it. WaitAll waits for many ids at once.
//
// The first poll of a new job comes after 1 s, and Wait polls at once. The time between
// two polls is an eighth of the job's age, at least 1 s and at most 60 s. Set these
// bounds with [WithPollInterval]. A Retry-After of the server replaces the interval. A
// wait ends early when its context ends, when a poll is refused, or when polls have
// failed for 15 minutes. [WithMaxOutage] sets another time. The error is then a
// [WaitError] with the id of the job.
//
// The API has no list of jobs, so no program can look up whether the service has a
// visit. Store that a submit begins, and store the id when it ends. A visit that has no
// id after a crash is like a visit whose error is [MaybeSubmitted]. Ask the vendor, with
// [SupportReport], before you submit it again. examples/testing does this. [WithCommit]
// calls your function just before the last byte leaves. A crash before that has submitted
// nothing.
//
// # Errors
//
// Errors are matched with errors.As, in this order, since a WaitError holds the
// error of its last poll too. All are safe to log: see Patient data.
//
//	error                                          what to do
//	WaitError                                      Wait(ctx, e.ID) again; see to a 401, 403 or 404 first
//	any of which MaybeSubmitted is true            ask before submitting again: see Jobs
//	errors.Is your error of WithCommit             nothing was submitted: call again when f works
//	errors.Is context.Canceled                     nothing: you ended it
//	TranscriptionIncompleteError                   use the part of the transcript there is
//	TranscriptionFailedError, ScribeFailedError    see what the service says of the job
//	429 RateLimitError                             call again after ResetAt
//	CredentialsError                               see to the vault or token source, call again
//	any of which Retryable is true                 call again later
//	401 UnauthorizedError                          renew the credentials, or ask for API access
//	403 ForbiddenError                             ask for access
//	404 NotFoundError                              check the id and the account
//	409 ConflictError                              ask the vendor what exists already
//	400 BadRequestError, 422 ValidationError       fix the request: Fields, or Detail
//	RequestError, refused before it was sent       fix what Field names: request, file, option, value
//	AudioError, failed while it was sent           fix the source, submit again; a stall is os.ErrDeadlineExceeded
//	DecodeError                                    see Body: a success, but not as documented
//	any other status: APIError alone               see StatusCode
//
// [Retryable] is true of a 429, of the other statuses after which a read is repeated, of
// a [NetworkError], of a [CredentialsError], and of a call that its deadline ended. If
// the context ends a call, errors.Is finds its error. errors.As finds a NetworkError too
// if a request was on its way.
//
// # What is repeated
//
// GETs and the token call are reads. POSTs that create a job are submits. Before a
// repeat, the call waits for an exponential backoff with full jitter, or for the
// server's Retry-After. [RetryPolicy] bounds both. If the wait would pass the context's
// deadline, the call ends at once. The retries of a client share one quota, so that
// they do not multiply the load in an outage.
//
//	outcome of an attempt             read                submit
//	2xx                               success             success
//	2xx, unusable body                DecodeError         DecodeError, maybe submitted
//	400 403 404 409 422, other 4xx    error               error
//	401                               once, new token     once, new token
//	408 425                           repeat              repeat
//	429                               wait for the reset  wait for the reset
//	500 502 504                       repeat              repeat; RetrySafe: error, maybe submitted
//	503                               repeat              repeat
//	501 505                           error               error
//	other 5xx                         repeat              error, maybe submitted
//	nothing sent                      repeat              repeat
//	part sent                         repeat              repeat
//	all sent, no answer               repeat              NetworkError, maybe submitted
//	audio failed or changed           -                   AudioError
//	redirect                          error               error
//
// A token that was fetched in the last 5 s, and with which no call has succeeded, may be
// too young for the clock of the service. After a 401 it is sent again after 1 s and 2 s,
// and then replaced. A 401 of the token call is an error at once. A 400, 401 or 403 of
// the token call is remembered for 5 s, in which the same credentials are not sent
// again.
//
// An answer of another origin, to which a transport has followed a redirect, is a
// [NetworkError] that is not repeated. A stream, or an upload above 1 MiB, asks first with
// Expect: 100-continue, and after a 417 it goes without. A 401, 429 or 503 that comes
// before the body is healed, for a stream too. Once a byte of a stream was sent, it is
// not repeated.
//
// A call makes 4 attempts at most, unless RetryPolicy.MaxAttempts says otherwise. Each
// attempt of a submit that met a 500, 502 or 504 may have created a job. If a later
// attempt succeeds, PossibleDuplicate of the submission is true. It is true too if
// net/http repeated the request by itself. Set RetryPolicy.Submits to RetrySafe to get an
// error instead of a possible duplicate.
//
// # Streaming a browser's upload
//
// A handler, such as Example AudioReader (Browser), can pass a recording on while the
// browser sends it. [AudioReaderSize] takes a body with a Content-Length. [AudioReader]
// takes another body, or the part of a form, and sends it in chunks.
//
//   - Let the browser send the form fields before the audio. Bound the body with
//     http.MaxBytesReader. Set no ReadTimeout and no WriteTimeout on the server.
//   - Do not give the context of the browser's request to the submit. A browser that
//     leaves after the last byte would cost you the id. Use context.WithoutCancel with a
//     timeout. For a shutdown, end that context with context.AfterFunc.
//   - After an error, call http.NewResponseController(w).SetReadDeadline(time.Now())
//     before you answer. A Read that still runs holds a lock that net/http needs for the
//     answer and for Shutdown. What it brings is dropped.
//   - A browser that leaves breaks the reader, and that ends the upload. Nothing is read
//     while the call waits for a rate limit. Bound this wait with [WithMaxLimitWait].
//   - If the error is [MaybeSubmitted], leave the visit to a person, as Jobs says. Else
//     ask the browser for the recording again.
//
// A recording that cannot be recorded again deserves a disk first. Store what the
// browser sends, and submit it with [AudioFile].
//
// # Rate limits
//
// The vendor sets limits for an account, and does not say whether endpoints share one.
// So each endpoint, which is a method and a route, waits by itself. The calls of an
// endpoint wait first come first served. Endpoints whose answers report the same limit
// share what remains of it, until an answer shows that they do not.
//
//	the server answers                       the client
//	429 with Retry-After or a reset          closes the endpoint until then, and tries it every 15 minutes
//	429 with a reset that has passed         closes the endpoint for 100 ms, doubling to 30 s
//	429 and nothing else                     closes the endpoint for 250 ms, doubling to 30 s, then goes on slowly
//	Remaining: 0 and a reset                 closes the endpoints of this limit until then, and tries each every minute
//	Remaining above 0                        has at most so many requests on their way
//	Limit: 0                                 ignores the limit, what remains, and its reset
//	a reset beyond the deadline              returns a RateLimitError at once
//	a reset beyond MaxLimitWait              returns a RateLimitError at once
//
// After a reset, an eighth of the limit goes until an answer reports what remains. So it
// is for eight resets after a refusal that shows that others use the limit too. A
// request that has been on its way for a second counts as spent.
//
// The vendor has not published its headers, so those in use are read. They are
// Retry-After (RFC 9110, section 10.2.3), X-RateLimit-*, RateLimit-*, and the fields of
// draft-ietf-httpapi-ratelimit-headers. A reset may be a number of seconds, a duration, a
// date, or a time since the Unix epoch.
//
// If you know the limit of your account, set it with [WithRateLimit]. The limiter comes
// after the wait for the endpoint. Processes that share an account can share a [Limiter].
//
// # Patient data
//
// Errors, events, logs and the printed form of every type show methods, routes with
// ids, statuses, times, counts and sizes. The message of a server is masked, except for
// the words of a fixed vocabulary of API English, numbers below 1,000 and the ids of the
// call. APIError.Detail and Body have the full text. Requests and results marshal to
// JSON in full, so that a program can store them. The file name in an upload is neutral.
// Authorization is sent to the origin of the base URL only, and redirects are not
// followed.
//
// This package cannot control the following:
//
//   - With GODEBUG=http2debug=1 or =2, net/http logs headers and bodies, and the token
//     and the password among them. Do not set these in production.
//   - If a server sends more than the Content-Length that it announced, net/http logs
//     the rest to the standard logger. Give log.SetOutput a safe place.
//   - fmt prints an unexported field of your struct without calling its methods. Hold
//     requests, results and errors there as pointers, and print with %v.
//   - For %p, and for %w outside of fmt.Errorf, fmt prints the fields of a value. Do not
//     use them. go vet finds only %w.
//   - slog.JSONHandler marshals a slice, map or struct that holds requests or results in
//     full. Log them one by one.
//   - A transport that follows redirects by itself may take the password or a recording
//     to another host. The call then ends with an error, but the data has left.
//   - The mask knows no person. A surname that is a word of API English passes, if a
//     server writes it small or first in a sentence, and so does a number below 1,000
//     such as an age.
//   - encoding/gob, a memory dump, and a transport or proxy that logs show everything.
//
// # Seeing what happens
//
// [WithLogger] logs what happens in a call, and [WithObserver] passes it on as an
// [Event]. Both have the context of the call, so a handler that writes trace ids finds
// them. Events of one call have the same number, Event.Call. A wait and its polls are
// one call.
//
//	what                               level   kinds
//	a person must look into it         Warn    possible_duplicate, unknown_status, audio_format, late_panic, failed token
//	what makes a call slow             Info    retry, limit_wait, limit_closed, limit_opened, token
//	each request, poll, call and wait  Debug   attempt, poll, call, job
//
// [WithTracer] sees which call, attempt or wait is inside which. Package ambientotel
// makes spans and metrics of OpenTelemetry from it, as examples/telemetry shows. Nothing
// of a trace is sent to the service unless that is asked for.
//
// # What the vendor has not published
//
//	unknown                     this package
//	the fields of the note      keeps every field in Scribe.Extra, and Scribe.Decode reads them into your type
//	rate limits, their headers  reads the forms that Rate limits lists, and needs none
//	an idempotency key          does not repeat a submit whose answer is lost, and says so in the error
//	new states of a job         treats an unknown state as unfinished, and reports it once
//	list, cancel, delete        has no method for them, and Client.Do calls any endpoint
//
// # Testing
//
// Package ambienttest has a fake API for your tests. It listens on loopback, or runs in
// memory for testing/synctest.
package ambient
