package exchange_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

var long = body{content: strings.Repeat("x", 1000)}

// TestProof: how much of the request left, told from what the transport did. Each
// transport meets a lost connection at its end.
func TestProof(t *testing.T) {
	const notSent, partly, fully = "not sent", "partly sent", "fully sent"
	chunked := body{content: "abc", chunked: true}
	for _, c := range []struct {
		name  string
		body  exchange.Body
		rt    func(r *http.Request, n network)
		sent  string
		bytes int64
	}{
		{"no connection", long, func(r *http.Request, n network) { n.ask() }, notSent, 0},
		{"no connection, no body", nil, func(r *http.Request, n network) { n.ask() }, notSent, 0},
		{"no connection for a body that was buffered", long, func(r *http.Request, n network) { all(r.Body); n.ask() }, notSent, 0},
		{"no connection for a copy that was signed", long, func(r *http.Request, n network) { all(copyOf(r)); n.ask() }, notSent, 0},
		{"no body", nil, func(r *http.Request, n network) { n.connect() }, fully, 0},
		{"no body, and no trace", nil, func(*http.Request, network) {}, fully, 0},
		{"a connection and nothing read", long, func(r *http.Request, n network) { n.connect() }, partly, 0},
		{"part read", long, func(r *http.Request, n network) { n.connect(); some(r.Body, 999) }, partly, 999},
		{"the last byte read, its end not", long, func(r *http.Request, n network) { n.connect(); some(r.Body, 1000) }, fully, 1000},
		{"no trace, nothing read", long, func(*http.Request, network) {}, partly, 0},
		{"no trace, all read", long, func(r *http.Request, n network) { all(r.Body) }, fully, 1000},
		{"length unknown, part read", chunked, func(r *http.Request, n network) { some(r.Body, 2) }, partly, 2},
		{"length unknown, the last byte read", chunked, func(r *http.Request, n network) { some(r.Body, 3) }, fully, 3},

		{"buffered, then sent", long, func(r *http.Request, n network) { all(r.Body); n.connect() }, fully, 1000},
		{"a copy sent, the body left alone", long, func(r *http.Request, n network) { all(copyOf(r)); n.connect() }, fully, 1000},
		{"a copy signed, part of the body sent", long, func(r *http.Request, n network) {
			all(copyOf(r))
			n.connect()
			some(r.Body, 10)
			n.wrote(errLost)
		}, partly, 10},
		{"a copy sent, and another looked at", long, func(r *http.Request, n network) {
			all(copyOf(r))
			n.connect()
			n.wrote(nil)
			some(copyOf(r), 10)
		}, fully, 1000},
		{"64 bytes of a copy signed, the body sent", long, func(r *http.Request, n network) {
			some(copyOf(r), 64)
			n.connect()
			all(r.Body)
		}, fully, 1000},
		{"64 bytes peeked, the rest sent", long, func(r *http.Request, n network) { some(r.Body, 64); n.connect(); all(r.Body) }, fully, 1000},
		{"64 bytes peeked, and nothing sent", long, func(r *http.Request, n network) { some(r.Body, 64); n.connect() }, partly, 0},
		{"part on one connection, part on another", long, func(r *http.Request, n network) {
			n.connect()
			some(r.Body, 900)
			n.connect()
			some(copyOf(r), 950)
		}, partly, 950},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := send(func(r *http.Request) (*http.Response, error) { c.rt(r, of(r)); return nil, errLost }, c.body, exchange.Options{})
			got := map[bool]string{r.NotSent: notSent, r.FullySent: fully, !r.NotSent && !r.FullySent: partly}[true]
			assert.Equal(t, c.sent, got)
			assert.Equal(t, c.bytes, r.BytesSent)
			assert.False(t, r.Replayed)
			assert.NoError(t, r.SourceErr)
			assert.Equal(t, errLost, r.Err)
			assert.Equal(t, r.Conns > 0, r.ConnReused)
		})
	}
}

