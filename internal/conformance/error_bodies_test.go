package conformance_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

var otherStatuses = []int{300, 301, 302, 303, 305, 307, 308, 402, 405, 406, 408, 410, 411, 413, 414, 415, 417, 418, 421, 423, 425, 426, 428, 431, 444, 451, 499, 501, 505, 507, 520, 529, 599, 600, 999}

func allStatuses() (all []int) {
	for status := range harness.StatusTypes {
		all = append(all, status)
	}
	return append(all, otherStatuses...)
}

const keptBody = 256 << 10

func utf16Text(s string) string {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, append([]uint16{0xfeff}, utf16.Encode([]rune(s))...))
	return b.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func contentEncoding(coding string) http.Header { return http.Header{"Content-Encoding": {coding}} }

// A bodyShape is one form in which an error can come.
type bodyShape struct {
	fault  ambienttest.Fault
	detail string
	fields []ambient.FieldError
	body   string // kept, where it is not the fault's
}

var missingTemplates = []ambient.FieldError{{Path: "body.template_ids", Message: "field required", Type: "value_error.missing"}}

var bodyShapes = map[string]bodyShape{
	"documented":         {fault: ambienttest.Fault{Body: `{"detail": "Could not validate credentials"}`}, detail: "Could not validate credentials"},
	"plural key":         {fault: ambienttest.Fault{Body: `{"details": "Too many requests"}`}, detail: "Too many requests"},
	"error.message":      {fault: ambienttest.Fault{Body: `{"error": {"message": "boom"}}`}, detail: "boom"},
	"FastAPI":            {fault: ambienttest.Fault{Body: `{"detail": [{"loc": ["body", "template_ids"], "msg": "field required", "type": "value_error.missing"}]}`}, detail: "body.template_ids: field required", fields: missingTemplates},
	"FastAPI with input": {fault: ambienttest.Fault{Body: `{"detail": [{"type": "value_error.missing", "loc": ["body", "template_ids"], "msg": "field required", "input": {"patient_name": "Jane"}, "ctx": {"error": {}}}]}`}, detail: "body.template_ids: field required", fields: missingTemplates},
	"detail an object":   {fault: ambienttest.Fault{Body: `{"detail": {"code": "E7", "message": "boom"}}`}, detail: "boom"},
	"list of texts":      {fault: ambienttest.Fault{Body: `{"detail": ["one", "two"]}`}, detail: "one; two"},
	"HTML":               {fault: ambienttest.Fault{Body: "<html><body>502 Bad Gateway</body></html>"}},
	"text":               {fault: ambienttest.Fault{Body: "upstream connect error"}, detail: "upstream connect error"},
	"truncated JSON":     {fault: ambienttest.Fault{Body: `{"detail": "Transcrip`}},
	"wrong content type": {fault: ambienttest.Fault{Header: http.Header{"Content-Type": {"text/html"}}, Body: `{"detail": "boom"}`}, detail: "boom"},
	"endless":            {fault: ambienttest.Fault{Body: "<html>", BodySize: ambienttest.Endless}, body: "\x00"},
	"gzip":               {fault: ambienttest.Fault{Header: contentEncoding("gzip"), Body: gzipped(`{"detail": "boom"}`)}, detail: "boom", body: `{"detail": "boom"}`},
	"gzip bomb":          {fault: ambienttest.Fault{Header: contentEncoding("gzip"), Body: gzipped(strings.Repeat("<", 1<<20))}, body: strings.Repeat("<", keptBody)},
	"gzip that is none":  {fault: ambienttest.Fault{Header: contentEncoding("gzip"), Body: "plainly not"}, body: "\x00"},
	"unasked gzip":       {fault: ambienttest.Fault{Body: gzipped(`{"detail": "boom"}`)}},
	"binary":             {fault: ambienttest.Fault{Body: "\x89PNG\r\n\x1a\n\x00\xff\xfe"}},
	"deeply nested":      {fault: ambienttest.Fault{Body: strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5)}},
	"empty":              {fault: ambienttest.Fault{}},
	"null":               {fault: ambienttest.Fault{Body: "null"}},
	"number":             {fault: ambienttest.Fault{Body: "42"}},
	"duplicated keys":    {fault: ambienttest.Fault{Body: `{"detail": "one", "detail": "two"}`}, detail: "two"},
	"UTF-16":             {fault: ambienttest.Fault{Body: utf16Text(`{"detail": "boom"}`)}},
	"NUL bytes":          {fault: ambienttest.Fault{Body: "a\x00b"}},
	"one line of 1 MB":   {fault: ambienttest.Fault{Body: strings.Repeat("x", 1<<20)}, detail: strings.Repeat("x", 4096), body: strings.Repeat("x", keptBody)},
	"cut off":            {fault: ambienttest.Fault{Body: `{"detail": "Transcription not found"}`, Truncate: true}, body: "\x00"},
}

// statuses are all of them, or some where the body is long.
func (s bodyShape) statuses() []int {
	if s.fault.BodySize > 0 || len(s.fault.Body) > 4096 || strings.HasPrefix(s.body, "<") {
		return []int{404, 418, 503}
	}
	return allStatuses()
}

