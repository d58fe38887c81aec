package ambient

import (
	"context"
	"maps"
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
	noExpect bool // the server does not know Expect: 100-continue
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

// exchange puts one request on the wire. Its header is a new one for each attempt.
func (c *call) exchange(ctx context.Context, req *http.Request, token Token, cookies []string) exchange.Report {
	own := *c.client.header.get()
	header := make(http.Header, len(own)+4)
	maps.Copy(header, own)
	if s := token.secret.get(); s != nil {
		header["Authorization"] = s.header
	}
	if cookies != nil {
		header["Cookie"] = []string{strings.Join(slices.Concat(own["Cookie"], cookies), "; ")} // RFC 6265, section 5.4
	}
	body := c.send.Body
	if body != nil {
		header["Content-Type"] = []string{c.send.contentType}
		if c.send.expects = !c.send.noExpect && (body.Once() || body.Len() > expectFrom); c.send.expects {
			header["Expect"] = []string{"100-continue"}
		}
	}
	bounds := c.client.bounds
	bounds.WholeOnce = c.request.submit && c.policy.Submits == RetrySafe
	return exchange.Send(ctx, c.client.transport, req, header, body, bounds, c.progressFunc())
}

// expectFrom is the size from which a body is announced with an Expect header (RFC
// 9110, section 10.1.1), so that a refusal costs no upload.
const expectFrom = 1 << 20

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