// TestReplays: a transport that begins again when the whole request may have left is
// noticed. With NoReplay it is stopped.
func TestReplays(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     exchange.Body
		rt       func(r *http.Request, n network)
		replayed bool
	}{
		{"once", long, func(r *http.Request, n network) { n.connect(); all(r.Body) }, false},
		{"no body, twice", nil, func(r *http.Request, n network) { n.connect(); n.connect() }, true},
		{"whole, twice", long, func(r *http.Request, n network) { n.connect(); all(r.Body); n.connect(); all(copyOf(r)) }, true},
		{"written to nowhere to log it, then sent", long, func(r *http.Request, n network) {
			all(r.Body)
			n.ask()
			n.GotConn(httptrace.GotConnInfo{Conn: nowhere{}})
			n.wrote(nil)
			n.GotFirstResponseByte()
			n.connect()
		}, false},
		{"whole, then no other connection", long, func(r *http.Request, n network) { n.connect(); all(r.Body); n.ask() }, false},
		{"part, then whole", long, func(r *http.Request, n network) { n.connect(); some(r.Body, 900); n.connect(); all(copyOf(r)) }, false},
		{"buffered, then sent twice", long, func(r *http.Request, n network) { all(r.Body); n.connect(); n.connect() }, true},
		{"buffered, sent twice, and read in part between", long, func(r *http.Request, n network) {
			all(r.Body)
			n.connect()
			n.wrote(nil)
			some(copyOf(r), 10)
			n.connect()
		}, true},
		{"a connection that fails, then a buffered body", long, func(r *http.Request, n network) { all(r.Body); n.ask(); n.connect() }, false},
		{"signed, sent, lost in the middle, sent", long, func(r *http.Request, n network) {
			all(copyOf(r))
			n.connect()
			some(r.Body, 10)
			n.wrote(errLost)
			n.connect()
			all(copyOf(r))
		}, false},
		{"signed, sent, signed, sent", long, func(r *http.Request, n network) {
			all(copyOf(r))
			n.connect()
			all(r.Body)
			all(copyOf(r))
			n.connect()
			all(copyOf(r))
		}, true},
		{"signed and sent", long, func(r *http.Request, n network) { all(copyOf(r)); all(copyOf(r)); n.connect(); all(r.Body) }, false},
		{"a copy begun, the connection had, the copy and the body read", long, func(r *http.Request, n network) {
			c := copyOf(r)
			some(c, 10)
			n.connect()
			all(c)
			all(r.Body)
		}, false},
		{"the same, the copy read last", long, func(r *http.Request, n network) {
			c := copyOf(r)
			some(c, 10)
			n.connect()
			all(r.Body)
			all(c)
		}, false},
		{"buffered, sent twice, and a third time in part", long, func(r *http.Request, n network) {
			all(r.Body)
			n.connect()
			n.connect()
			some(copyOf(r), 10)
			n.connect()
		}, true},
		{"the end read twice", long, func(r *http.Request, n network) { n.connect(); all(r.Body); all(r.Body) }, false},
		{"two whole bodies on what is called one connection", long, func(r *http.Request, n network) { n.connect(); all(r.Body); all(copyOf(r)) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := c.name == "two whole bodies on what is called one connection" // with NoReplay the second has no last byte
			for _, answer := range []bool{true, false} {
				r := send(func(r *http.Request) (*http.Response, error) {
					if c.rt(r, of(r)); answer {
						return accepted(), nil
					}
					return nil, errLost
				}, c.body, exchange.Options{SuccessBody: 100})
				assert.Equal(t, c.replayed, r.Replayed)
				assert.True(t, r.FullySent)
				assert.Equal(t, answer, r.Err == nil, r.Err)

				r = send(func(r *http.Request) (*http.Response, error) { // does not look at its context
					if c.rt(r, of(r)); answer {
						return accepted(), nil
					}
					return nil, errLost
				}, c.body, exchange.Options{SuccessBody: 100, NoReplay: true})
				assert.Equal(t, c.replayed && answer && !one, r.Replayed)
			}
			r := send(func(r *http.Request) (*http.Response, error) {
				c.rt(r, of(r))
				if r.Context().Err() != nil {
					return nil, r.Context().Err()
				}
				return accepted(), nil
			}, c.body, exchange.Options{SuccessBody: 100, NoReplay: true})
			assert.True(t, r.FullySent)
			assert.False(t, r.Replayed)
			assert.NoError(t, r.SourceErr)
			assert.Equal(t, c.replayed && !one, r.Err == exchange.ErrReplay, r.Err)
		})
	}
}

