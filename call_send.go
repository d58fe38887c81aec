package ambient

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// callSend is what a call remembers of how to send.
type callSend struct {
	content
	prepared bool
	expects  bool // the last attempt asked the server before it sent the body
	noExpect bool // the server refused Expect: 100-continue, or was lost over it
}

// prepare makes the body. It comes after the permit, so that a call which sends
// nothing leaves an audio reader untouched.
func (c *call) prepare() error {
	if c.send.prepared || c.request.content == nil {
		return nil
	}
	content, err := c.request.content()
	if err != nil {
		return err
	}
	c.send.content, c.send.prepared = content, true
	c.history.parts = content.parts
	return nil
}

// discard closes what was opened and never sent.
func (c *call) discard() {
	if c.send.content.discard != nil {
		c.send.content.discard()
	}
}

// exchange puts one request on the wire.
func (c *call) exchange(ctx context.Context, req *http.Request, token Token, cookies []string) exchange.Report {
	body := c.send.Body
	c.send.expects = body != nil && c.expects(body)
	header := c.header(token, cookies)
	o := c.client.bounds
	o.Progress, o.Commit = c.progressFunc(), c.commitFunc()
	o.NoReplay = o.Commit != nil || c.request.submit && c.policy.Submits == RetrySafe
	report := exchange.Send(ctx, c.client.transport, req, header, body, o)
	if c.send.noExpect && report.Status != 0 {
		c.client.noExpect.Store(true)
	}
	return report
}

// commitFunc is what an exchange calls before the last bytes of a request leave. To
// read something commits to nothing.
func (c *call) commitFunc() func(context.Context) error {
	switch c.request.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return nil
	}
	f := c.options.commit
	if f == nil || c.send.Body != nil {
		return f
	}
	return func(ctx context.Context) error { // f may hang, and without a body the exchange waits for it
		err, left := callWithContext(ctx, c.client, func() error { return f(ctx) })
		return cmp.Or(err, left)
	}
}

// header makes the header of one attempt. It shares nothing, since a transport may
// change the values in place.
func (c *call) header(token Token, cookies []string) http.Header {
	own := *c.client.header.get()
	header, values := make(http.Header, len(own)+4), make([]string, 0, 12)
	set := func(name string, v ...string) {
		from := len(values)
		values = append(values, v...)
		header[name] = values[from:len(values):len(values)]
	}
	for name, v := range own {
		set(name, v...)
	}
	if s := token.secret.get(); s != nil {
		set("Authorization", s.header...)
	}
	if cookies != nil {
		set("Cookie", strings.Join(slices.Concat(own["Cookie"], cookies), "; ")) // RFC 6265, section 5.4
	}
	if c.send.Body != nil {
		set("Content-Type", c.send.contentType)
	}
	if c.send.expects {
		set("Expect", "100-continue")
	}
	return header
}

// expectFrom is the size from which a body is announced with an Expect header (RFC
// 9110, section 10.1.1), so that a refusal costs no upload.
const expectFrom = 1 << 20

// expects reports whether the server is asked before the body is sent. A client
// remembers a server that answered only without that.
func (c *call) expects(body exchange.Body) bool {
	return !c.send.noExpect && !c.client.noExpect.Load() && (!body.Replayable() || body.Len() > expectFrom)
}

// brokenUpload says what was tried where the server gives no status: it may have refused
// the upload, and net/http has not always seen that. Empty if that is not so.
func (c *call) brokenUpload() string {
	r := &c.last.report
	var timeout interface{ Timeout() bool }
	switch {
	case c.send.Body == nil || r.Status != 0 || r.NotSent || r.FullySent || errors.As(r.Err, &timeout) && timeout.Timeout():
		return ""
	case c.send.noExpect:
		return "the server ended the upload with and without Expect: 100-continue, and gave no status"
	case c.send.expects:
		return "the server ended the upload after Expect: 100-continue, and gave no status"
	}
	return "the server ended the upload, and gave no status"
}

// dropExpect leaves Expect out from now on, where the last attempt had it.
func (c *call) dropExpect() bool {
	c.send.noExpect = true
	return c.send.expects
}

// progressFunc adapts WithProgress to what an exchange reports.
func (c *call) progressFunc() func(int64) {
	if c.options.progress == nil || c.send.Body == nil {
		return nil
	}
	total := c.send.Len()
	return func(sent int64) { c.options.progress(sent, total) }
}
