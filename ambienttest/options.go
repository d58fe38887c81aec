package ambienttest

import (
	"maps"
	"slices"
	"time"
)

// An Option sets up a server.
type Option func(*config)

type config struct {
	username, password string
	others             []*account
	tokenLifetime      time.Duration
	tokenDelay         time.Duration
	tokenNotBefore     time.Duration
	opaqueTokens       bool
	templates          []int64
	rateLimit          RateLimit
	transcript         string
	note               map[string]any
	jobTime            time.Duration
}

func defaultConfig() config {
	return config{
		username:      "synthetic-service-account",
		password:      "synthetic-password",
		tokenLifetime: 48 * time.Hour,
		jobTime:       3 * time.Second,
		transcript: "This is a synthetic visit with no real patient. Doctor: What brings you in today? " +
			"Patient: I have had a dry cough for a week. Doctor: Any fever? Patient: No.",
		note: map[string]any{
			"title":      "Synthetic note, no real patient",
			"subjective": "Dry cough for a week. No fever.",
			"assessment": "Viral upper respiratory infection.",
			"plan":       "Fluids and rest; return if symptoms persist.",
		},
	}
}

// WithCredentials sets the server's own account. The default is a synthetic one, found
// in the server's Username and Password.
func WithCredentials(username, password string) Option {
	return func(c *config) { c.username, c.password = username, password }
}

// WithAccount adds an account that has its own jobs and rate limit. It does not find
// the job of another account. It may be given more than once.
func WithAccount(username, password string) Option {
	return func(c *config) { c.others = append(c.others, &account{username: username, password: password}) }
}

// WithTokenLifetime sets how long a token is good for. The default is 48 hours. The
// token's exp claim counts whole seconds and is rounded down, the server itself is
// exact. Zero or less issues tokens that have already expired.
//
// This SDK renews a token before it expires, so that a short life shows renewals and no
// 401. For a 401 in mid-run plan [Answer](401), or call [Server.RevokeTokens].
func WithTokenLifetime(d time.Duration) Option {
	return func(c *config) { c.tokenLifetime = d }
}

// WithTokenDelay makes the token endpoint take this long to answer a well-formed call.
// The default is 0.
func WithTokenDelay(d time.Duration) Option {
	return func(c *config) { c.tokenDelay = d }
}

// WithTokenNotBefore makes the API refuse a token until it is this old, as it does
// where the clock that checks tokens is behind the clock that issues them. The default
// is 0.
func WithTokenNotBefore(age time.Duration) Option {
	return func(c *config) { c.tokenNotBefore = age }
}

// WithOpaqueTokens makes tokens that are no JWTs. How long they last stands in
// expires_in, in whole seconds.
func WithOpaqueTokens() Option {
	return func(c *config) { c.opaqueTokens = true }
}

// WithTemplates names the templates that the account may use. By default, and without
// ids, it may use any.
func WithTemplates(ids ...int64) Option {
	return func(c *config) { c.templates = slices.Clone(ids) }
}

// WithRateLimit limits the rate of requests from the start. See [RateLimit]. The
// default is no limit. For a limit of one route see [Server.SetRateLimitOf].
func WithRateLimit(l RateLimit) Option {
	return func(c *config) { c.rateLimit = l }
}

// WithTranscript sets the text of transcriptions that have no script.
func WithTranscript(text string) Option {
	return func(c *config) { c.transcript = text }
}

// WithNote sets the note of completed scribes that have no script. It comes in the
// field "note". That is the choice of this fake, since the vendor has not published the
// field. In this SDK it is Scribe.Extra["note"].
func WithNote(note map[string]any) Option {
	return func(c *config) { c.note = maps.Clone(note) }
}

// WithJobTime sets how long jobs that have no script take from submission to result.
// The default is 3 seconds, which are real outside of a testing/synctest bubble.
func WithJobTime(d time.Duration) Option {
	return func(c *config) { c.jobTime = d }
}