// nowhere is a connection without an end, as httputil.DumpRequestOut has it.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return nil }

// TestASecondWholeBodyHasNoEnd with NoReplay, so it is no second request.
func TestASecondWholeBodyHasNoEnd(t *testing.T) {
	r := send(func(r *http.Request) (*http.Response, error) {
		of(r).connect()
		assert.Len(t, all(r.Body), 1000)
		_, err := io.Copy(io.Discard, io.LimitReader(copyOf(r), 999))
		assert.NoError(t, err)
		n, err := io.Copy(io.Discard, copyOf(r))
		assert.Equal(t, exchange.ErrReplay, err)
		assert.Less(t, n, int64(1000))
		return accepted(), nil
	}, long, exchange.Options{SuccessBody: 100, NoReplay: true})
	assert.NoError(t, r.SourceErr)
}

// TestTheBodyIsRead from the first Read on, whoever reads and whatever is sent.
func TestTheBodyIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		rt   func(r *http.Request, n network)
		read bool
	}{
		"nothing":             {func(r *http.Request, n network) { n.connect() }, false},
		"a byte":              {func(r *http.Request, n network) { n.connect(); some(r.Body, 1) }, true},
		"a byte of a copy":    {func(r *http.Request, n network) { some(copyOf(r), 1); _ = copyOf(r); n.ask() }, true},
		"a copy, unread":      {func(r *http.Request, n network) { _ = copyOf(r); n.connect() }, false},
		"the second copy":     {func(r *http.Request, n network) { _ = copyOf(r); some(copyOf(r), 1) }, true},
		"with no room at all": {func(r *http.Request, n network) { _, _ = r.Body.Read(nil) }, true},
	} {
		r := send(func(r *http.Request) (*http.Response, error) { c.rt(r, of(r)); return nil, errLost }, long, exchange.Options{})
		assert.Equal(t, c.read, r.BodyRead, name)
	}
}

// TestLostExpect: a connection that is lost before Expect: 100-continue has an answer,
// and with no byte of the body, says that the server does not know it.
func TestLostExpect(t *testing.T) {
	for name, c := range map[string]struct {
		rt   func(r *http.Request, n network)
		lost bool
	}{
		"nothing read":                 {func(r *http.Request, n network) { n.connect(); n.wrote(nil) }, true},
		"nothing read, and no trace":   {func(r *http.Request, n network) {}, true},
		"a few bytes signed":           {func(r *http.Request, n network) { some(copyOf(r), 64); n.connect() }, true},
		"a byte of the body":           {func(r *http.Request, n network) { n.connect(); some(r.Body, 1) }, false},
		"no connection":                {func(r *http.Request, n network) { n.ask() }, false},
		"a whole copy, perhaps sent":   {func(r *http.Request, n network) { all(copyOf(r)); n.connect(); n.wrote(nil) }, false},
		"a few bytes, and no trace":    {func(r *http.Request, n network) { some(r.Body, 1) }, false},
		"buffered, then no connection": {func(r *http.Request, n network) { all(r.Body); n.ask() }, false},
	} {
		for _, expect := range []bool{true, false} {
			assert.Equal(t, expect && c.lost, lostExpect(t, expect, c.rt, long, nil), name)
			assert.False(t, lostExpect(t, expect, c.rt, long, respond(417, strings.NewReader(""))), name)
		}
	}
	empty := body{chunked: true}
	assert.False(t, lostExpect(t, true, func(r *http.Request, n network) { n.connect(); all(r.Body) }, empty, nil), "an empty body was sent")
}

