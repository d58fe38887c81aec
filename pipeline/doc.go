// Package pipeline takes recordings of visits to their notes, across crashes and on many machines.
//
// An application knows a visit by a key and gives its content when the pipeline asks for it ([Source]). The pipeline
// transcribes the recording, asks for a note, and hands both over ([Config].Deliver). It keeps the state of each visit in
// a database, which is SQLite in a file for a clinic or PostgreSQL for a fleet. The code is the same.
//
//	p, err := pipeline.Open(ctx, "sqlite:visits.db", pipeline.Config{Client: client, Source: source, Deliver: deliver})
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	if _, err := p.Add(ctx, "visit-4711"); err != nil {
//		return err
//	}
//	return p.Run(ctx, time.Minute) // until ctx ends
//
// # The life of a visit
//
// The stages of a visit are its transcript, its note, and its delivery. Each begins as [Todo].
//
//	              commit             answer              job done
//	Todo ───────────────────▶ Sent ───────────▶ Waiting ───────────▶ Todo of the next stage, and Done at the end
//	 ▲ ▲                        │                  │
//	 │ └── nothing submitted ───┤                  └── job failed ──▶ Failed
//	 │                          │ no answer
//	 └──────── Resolve ───── Unknown
//
// The commit is written just before the last byte of a submit leaves. A process that dies, freezes or loses its network
// before it has submitted nothing, and the visit goes on in another process. A process that dies between the commit and the
// answer leaves the visit [Unknown], since the service has neither an idempotency key nor a list of jobs. A person then
// asks the vendor and calls [Pipeline.Resolve]. Nothing unknown is submitted again by itself, unless Config.Resubmit is set.
//
// # What follows from a failure
//
//	what failed                                       what follows
//	submit: RequestError, 400, 404, 413, 422          Failed
//	submit: may have been taken                       Unknown
//	submit: any other failure                         again later
//	Source: fs.ErrNotExist                            Failed
//	Source: any other error, a panic, a minute        again later
//	job: failed, or ended with a partial transcript   Failed
//	job: 404 later than 10 s after its submit         Failed
//	poll: any other failure                           polled again
//	Deliver: an error, a panic, ten minutes           again later, for ever
//
// Later means after 1 s, doubled with each failure in a row up to 5 min, or when the rate limit resets. [Status].Reason
// says what is the matter, in fixed words.
//
// # What is stored
//
// The database holds keys, states, ids, reasons and times. It holds no name, text, recording or path, and neither the text
// of an error of the application nor its panic. Transcripts and notes are fetched again where they are needed. The same is
// true of what the Logger gets.
package pipeline
