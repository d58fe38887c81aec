package conformance_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"log/slog"
	gobig "math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
	"github.com/ambient-scribe/ambient-go/internal/conformance/harness"
)

// dialTo returns a transport whose connections are served by serve.
func dialTo(serve func(net.Conn)) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 1 << 14, DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			serve(server)
		}()
		return client, nil
	}}
}

// says answers each request with these bytes.
func says(text string) *http.Transport {
	return dialTo(func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(c, text)
	})
}

// blurts does not wait for a request that it could understand.
func blurts(text string) *http.Transport {
	return dialTo(func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = io.WriteString(c, text)
	})
}

func loudCertificate(t *testing.T, notAfter time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: gobig.NewInt(77310042), NotAfter: notAfter, DNSNames: []string{canaryWord + ".example"},
		Subject: pkix.Name{CommonName: canary, Organization: []string{canary}}, Issuer: pkix.Name{CommonName: canary},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func trusting(t *testing.T, c tls.Certificate) *x509.CertPool {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool
}

// In these failures between client and service, the error of net/http quotes the other
// side.
func TestNoNetworkFailureShowsData(t *testing.T) {
	t.Parallel()
	proxied := func(transport *http.Transport, proxy string) *http.Transport {
		u, err := url.Parse(proxy)
		require.NoError(t, err)
		transport.Proxy = http.ProxyURL(u)
		return transport
	}
	certificate := loudCertificate(t, time.Now().Add(time.Hour))
	expired := loudCertificate(t, time.Now().Add(-time.Hour))
	secured := func(cert tls.Certificate, roots *x509.CertPool, name string) *http.Transport {
		transport := dialTo(func(c net.Conn) { _ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake() })
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: name}
		return transport
	}
	plain, secure := "http://127.0.0.1:9/zanqxbase", "https://zanqx.example/zanqxbase"
	for name, c := range map[string]struct {
		base      string
		transport http.RoundTripper
	}{
		"no HTTP":                {plain, says(canary + "\r\n\r\n")},
		"odd version":            {plain, says("HTTP/1.x " + canary + "\r\n\r\n")},
		"odd status":             {plain, says("HTTP/1.1 zanqx " + canary + "\r\n\r\n")},
		"odd header":             {plain, says("HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n")},
		"odd header name":        {plain, says("HTTP/1.1 200 OK\r\nzanqx ford: x\r\n\r\n")},
		"odd length":             {plain, says("HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n")},
		"two lengths":            {plain, says("HTTP/1.1 200 OK\r\nContent-Length: 77310042\r\nContent-Length: 1\r\n\r\n")},
		"odd coding":             {plain, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n")},
		"odd chunks":             {plain, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n")},
		"endless header":         {plain, says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(canary, 1e3))},
		"cut off":                {plain, says("HTTP/1.1 200 " + canary + "\r\nContent-Length: 1000\r\n\r\n" + canary)},
		"cut off in the header":  {plain, says("HTTP/1.1 200 " + canary + "\r\nX-" + canary)},
		"reason phrase":          {plain, says("HTTP/1.1 404 " + canary + "\r\n\r\n" + canary)},
		"redirect":               {plain, says("HTTP/1.1 307 x\r\nLocation: http://zanqx.example/" + canary + "\r\n\r\n")},
		"upgrade":                {plain, says("HTTP/1.1 101 " + canary + "\r\nUpgrade: zanqx\r\nConnection: upgrade\r\n\r\n")},
		"proxy refuses":          {secure, proxied(says("HTTP/1.1 407 "+canary+"\r\n\r\n"), "http://zanqxuser:zanqx77@proxy.zanqx:1")},
		"proxy talks":            {secure, proxied(says(canary+"\r\n\r\n"), "http://zanqxuser:zanqx77@proxy.zanqx:1")},
		"proxy is down":          {secure, proxied(dialTo(func(c net.Conn) { c.Close() }), "http://zanqxuser:zanqx77@proxy.zanqx:1")},
		"proxy of an odd scheme": {secure, proxied(&http.Transport{}, "zanqx://zanqxuser:zanqx77@proxy.zanqx:1")},
		"SOCKS proxy":            {secure, proxied(blurts(canary), "socks5://zanqxuser:zanqx77@proxy.zanqx:1")},
		"proxy function fails":   {secure, &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New(canary) }}},
		"dialer fails":           {secure, &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New(canary) }}},
		"no such host": {"https://zanqx.invalid", &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: canaryWord, Server: canary}
		}}},
		"certificate not trusted":  {secure, secured(certificate, nil, "")},
		"certificate of another":   {secure, secured(certificate, trusting(t, certificate), "")},
		"certificate has expired":  {secure, secured(expired, trusting(t, expired), canaryWord+".example")},
		"plain HTTP where TLS was": {secure, blurts("HTTP/1.1 400 " + canary + "\r\n\r\n")},
	} {
		w := &loudWatch{}
		client := canned(t, w, c.transport, ambient.WithBaseURL(c.base), ambient.WithRetryPolicy(ambient.RetryPolicy{MaxAttempts: 1}))
		_, err := client.Transcriptions.Get(t.Context(), 7)
		w.showsNothing(t, err)
		_, err = client.Transcriptions.Submit(t.Context(), loudTranscription())
		w.showsNothing(t, err)
		require.False(t, t.Failed(), name)
	}
}

