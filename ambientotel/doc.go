// Package ambientotel reports the calls of package ambient to OpenTelemetry.
//
//	client, err := ambient.NewClient(ambientotel.Instrument())
//
// A call and a wait each have a span of kind INTERNAL, and each request on the wire has
// one of kind CLIENT inside. Repeats, the token call and a rate limit's wait show. The
// polls of a wait have no spans while all goes well; see [WithPolls].
//
// Spans and metrics follow version 1.43.0 of the semantic conventions. They hold
// methods, route templates, statuses, the server's address, times and counts. They hold
// no patient data, no id of a job, no text of an answer and no text of an error.
//
// The README lists the spans, the attributes and the metrics, and shows six calls as
// trees.
package ambientotel
