// Package ambienttest is a fake of the Ambient AI Scribe API for tests. It is a real
// HTTP server that speaks the service's wire, checks requests as the service would,
// does the work on a script, fails on demand, and records what arrived. It needs no
// account and holds no patient data.
//
//	func TestVisit(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			srv := ambienttest.StartInMemory(t)
//			srv.ScriptTranscription(ambienttest.TranscriptionCompletes(20*time.Minute, "Synthetic visit.")...)
//			srv.Fault("GET /transcribe/{id}", 2, ambienttest.RetryAfter(429, "600"))
//
//			client, err := ambient.NewClient(
//				ambient.WithBaseURL(srv.URL),
//				ambient.WithHTTPClient(srv.Client()),
//				ambient.WithCredentials(srv.Username, srv.Password),
//			)
//			transcript, err := client.Transcriptions.SubmitAndWait(t.Context(), &ambient.TranscriptionRequest{
//				Audio:       ambient.AudioBytes("visit.mp3", []byte("ID3 synthetic")),
//				PatientName: "Alex Example",
//			})
//			// ... half an hour later, in milliseconds: look at transcript and err ...
//
//			srv.AssertCount(t, "POST /transcribe", 1)
//			got := srv.RequestsTo("POST /transcribe")[0]
//			// ... look at got.Value("patient_name") and got.Files[0].SHA256 ...
//		})
//	}
//
// A wrong password is one that the client is given in place of srv.Password. The
// examples of Fault, RetryAfter and WithTokenLifetime below show what else can go
// wrong. The directory examples/testing of the repository is a small application with
// its tests.
//
// # Servers
//
// [NewServer] listens on a loopback port, [NewTLSServer] does so behind TLS with
// HTTP/2, and [NewInMemory] uses no sockets and lives entirely in the time of a
// testing/synctest bubble. [Start] and [StartInMemory] close the server at the end of a
// test and report what it never reached. A new server accepts its own Username and
// Password, any template, and any number of requests. A job takes three seconds.
// [WithAccount] adds accounts. Each account has its own jobs, tokens and rate limit.
//
// # Jobs
//
// A job is a list of [Step] values, each a status and how long it lasts.
// [Server.ScriptTranscription] and [Server.ScriptScribe] write the life of the next
// job. Helpers such as [TranscriptionFails] make the usual lives. The server keeps no
// timer, since a GET works out which step the job is in. The client decides how many
// GETs arrive. SubmitAndWait of this SDK makes the first 1 s after the submit, and Wait
// makes it at once.
//
// # Faults
//
// [Server.Fault] plans what goes wrong with the nth request of a route. That may be any
// status with any body, a delay, a trickle, a truncated answer, a redirect, or a
// connection reset at any point. A route is a method and a path template:
//
//	route                                 answered, when all is well, with
//	POST /auth/token                      200
//	POST /transcribe                      202
//	GET /transcribe/{id}                  200
//	POST /scribe                          202
//	GET /scribe/{id}                      200
//	POST /scribe/{id}/regenerate/audio    202
//	*                                     (any request, also to an unknown path)
//
// [Server.FaultWhere] does so for the requests that a function matches, such as those
// for one job, of one account, or of a stretch of time.
//
// A fault meets one request, whatever its Retry-After says. A client that comes back
// too early is let through. To see that it waited, compare the Time of two [Request]
// values, or set a [RateLimit], which is enforced.
//
// [Server.RevokeTokens] and [Server.SetRateLimit] change the server in mid-run, for
// instance from a function given to ambient.WithOnPoll, which is called in the middle
// of a wait.
//
// # What is checked
//
// A request passes a planned fault that takes the place of the answer, then route and
// method, the bearer token, the rate limit, the form's names, types and counts, and the
// templates. Token and rate limit are checked before the body is read, so a client that
// sends "Expect: 100-continue" is refused before it uploads. The answers are the
// documented ones, and FastAPI's where none is published. The body of a 422 echoes the
// input, as FastAPI does, so that a client can show that it does not repeat it. Some
// checks are stricter than the service is known to be. They refuse an unknown form
// field, a field given twice that is not a list, a template id below 1, a file whose
// name ends in no type of audio, and an Authorization header on the token call. Headers
// that a proxy may add are ignored.
//
// # What is recorded
//
// [Server.Requests] returns every request with its header, fields, files and digests.
// Bodies are hashed as they stream in, so an upload of any size costs no memory.
package ambienttest
