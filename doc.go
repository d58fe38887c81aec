// Package ambient is a client of the Ambient AI Scribe API, which turns the
// recording of a medical visit into a transcript and a clinical note.
//
//	client, err := ambient.NewClient(ambient.WithCredentials(username, password))
//	...
//	transcript, err := client.Transcriptions.SubmitAndWait(ctx, &ambient.TranscriptionRequest{
//		Audio: ambient.AudioFile("visit.mp3"),
//	})
//
// # Jobs
//
// Work is asynchronous: a submit uploads the recording and returns an id, a wait
// polls that id until the job has ended. The two are separate calls, and the
// second needs the id only, in this process or another. SubmitAndWait and
// CreateAndWait make both. The first poll of a new job comes after 1 s, of any
// other at once; the time between two polls is an eighth of the job's age, at least
// 1 s and at most 60 s (WithPollInterval), or what the server's Retry-After asks for.
// A wait ends before its job when its context does, when a poll is refused, and when
// 10 in a row fail; the error is then a [WaitError] with the id to resume with.
//
// The API has no list of jobs, so no program can look whether the service has a
// visit. Store that a visit is about to be submitted, and its id afterwards: one
// without an id after a crash is like an error of which MaybeSubmitted is true.
// Leave it to a person to ask the vendor, with [SupportReport], before it is
// submitted again. The directory examples/testing has such an application.
//
// # Errors
//
// Errors are matched with errors.As, in this order, since a WaitError holds the
// error of its last poll too. All are safe to log: see Patient data.
//
//	error                                          what to do
//	WaitError                                      Wait(ctx, e.ID) again; after a 404, see the account
//	any of which MaybeSubmitted is true            ask before submitting again: see Jobs
//	errors.Is context.Canceled                     nothing: you ended it
//	TranscriptionIncompleteError                   use the part of the transcript there is
//	TranscriptionFailedError, ScribeFailedError    see what the service says of the job
//	429 RateLimitError                             call again after ResetAt
//	any of which Retryable is true                 call again later
//	401 UnauthorizedError                          renew the credentials, or ask for API access
//	403 ForbiddenError                             ask for access
//	404 NotFoundError                              check the id and the account
//	409 ConflictError                              ask the vendor what exists already
//	400 BadRequestError, 422 ValidationError       fix the request: Fields, or Detail
//	RequestError, refused before it was sent       fix what Field names: request, file, option, source
//	AudioError, failed while it was sent           fix the source of the audio, submit again
//	DecodeError                                    see Body: a success, but not as documented
//	any other status: APIError alone               see StatusCode
//
// [Retryable] is true of a 408, 425 and 429, of [InternalServerError],
// [BadGatewayError], [ServiceUnavailableError] and [GatewayTimeoutError], of a
// [NetworkError], and of a call that its deadline ended. If the context ends a
// call, errors.Is finds the context's error; errors.As finds a NetworkError too if
// a request was on its way.
//
// # What is repeated
//
// Reads are GETs and the token call; submits are POSTs that create a job. A
// repeat waits for an exponential backoff with full jitter, bounded by
// [RetryPolicy], or for the server's Retry-After. If that wait would pass the
// context's deadline, the call ends at once. All retries of a client draw on one
// quota, so that an outage is not multiplied.
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
//	other 5xx                         error               error, maybe submitted
//	nothing sent                      repeat              repeat
//	part sent                         repeat              repeat
//	all sent, no answer               repeat              NetworkError, maybe submitted
//	audio failed or changed           -                   AudioError
//	redirect                          error               error
//
// The 401 of the token call itself is an error at once. If the server answers 417 to
// Expect: 100-continue, the upload is sent again without that header. After the last
// repeat, 4 attempts by default, the error is that of the last one; a submit may have
// been taken by any that was answered with 500, 502 or 504. A body that cannot be
// read twice ([AudioReader]) is sent once.
//
// PossibleDuplicate of a submission is true if an earlier attempt may have created a
// job as well, or if net/http sent the request again by itself. To rather have an
// error than a possible duplicate, set RetryPolicy.Submits to RetrySafe.
//
// # Rate limits
//
// A client has one gate that all its calls pass. A 429 closes it until the limit
// resets; meanwhile calls wait in line, first come first served.
//
//	the server tells                  the client
//	Remaining: 0 and a reset          waits for the reset before it is refused
//	Retry-After or a reset on a 429   waits for it
//	nothing                           pauses 250 ms, doubling to 30 s, and goes on slowly
//	a wait beyond the deadline        returns a RateLimitError at once
//	a wait beyond MaxLimitWait        returns a RateLimitError at once
//
// The API has not published its headers, so those in use are read: Retry-After
// (RFC 9110, section 10.2.3), X-RateLimit-* and RateLimit-* with a reset in
// seconds from now, in epoch seconds or in milliseconds, and the fields of
// draft-ietf-httpapi-ratelimit-headers.
//
// Where the account's limit is known, [WithRateLimit] is better still: nothing is
// refused then. Processes that share an account can share a [Limiter].
//
// # Patient data
//
// Errors, events, logs and the printed form of every type show methods, routes with
// ids, statuses, times, counts and sizes. Of a server's message they show the words
// of a fixed vocabulary of API English, numbers below 1,000 and the ids of the call;
// all else is masked. The full text is in APIError.Detail and Body. Requests and
// results marshal to JSON in full. Upload names are neutral. Authorization is sent to
// the base URL's origin only, and redirects are not followed.
//
// Some things are out of this package's hands:
//
//   - GODEBUG=http2debug=1 and =2 make net/http log headers and bodies, token and
//     password among them.
//   - net/http logs, to the standard logger, what a server sends beyond the
//     Content-Length that it announced: give log.SetOutput a safe place.
//   - fmt prints an unexported field of your struct without asking the value in it:
//     hold requests, results and errors there as pointers, and print with %v.
//   - fmt answers %p, and %w outside of fmt.Errorf, with the fields of a value: never
//     print with them. go vet finds %w only.
//   - slog.JSONHandler marshals a slice, map or struct that holds requests or results,
//     in full: log them one by one.
//
// # Testing
//
// Package ambienttest has a fake API for your own tests, over loopback or in
// memory for testing/synctest.
package ambient