func lostExpect(t *testing.T, expect bool, rt func(*http.Request, network), b exchange.Body, answer *http.Response) bool {
	header := http.Header{}
	if expect {
		header["Expect"] = []string{"100-continue"}
	}
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
	return exchange.Send(t.Context(), transport(func(r *http.Request) (*http.Response, error) {
		if rt(r, of(r)); answer != nil {
			return answer, nil
		}
		return nil, errLost
	}), req, header, b, exchange.Options{}).LostExpect
}

// conn is a connection to an address.
type conn struct {
	net.Conn
	to            net.Addr
	writeDeadline time.Time
}

func (c *conn) RemoteAddr() net.Addr                { return c.to }
func (c *conn) SetWriteDeadline(at time.Time) error { c.writeDeadline = at; return nil }

// TestAnAnswerBehindABrokenConnection: net/http drops an answer if it hears first that
// its connection broke, so the report of that waits a moment for the answer.
func TestAnAnswerBehindABrokenConnection(t *testing.T) {
	tcp := &conn{to: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}}
	pipe, _ := net.Pipe()
	for _, c := range []struct {
		name   string
		conn   net.Conn
		lost   error
		answer time.Duration
		waits  time.Duration
	}{
		{"answered", tcp, errLost, 100 * time.Millisecond, 100 * time.Millisecond},
		{"not answered", tcp, errLost, time.Minute, 250 * time.Millisecond},
		{"written well", tcp, nil, time.Minute, 0},
		{"no connection is shown", nil, errLost, time.Minute, 0},
		{"a pipe, which loses nothing", pipe, errLost, time.Minute, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			waited := make(chan time.Duration, 1)
			r := send(func(r *http.Request) (*http.Response, error) {
				of(r).ask()
				of(r).GotConn(httptrace.GotConnInfo{Conn: c.conn})
				some(r.Body, 10)
				go func() {
					start := time.Now()
					of(r).wrote(c.lost)
					waited <- time.Since(start)
				}()
				time.Sleep(c.answer)
				return accepted(), nil
			}, long, exchange.Options{SuccessBody: 100})
			assert.Equal(t, 1, r.Conns, c.name)
			assert.Equal(t, c.waits, <-waited, c.name)
		})
	}
}

// TestAReplayWritesNothing, even where a transport looks at its context too late.
func TestAReplayWritesNothing(t *testing.T) {
	for name, again := range map[string]*conn{"shown": {to: &net.TCPAddr{}}, "not shown": nil} {
		first := &conn{to: &net.TCPAddr{}}
		r := send(func(r *http.Request) (*http.Response, error) {
			of(r).GotConn(httptrace.GotConnInfo{Conn: first})
			of(r).WroteHeaderField("Host", nil)
			all(r.Body)
			var info httptrace.GotConnInfo
			if again != nil {
				info.Conn = again
			}
			of(r).GotConn(info)
			of(r).WroteHeaderField("Host", nil)
			return nil, errLost
		}, long, exchange.Options{NoReplay: true})
		assert.Equal(t, exchange.ErrReplay, r.Err, name)
		assert.True(t, first.writeDeadline.IsZero(), name)
		assert.True(t, again == nil || again.writeDeadline.Before(time.Now()) && !again.writeDeadline.IsZero(), name)
	}
	send(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, of(r).WroteHeaderField)
		return nil, errLost
	}, long, exchange.Options{})
}

// TestAProxyFunctionThatFails comes before net/http asks for a connection, and before it
// reads the body.
func TestAProxyFunctionThatFails(t *testing.T) {
	rt := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errLost }}
	for _, b := range []exchange.Body{nil, long} {
		req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
		r := exchange.Send(t.Context(), rt, req, http.Header{}, b, exchange.Options{})
		assert.ErrorIs(t, r.Err, errLost)
		assert.Equal(t, b == nil, r.NotSent)
		assert.False(t, r.FullySent)
	}
}