func TestEveryStatusWithEveryBody(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		n := 0
		for name, shape := range bodyShapes {
			for _, status := range shape.statuses() {
				n++
				shape.fault.Status = status
				srv.Fault("GET /transcribe/{id}", n, shape.fault)
				client := harness.NewClient(t, srv, ambient.WithToken("token"), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1}))
				_, err := client.Transcriptions.Get(context.Background(), 7)

				for _, err := range []error{err, fmt.Errorf("visit 3: %w", err), errors.Join(io.EOF, fmt.Errorf("%w, %w", io.EOF, err))} {
					harness.CheckType(t, status, err)
				}
				api := harness.CheckType(t, status, err)
				assert.Equal(t, shape.detail, api.Detail, name)
				assert.Equal(t, shape.fields, api.Fields, name)
				assert.LessOrEqual(t, len(api.Body()), keptBody, name)
				switch shape.body {
				case "": // as it was sent
					assert.Equal(t, shape.fault.Body, string(api.Body()), name)
				case "\x00": // some of it
				default:
					assert.Equal(t, shape.body, string(api.Body()), name)
				}
				assert.Less(t, len(api.Error()), 600, name)
				assert.NotContains(t, api.Error(), "\n", name)
				if t.Failed() {
					t.Fatalf("%d %s", status, name)
				}
			}
		}
		srv.AssertCount(t, "GET /transcribe/{id}", n)
	})
}

func TestEveryStatusEndsAWait(t *testing.T) {
	t.Parallel()
	for _, status := range allStatuses() {
		harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
			srv.FaultRange("GET /transcribe/{id}", 1, 10_000, ambienttest.Answer(status))
			client := harness.NewClient(t, srv, ambient.WithToken("token"), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1, MaxLimitWait: -1}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // which alone bounds a wait for the rate limit
			defer cancel()
			_, err := client.Transcriptions.Wait(ctx, 7)

			wait, ok := errors.AsType[*ambient.WaitError](err)
			require.True(t, ok)
			assert.EqualValues(t, 7, wait.ID)
			harness.CheckType(t, status, err)
			assert.True(t, ambient.MaybeSubmitted(err))
		})
	}
}

// An endless body costs its kept part, whatever the server goes on sending.
func TestErrorBodiesAreBoundedInMemory(t *testing.T) {
	client, err := ambient.NewClient(ambient.WithToken("token"), ambient.WithHTTPClient(&http.Client{Transport: replyWith(func(*http.Request) *http.Response {
		return &http.Response{StatusCode: 404, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(endlessBody{})}
	})}))
	require.NoError(t, err)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = client.Transcriptions.Get(context.Background(), 7)
	runtime.ReadMemStats(&after)
	assert.Len(t, harness.CheckType(t, 404, err).Body(), keptBody)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*keptBody))
}

// replyWith is a transport.
type replyWith func(*http.Request) *http.Response

func (f replyWith) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return f(r), nil
}

type endlessBody struct{}

func (endlessBody) Read(p []byte) (int, error) {
	return copy(p, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), nil
}

// Whatever an answer is, its status is known and its text is short and masked.
func FuzzErrorBody(f *testing.F) {
	for name, shape := range bodyShapes {
		if len(shape.fault.Body) < 5000 {
			f.Add(uint16(len(name)), []byte(shape.fault.Body))
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, body []byte) {
		status := 300 + int(n)%700
		body = bytes.ReplaceAll(body, []byte("$"), []byte(" "+canaryWord+" "))
		client := canned(t, &loudWatch{}, reply(status, string(body)))
		_, err := client.Transcriptions.Get(t.Context(), 7)
		api := harness.CheckType(t, status, err)
		assert.LessOrEqual(t, len(api.Fields), 100)
		assert.Equal(t, string(body), string(api.Body()))
		assert.Less(t, len(err.Error()), 1000)
		assert.NotContains(t, strings.ToLower(err.Error()+ambient.SupportReport(err)), canaryWord)
	})
}

// A body whose Read gives a count that cannot be is an answer that was lost on its way.
func TestResponseBodiesWithWrongCounts(t *testing.T) {
	for _, status := range []int{200, 503} {
		for _, count := range []wildBody{func(int) int { return -1 }, func(asked int) int { return asked + 1 }} {
			client, err := ambient.NewClient(ambient.WithToken("token"), ambient.WithHTTPClient(&http.Client{Transport: replyWith(func(*http.Request) *http.Response {
				return &http.Response{StatusCode: status, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(count)}
			})}))
			require.NoError(t, err)
			_, err = harness.SubmitOf(t.Context(), client, harness.Visit(), ambient.WithMaxAttempts(1))
			if status == 200 {
				network, ok := errors.AsType[*ambient.NetworkError](err)
				require.True(t, ok, "%v", err)
				assert.ErrorContains(t, network, "a read gave a count that cannot be")
				assert.True(t, ambient.MaybeSubmitted(err))
			} else {
				harness.CheckType(t, status, err)
			}
		}
	}
}

type wildBody func(asked int) int

func (w wildBody) Read(p []byte) (int, error) { return w(len(p)), nil }