// Requests that are refused, and options.
func TestNoRefusalShowsData(t *testing.T) {
	t.Parallel()
	w := &loudWatch{}
	client := canned(t, w, harness.FailWith{Err: errors.New("nothing is sent")})
	transcribe := func(change func(*ambient.TranscriptionRequest)) error {
		r := loudTranscription()
		change(r)
		_, err := client.Transcriptions.Submit(t.Context(), r)
		return err
	}
	scribe := func(change func(*ambient.ScribeRequest)) error {
		r := loudScribe()
		change(r)
		_, err := client.Scribes.Create(t.Context(), r)
		return err
	}
	directory := filepath.Join(t.TempDir(), canaryWord)
	require.NoError(t, os.Mkdir(directory, 0o700))
	option := func(o ambient.Option) error {
		_, err := ambient.NewClient(ambient.WithToken("token"), o)
		return err
	}
	for name, err := range map[string]error{
		"no file":     transcribe(func(r *ambient.TranscriptionRequest) { r.Audio = ambient.AudioFile(directory + "/" + canary) }),
		"directory":   transcribe(func(r *ambient.TranscriptionRequest) { r.Audio = ambient.AudioFile(directory) }),
		"NUL in path": transcribe(func(r *ambient.TranscriptionRequest) { r.Audio = ambient.AudioFile(canary + "\x00") }),
		"fs":          transcribe(func(r *ambient.TranscriptionRequest) { r.Audio = ambient.AudioFS(os.DirFS(directory), "../"+canary) }),
		"empty":       transcribe(func(r *ambient.TranscriptionRequest) { r.Audio = ambient.AudioBytes(canary, nil) }),
		"year": transcribe(func(r *ambient.TranscriptionRequest) {
			r.DateOfService = time.Date(77310042, 1, 1, 0, 0, 0, 0, time.UTC)
		}),
		"context a text":  transcribe(func(r *ambient.TranscriptionRequest) { r.AdditionalContext = canary }),
		"context a func":  transcribe(func(r *ambient.TranscriptionRequest) { r.AdditionalContext = map[string]any{canary: func() {}} }),
		"context a chan":  transcribe(func(r *ambient.TranscriptionRequest) { r.AdditionalContext = struct{ Zanqx chan int }{} }),
		"no templates":    scribe(func(r *ambient.ScribeRequest) { r.TemplateIDs = nil }),
		"bad template":    scribe(func(r *ambient.ScribeRequest) { r.TemplateIDs = []int64{-77310042} }),
		"empty text":      scribe(func(r *ambient.ScribeRequest) { r.Transcripts = []string{canary, ""} }),
		"path":            client.Do(t.Context(), "GET", "https://zanqx.example/"+canary, nil, nil),
		"path with %":     client.Do(t.Context(), "GET", "/%zz"+canary, nil, nil),
		"method":          client.Do(t.Context(), canary, "/visits", nil, nil),
		"body":            client.Do(t.Context(), "POST", "/visits", map[string]any{canary: func() {}}, nil),
		"sent":            client.Do(t.Context(), "GET", "/visits/"+canaryWord+"?"+canaryWord, nil, nil),
		"WithBaseURL":     option(ambient.WithBaseURL("https://zanqxuser:zanqx77@zanqx.example?" + canaryWord)),
		"WithBaseURL, %":  option(ambient.WithBaseURL("https://zanqx%zz.example/" + canary)),
		"WithToken":       option(ambient.WithToken(canary)),
		"WithHeader":      option(ambient.WithHeader(canary, canary)),
		"WithHeader, CR":  option(ambient.WithHeader("X-Zanqx", canary+"\r\n")),
		"WithUserAgent":   option(ambient.WithUserAgent(canary + "\n")),
		"WithCredentials": option(ambient.WithCredentials(canary, "")),
	} {
		require.Error(t, err, name)
		w.showsNothing(t, err)
		require.False(t, t.Failed(), name)
	}
}

