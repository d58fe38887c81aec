package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

// What a call may be, as far as the policy tells calls apart.
const (
	read   = "read"   // GET
	token  = "token"  // POST /auth/token
	submit = "submit" // POST of a job
)

var callRoute = map[string]string{
	read:   "GET /transcribe/{id}",
	token:  "POST /auth/token",
	submit: "POST /transcribe",
}

// How many requests of a row meet its fault.
const (
	once   = 1
	twice  = 2
	always = 1000
)

// policyRow is one cell of the package documentation's table: what becomes of
// a call whose requests meet an outcome.
type policyRow struct {
	outcome  string // as the documentation's table names it
	kind     string // read, token or submit
	policy   ambient.SubmitRetry
	met      int // requests that meet it, from the first on
	fault    ambienttest.Fault
	source   string // of the audio; "" is memory
	dialFail bool   // no connection is had; takes the place of fault

	requests          int   // that arrive at the server
	err               error // a nil pointer of the expected type; nil = success
	status            int   // of the error, if it has one
	sent              ambient.Delivery
	maybeSubmitted    bool
	possibleDuplicate bool
}

func (r policyRow) name() string {
	policy := ""
	if r.kind == submit {
		policy = "/" + map[ambient.SubmitRetry]string{ambient.RetryDocumented: "RetryDocumented", ambient.RetrySafe: "RetrySafe"}[r.policy]
	}
	return fmt.Sprintf("%s/%s%s/%s", r.outcome, r.kind, policy, map[int]string{0: "never", once: "once", twice: "twice", always: "always"}[r.met])
}

func (r policyRow) run(t *testing.T, srv *ambienttest.Server) {
	dialer := &failingDialer{}
	client := newClient(t, srv,
		ambient.WithRetryPolicy(ambient.RetryPolicy{Submits: r.policy}),
		ambient.WithHTTPClient(dialer.client(srv.Client())))
	id := int64(0)
	if r.kind == read {
		id = submitted(t, client)
	} else if r.kind == submit {
		require.NoError(t, client.Authenticate(t.Context()))
	}
	before := len(srv.RequestsTo(callRoute[r.kind]))
	switch {
	case r.dialFail:
		dialer.fail(r.met)
	case r.met > 0:
		srv.FaultRange(callRoute[r.kind], before+1, before+r.met, r.fault)
	}

	duplicate, err := r.call(client, id)

	assert.Len(t, srv.RequestsTo(callRoute[r.kind])[before:], r.requests, "requests")
	if r.err == nil {
		assert.NoError(t, err)
	} else if assert.Error(t, err) {
		target := reflect.New(reflect.TypeOf(r.err))
		assert.Truef(t, errors.As(err, target.Interface()), "is %T: %v, want %T", err, err, r.err)
	}
	if _, ok := errors.AsType[*ambient.AudioError](err); ok {
		arrived := srv.RequestsTo(callRoute[submit])[before]
		assert.False(t, arrived.Complete, "a body that is short must not look whole")
		assert.Zero(t, arrived.Status)
	}
	if api, ok := errors.AsType[*ambient.APIError](err); ok {
		assert.Equal(t, r.status, api.StatusCode)
	} else {
		assert.Zero(t, r.status)
	}
	if network, ok := errors.AsType[*ambient.NetworkError](err); ok {
		assert.Equal(t, r.sent, network.Sent, "%v", err)
	}
	assert.Equal(t, r.maybeSubmitted, ambient.MaybeSubmitted(err), "MaybeSubmitted of %v", err)
	assert.Equal(t, r.possibleDuplicate, duplicate, "PossibleDuplicate")
	if r.source == "reader" && err != nil && r.fault.Status != 400 {
		assert.ErrorContains(t, err, "not repeated: the audio cannot be read twice")
	}
}

func (r policyRow) call(client *ambient.Client, id int64) (duplicate bool, err error) {
	ctx := context.Background()
	switch r.kind {
	case read:
		_, err = client.Transcriptions.Get(ctx, id)
		return false, err
	case token:
		return false, client.Authenticate(ctx)
	}
	sub, err := client.Transcriptions.Submit(ctx, &ambient.TranscriptionRequest{Audio: audioOf(r.source)})
	return sub != nil && sub.PossibleDuplicate(), err
}

// failingDialer makes a transport's next dials fail, and keeps no connection
// from one request to the next: net/http repeats a GET by itself when a kept
// connection is lost, which is not what is counted here.
type failingDialer struct{ left int }

func (d *failingDialer) fail(n int) { d.left = n }

func (d *failingDialer) client(c *http.Client) *http.Client {
	transport := c.Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if d.left > 0 {
			d.left--
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return dial(ctx, network, addr)
	}
	return &http.Client{Transport: transport}
}

// TestPolicyTable shows what the package documentation's table says of every
// outcome, for reads, token calls and submits.
func TestPolicyTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, row := range policyTable() {
		name := row.name()
		for n := 2; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", row.name(), n)
		}
		names[name] = true
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			inBubble(t, row.run)
			assert.Less(t, time.Since(start), 5*time.Second, "real time")
		})
	}
}
