package ambient

import (
	"context"
	"time"
)

// A CallOption applies to one call. It is also a WaitOption, which applies to every
// call of the wait.
type CallOption interface {
	WaitOption
	applyCall(*callOptions)
}

// A WaitOption applies to one wait.
type WaitOption interface {
	applyWait(*waitOptions)
}

type callOptions struct {
	progress func(sent, total int64)
	info     *CallInfo
	commit   func(context.Context) error
	number   int64 // of the call in events; 0 for the next

	maxAttempts  int           // 0 for that of the client
	maxLimitWait time.Duration // 0 for that of the client
}

type callOption func(*callOptions)

func (f callOption) applyCall(o *callOptions) { f(o) }
func (f callOption) applyWait(o *waitOptions) { f(&o.callOptions) }

// withNumber gives a call the number of the one that it is part of.
func withNumber(n int64) CallOption { return callOption(func(o *callOptions) { o.number = n }) }

// WithProgress calls f with the bytes of the current attempt's body that were handed to
// the connection, and the body's size, -1 if unknown. A repeated attempt shows as a
// drop. f is called from the transport's goroutine and must not block, since the upload
// waits for it.
func WithProgress(f func(sent, total int64)) CallOption {
	return callOption(func(o *callOptions) { o.progress = f })
}

// WithCommit calls f at the point of no return: once for each request, before its last
// bytes leave, so that the service cannot have taken the job before f has returned.
// An error of f cuts the request, and the call ends with an error that wraps it.
// Nothing was submitted then. Neither Retryable nor MaybeSubmitted is true of that
// error, and its text is not printed.
//
// A call with WithCommit repeats a submit as under RetrySafe, whatever the client's
// policy. A repeated request, also the replay after a 401 or a 429, calls f again. f is
// not called for a request that the service refuses before it has the whole of it, for
// reads, polls and token calls. Where a transport reads a request's body more than
// once, f is called when the first of these reads comes to its end. The time that f
// needs is no stall. f gets the context of the call, and is left behind if it goes on
// after that has ended.
func WithCommit(f func(context.Context) error) CallOption {
	return callOption(func(o *callOptions) { o.commit = f })
}

// WithCallInfo fills dst at the end of the call, also when it fails. In a wait
// it holds the last call's. A request that is refused before it is made, with a
// *RequestError, leaves dst as it was.
func WithCallInfo(dst *CallInfo) CallOption {
	return callOption(func(o *callOptions) { o.info = dst })
}

// WithMaxAttempts makes a call end after n attempts instead of RetryPolicy.MaxAttempts; 1
// means no retry. The client's value applies if n is zero or less.
func WithMaxAttempts(n int) CallOption {
	return callOption(func(o *callOptions) { o.maxAttempts = max(n, 0) })
}

// WithMaxLimitWait makes a call wait for the rate limit for d at most, instead of for
// RetryPolicy.MaxLimitWait. A negative d means never to wait. The client's value applies
// if d is zero.
func WithMaxLimitWait(d time.Duration) CallOption {
	return callOption(func(o *callOptions) { o.maxLimitWait = d })
}

type waitOptions struct {
	callOptions
	min, max  time.Duration
	maxOutage time.Duration
	onPoll    func(PollEvent)
}

type waitOption func(*waitOptions)

func (f waitOption) applyWait(o *waitOptions) { f(o) }

// WithPollInterval bounds the time between two polls of a job. A Retry-After of the
// server is followed from min up to 15 min. The defaults are 1 s and 60 s. Zero or less
// keeps the default. A min above max raises max. The last poll before the context's
// deadline comes earlier, so that it fits.
func WithPollInterval(min, max time.Duration) WaitOption {
	return waitOption(func(o *waitOptions) {
		if min > 0 {
			o.min = min
		}
		if max > 0 {
			o.max = max
		}
		if o.max < o.min {
			o.max = o.min
		}
	})
}

// WithMaxOutage bounds how long the polls of a job may fail without a good one between
// them. They fail while the service is down, while it answers what is no JSON, and
// while the source of the credentials fails. The default is 15 minutes, and zero is as
// long as the context. A wait for the rate limit is no outage.
func WithMaxOutage(d time.Duration) WaitOption {
	return waitOption(func(o *waitOptions) { o.maxOutage = d })
}

// WithOnPoll calls f after every poll, one call at a time, in WaitAll too. f runs in
// the goroutine of the wait and holds it up.
func WithOnPoll(f func(PollEvent)) WaitOption {
	return waitOption(func(o *waitOptions) { o.onPoll = f })
}