func TestNoJobShowsData(t *testing.T) {
	t.Parallel()
	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		fields := map[string]any{"raw_text": canary, "error_message": canary, canaryWord: canary}
		for _, status := range []string{"STT_ERROR", "STT_INCOMPLETE"} {
			w := &loudWatch{}
			srv.ScriptTranscription(ambienttest.Step{Status: canary, For: time.Minute, Fields: fields}, ambienttest.Step{Status: status, Fields: fields})
			client := harness.NewClient(t, srv, w.options()...)
			job, err := client.Transcriptions.SubmitAndWait(context.Background(), loudTranscription(), w.onPoll())
			assert.Equal(t, canary, job.ErrorMessage)
			assert.Empty(t, leak(printed(everyFormat, job)+logged(job)))
			assert.Contains(t, ambient.SupportReport(err), status)
			w.showsNothing(t, err)
		}
		w := &loudWatch{}
		srv.ScriptScribe(ambienttest.Step{Status: canary, For: time.Minute, Fields: fields}, ambienttest.Step{Status: "FAILED", Fields: fields})
		_, err := harness.NewClient(t, srv, w.options()...).Scribes.CreateAndWait(context.Background(), loudScribe(), w.onPoll())
		w.showsNothing(t, err)

		srv.ScriptScribe(ambienttest.Step{Status: canary, Fields: fields})
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, errors.New(canary))
		defer cancel()
		_, err = harness.NewClient(t, srv, w.options()...).Scribes.CreateAndWait(ctx, loudScribe(), w.onPoll())
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		w.showsNothing(t, err)
	})
}

// The server's own way of repeating what it was sent, and refusals by the rate
// limit, with all that lies between.
func TestNoWholeCallShowsData(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := ambienttest.StartInMemory(t, ambienttest.WithCredentials(canaryWord, canary), ambienttest.WithTemplates(8))
		loud := ambienttest.Fault{Status: 503, Header: loudHeader(), Body: loudBodies[3]}
		loud.Header.Set("Retry-After", "1")
		loud.Header.Del("Date")
		limited := loud
		limited.Status = 429
		srv.Fault("POST /scribe", 1, loud)
		srv.Fault("POST /scribe", 2, limited)
		late := loud
		late.Status = 408
		srv.Fault("POST /scribe", 3, late)
		w := &loudWatch{}
		client := harness.NewClient(t, srv, w.options()...)
		_, err := client.Scribes.Create(t.Context(), loudScribe()) // no such template
		require.Error(t, err)
		assert.Equal(t, 4, strings.Count(ambient.SupportReport(err), "Attempt "))
		w.showsNothing(t, err)

		limited.Header.Set("Retry-After", "3600")
		srv.Fault("GET /scribe/{id}", 1, limited)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = client.Scribes.Get(ctx, 7)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		w.showsNothing(t, err)
		_, err = client.Scribes.Wait(ctx, 7, w.onPoll())
		w.showsNothing(t, err)

		_, err = harness.NewClient(t, srv, append(w.options(), ambient.WithCredentials(canaryWord, canary+"!"))...).Scribes.Get(t.Context(), 7)
		harness.CheckType(t, 401, err)
		w.showsNothing(t, err)
	})
}

// Without a logger or observer nothing is written anywhere.
func TestSilentByDefault(t *testing.T) {
	t.Parallel()
	var written strings.Builder
	old := slog.Default()
	flags, out := log.Flags(), log.Writer()
	slog.SetDefault(slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug - 100})))
	log.SetOutput(&written)
	stderr, stdout := os.Stderr, os.Stdout
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	os.Stderr, os.Stdout = file, file
	defer func() {
		os.Stderr, os.Stdout = stderr, stdout
		slog.SetDefault(old)
		log.SetOutput(out)
		log.SetFlags(flags)
	}()

	harness.InBubble(t, func(t *testing.T, srv *ambienttest.Server) {
		srv.FaultRange("POST /transcribe", 1, 2, ambienttest.Answer(503))
		srv.Fault("POST /transcribe", 3, ambienttest.Fault{Status: 500, Process: true})
		srv.Fault("GET /transcribe/{id}", 1, ambienttest.RetryAfter(429, "1"))
		srv.Fault("GET /transcribe/{id}", 2, ambienttest.Fault{Status: 200, Body: canary})
		srv.Fault("GET /transcribe/{id}", 3, ambienttest.Answer(403))
		client := harness.NewClient(t, srv)
		_, err := client.Transcriptions.SubmitAndWait(t.Context(), loudTranscription())
		require.Error(t, err)
	})
	require.NoError(t, file.Close())
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.Empty(t, string(text))
	assert.Empty(t, written.String())
}
