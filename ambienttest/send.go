package ambienttest

import (
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// send answers, or does what the fault says instead.
func (e *exchange) send(a answer) {
	e.wait(e.fault.Delay)
	if e.fault.Reset == ResetAfterRead {
		e.reset()
	}
	length := int64(len(a.body))
	endless := e.fault.BodySize >= Endless-length
	length += e.fault.BodySize // overflows only where endless, and is not used there
	half := e.fault.Truncate || e.fault.Reset == ResetMidResponse
	cut := half || e.fault.Unfinished
	if e.fault.Unfinished || half && length == 0 {
		length++ // half of nothing would be a whole answer
	}
	var body io.Reader = strings.NewReader(a.body)
	if e.fault.BodySize > 0 {
		body = io.MultiReader(body, io.LimitReader(filler{}, e.fault.BodySize))
	}
	if half && !endless {
		body = io.LimitReader(body, length/2)
	}
	if endless {
		length = -1
	}
	e.writeHeader(a, length)
	e.writeBody(body)
	if !cut {
		return
	}
	_ = http.NewResponseController(e.w).Flush()
	if e.fault.Reset == ResetMidResponse {
		e.reset()
	}
	panic(http.ErrAbortHandler)
}

// writeHeader sends status and header. A length below zero is not announced.
func (e *exchange) writeHeader(a answer, length int64) {
	e.server.mu.Lock()
	e.record.Status = a.status // before the client can know of it
	skew := e.server.limits[anyRoute].ClockSkew
	e.server.mu.Unlock()
	h := e.w.Header()
	maps.Copy(h, e.header)
	maps.Copy(h, a.header)
	if skew != 0 && h.Get("Date") == "" {
		h.Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
	}
	if length >= 0 && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	e.w.WriteHeader(a.status)
}

// writeBody stops where the client stops reading.
func (e *exchange) writeBody(body io.Reader) {
	if e.fault.Trickle <= 0 {
		_, _ = io.Copy(e.w, body)
		return
	}
	flush := http.NewResponseController(e.w).Flush
	_ = flush()
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(body, one); err != nil {
			return
		}
		e.wait(e.fault.Trickle)
		if _, err := e.w.Write(one); err != nil {
			return
		}
		_ = flush()
	}
}

// reset cuts the connection and ends the exchange.
func (e *exchange) reset() {
	c := e.conn
	if c == nil { // mounted elsewhere
		c, _, _ = http.NewResponseController(e.w).Hijack()
	}
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // makes Close send RST instead of FIN
	}
	if c != nil {
		_ = c.Close()
	}
	panic(http.ErrAbortHandler)
}

// filler is text without end.
type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for n := copy(p, "."); 0 < n && n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}
