package ambient

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// callSend is what a call remembers of how to send.
type callSend struct {
	noExpect bool // the server does not know Expect: 100-continue
}

// exchange puts one request on the wire. Its header is a new one for each attempt.
func (c *call) exchange(req *http.Request, token Token, cookies []string) exchange.Report {
	own := *c.client.header.get()
	header := make(http.Header, len(own)+4)
	maps.Copy(header, own)
	if s := token.secret.get(); s != nil {
		header["Authorization"] = s.header
	}
	if cookies != nil {
		header["Cookie"] = []string{strings.Join(slices.Concat(own["Cookie"], cookies), "; ")} // RFC 6265, section 5.4
	}
	if c.request.body != nil {
		header["Content-Type"] = []string{c.request.contentType}
		if c.request.announced() && !c.send.noExpect {
			header["Expect"] = []string{"100-continue"}
		}
	}
	bounds := c.client.bounds
	bounds.WholeOnce = c.request.submit && c.policy.Submits == RetrySafe
	return exchange.Send(c.ctx, c.client.transport, req, header, c.request.body, bounds, c.progressFunc())
}

// expectFrom is the size from which a body is announced with Expect: 100-continue
// (RFC 9110, section 10.1.1), so that a refusal costs no upload.
const expectFrom = 1 << 20

// announced reports whether the server is asked before the body is sent.
func (r *request) announced() bool {
	return r.body != nil && (r.body.Once() || r.body.Len() > expectFrom)
}

// dropExpect leaves Expect out from now on, once in a call.
func (c *call) dropExpect() bool {
	dropped := !c.send.noExpect
	c.send.noExpect = true
	return dropped
}

// progressFunc adapts WithProgress to what an exchange reports.
func (c *call) progressFunc() func(int64) {
	if c.options.progress == nil || c.request.body == nil {
		return nil
	}
	total := c.request.body.Len()
	return func(sent int64) { c.options.progress(sent, total) }
}
