package transports

// The outcomes that a submit may have. right is what is right with any transport: what
// the caller hears, how many whole requests the service had, and whether the caller is
// told that there may be two jobs.
var outcomes = []outcome{
	{name: "accepted", right: "created, 1 whole"},
	{name: "accepted, in gzip", script: []answer{{-1, compressed}}, right: "created, 1 whole"},
	{name: "accepted, framing unfinished", script: []answer{{-1, unfinished}}, right: "created, 1 whole"},
	{name: "answer lost", script: []answer{{-1, lost}}, right: "network error, maybe, 1 whole"},
	{name: "answer lost, RetrySafe", script: []answer{{-1, lost}}, safe: true, right: "network error, maybe, 1 whole"},
	{name: "502", script: []answer{{-1, status(502)}}, right: "created, 2 whole, doubt"},
	{name: "502, RetrySafe", script: []answer{{-1, status(502)}}, safe: true, right: "502, maybe, 1 whole"},
	{name: "503", script: []answer{{-1, status(503)}}, right: "created, 2 whole"},
	{name: "lost in the middle", size: 8 << 20, script: []answer{{100_000, lost}}, right: "created, 1 whole"},
	{name: "refused early", script: []answer{{0, status(413)}}, right: "413, 0 whole"},
	{name: "no connection at first", refuse: 1, right: "created, 1 whole"},
	{name: "never a connection", refuse: 100, right: "network error, 0 whole"},
	{name: "committed", commit: "lets go", right: "created, 1 whole, 1 commit"},
	{name: "not committed", commit: "refuses", right: "not committed, 0 whole, 1 commit"},
	{name: "502, committed", script: []answer{{-1, status(502)}}, commit: "lets go", right: "502, maybe, 1 whole, 1 commit"},
	{name: "source fails", source: "fails", right: "audio error, 0 whole"},
	{name: "source hangs", source: "hangs", right: "audio error, 0 whole"},
	{name: "source panics", source: "panics", right: "panic, 0 whole"},
	{name: "deadline while the source hangs", source: "hangs, deadline", right: "deadline, 0 whole"},
}

// The transports, and where they differ from what is right, with the reason.
var transports = []transport{
	{name: "net/http", wrap: plain},
	{name: "HTTP/2 over TLS", protocol: "h2", wrap: plain},
	{name: "h2c", protocol: "h2c", wrap: plain},
	{name: "otelhttp", wrap: otel},
	{name: "cleanhttp", wrap: clean},
	{name: "body logger", wrap: logging, odd: map[string]cell{
		"lost in the middle": {"network error, maybe, 0 whole", sendsACopy},
	}},
	{name: "signer", wrap: signing},
	{name: "go-vcr", wrap: recording, odd: map[string]cell{
		"accepted, framing unfinished": {"network error, maybe, 1 whole", "it reads the answer to record it, and gives none that breaks off"},
		"lost in the middle":           {"network error, maybe, 0 whole", sendsACopy},
	}},
	{name: "go-retryablehttp", wrap: retrying, odd: retried},
	{name: "failsafehttp", wrap: failsafe, odd: retried},
}

const (
	sendsACopy  = "it sends a copy, and how much of the copy left is not seen"
	repeats     = "it repeats a whole request by itself, which is noticed"
	hides       = "the SDK stops its repetition, and never sees the status that it wanted to repeat"
	hidesStatus = "it repeats by itself, and the SDK does not see that the service refused the first"
)

// retried are the outcomes with a transport that repeats requests.
var retried = map[string]cell{
	"answer lost":        {"created, 2 whole, doubt", repeats},
	"503":                {"created, 2 whole, doubt", hidesStatus},
	"lost in the middle": {"created, 1 whole, doubt", sendsACopy},
	"502, RetrySafe":     {"network error, maybe, 1 whole", hides},
	"502, committed":     {"network error, maybe, 1 whole, 1 commit", hides},
}
