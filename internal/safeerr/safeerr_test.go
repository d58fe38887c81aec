//go:build !plan9

package safeerr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
)

// secret stands in every place of an error that is not the SDK's to show.
const secret = "zanzibarius"

// textError is an error of a caller who thinks of fmt's every verb.
type textError string

func (e textError) Error() string { return string(e) }

// chattyError formats itself.
type chattyError struct{ text string }

func (e chattyError) Error() string                 { return e.text }
func (e chattyError) Format(s fmt.State, verb rune) { fmt.Fprint(s, e.text) }
func (e chattyError) MarshalJSON() ([]byte, error)  { return json.Marshal(e.text) }

// listError cannot be compared.
type listError []string

func (e listError) Error() string { return strings.Join(e, ", ") }

// brokenError panics.
type brokenError struct{ text *string }

func (e *brokenError) Error() string { return *e.text }

var errnoOf = syscall.ECONNREFUSED

var foreign = map[string]struct {
	err  error
	text string
}{
	"free text":          {errors.New("no recording of " + secret), "no recording of …"},
	"text type":          {textError(secret), "…"},
	"own Format":         {chattyError{secret}, "…"},
	"list":               {listError{secret, secret}, "…, …"},
	"several":            {errors.Join(errors.New(secret), io.EOF), "… EOF"},
	"wrapped":            {fmt.Errorf("%s: %w", secret, context.Canceled), "…: context canceled"},
	"url.Error":          {&url.Error{Op: "Get", URL: "https://x/" + secret, Err: errors.New(secret)}, "…"},
	"url.Error of none":  {&url.Error{Op: "Get", URL: secret}, "no error"},
	"redirect":           {&url.Error{Op: "Post", URL: secret, Err: errors.New("stopped after 10 redirects to " + secret)}, "stopped after 10 … to …"},
	"fs.PathError":       {&fs.PathError{Op: "open", Path: "/home/" + secret, Err: syscall.ENOENT}, "open: no such file or directory"},
	"chatty fs":          {&fs.PathError{Op: secret, Path: secret, Err: errors.New(secret)}, "…: …"},
	"os.LinkError":       {&os.LinkError{Op: "rename", Old: secret, New: secret, Err: syscall.EXDEV}, ""},
	"os.SyscallError":    {&os.SyscallError{Syscall: "connect", Err: errnoOf}, "connect: connection refused"},
	"dial":               {&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, Err: &os.SyscallError{Syscall: "connect", Err: errnoOf}}, "dial tcp 127.0.0.1:80: connection refused"},
	"dial, Unix socket":  {&net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: "/run/" + secret, Net: "unix"}, Err: errnoOf}, "dial …: connection refused"},
	"odd OpError":        {&net.OpError{Op: secret, Net: secret, Err: errors.New(secret)}, "… …: …"},
	"empty OpError":      {&net.OpError{Op: "read"}, "read: no error"},
	"DNS":                {&net.DNSError{Err: "no such host", Name: secret, Server: secret, IsNotFound: true}, "host name lookup failed: no such host"},
	"DNS, timeout":       {&net.DNSError{Err: secret, Name: secret, IsTimeout: true}, "host name lookup failed: timeout"},
	"DNS, other":         {&net.DNSError{Err: "server " + secret + " misbehaving", Name: secret}, "host name lookup failed: server … …"},
	"certificate, name":  {&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{secret}}, Host: secret}}, "tls: failed to verify certificate: certificate is not valid for this host name"},
	"certificate, CA":    {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{Cert: &x509.Certificate{}}}, "tls: failed to verify certificate: certificate signed by unknown authority"},
	"certificate, time":  {&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: secret}}, "tls: failed to verify certificate: certificate has expired or is not yet valid"},
	"certificate, other": {&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.TooManyIntermediates, Detail: secret}}, ""},
	"TLS alert":          {tls.AlertError(40), "tls: handshake failure"},
	"closed by server":   {io.EOF, "connection closed without an answer (EOF)"},
	"nil pointer":        {(*brokenError)(nil), "<…>"},
	"panics":             {&brokenError{}, ""},
	"cut":                {exchange.ErrStalled, "connection stalled: bytes were due and none moved"},
	"client's Timeout":   {exchange.ErrTotal, "attempt took longer than the HTTP client's Timeout"},
	"errno":              {syscall.ECONNRESET, "connection reset by peer"},
	"deadline":           {context.DeadlineExceeded, "context deadline exceeded"},
}

func TestForeignErrorsAreToldInSafeWords(t *testing.T) {
	for name, c := range foreign {
		t.Run(name, func(t *testing.T) {
			got := Error(c.err)
			if c.text != "" {
				assert.Equal(t, c.text, got.Error())
			}
			assert.True(t, got == Error(got), "twice is once")
			for _, text := range everyWay(t, got) {
				assert.NotContains(t, strings.ToLower(text), secret)
				assert.NotContains(t, strings.ToLower(text), fmt.Sprintf("%x", secret))
			}
			if reflect.TypeOf(c.err).Comparable() {
				assert.ErrorIs(t, got, c.err)
			}
		})
	}
	assert.NoError(t, Error(nil))
}

// everyWay prints v, and every link of its chain.
func everyWay(t *testing.T, err error) (texts []string) {
	for ; err != nil; err = errors.Unwrap(err) {
		for _, verb := range "vsqxXdtpTUeobcfgGw" {
			for _, flag := range []string{"", "+", "#", "-", " ", "030"} {
				format := "%" + flag + string(verb)
				texts = append(texts, fmt.Sprintf(format, err), fmt.Sprintf(format, []error{err}),
					fmt.Sprintf(format, struct{ E error }{err}), fmt.Sprintf(format, struct{ e any }{err}))
			}
		}
		text, jerr := json.Marshal(map[string]any{"error": err})
		require.NoError(t, jerr)
		texts = append(texts, string(text))
	}
	return texts
}

func TestWhatErrorsAsFindsIsRebuilt(t *testing.T) {
	inner := &fs.PathError{Op: "open", Path: secret, Err: syscall.ENOENT}
	err := Error(&url.Error{Op: "Get", URL: "https://host/path?" + secret, Err: inner})
	err = fmt.Errorf("wrapped: %w", err)

	u, ok := errors.AsType[*url.Error](err)
	require.True(t, ok)
	assert.Equal(t, `Get "…": open: no such file or directory`, u.Error())
	assert.ErrorIs(t, u, fs.ErrNotExist)
	assert.False(t, u.Timeout())

	p, ok := errors.AsType[*fs.PathError](err)
	require.True(t, ok)
	assert.Equal(t, "open …: no such file or directory", p.Error())
	assert.ErrorIs(t, p, fs.ErrNotExist)
	assert.True(t, os.IsNotExist(p))

	n, ok := errors.AsType[net.Error](err)
	require.True(t, ok, "an *url.Error is a net.Error")
	assert.Equal(t, "open: no such file or directory", n.Error())
	assert.ErrorIs(t, n, fs.ErrNotExist)
	for _, text := range everyWay(t, n) {
		assert.NotContains(t, text, secret)
	}

	l, ok := errors.AsType[*os.LinkError](Error(&os.LinkError{Op: "link", Old: secret, New: secret, Err: syscall.EXDEV}))
	require.True(t, ok)
	assert.NotContains(t, l.Error(), secret)
	assert.ErrorIs(t, l, syscall.EXDEV)

	_, ok = errors.AsType[*fs.PathError](Error(errors.New(secret)))
	assert.False(t, ok)
	_, ok = errors.AsType[net.Error](Error(errors.New(secret)))
	assert.False(t, ok, "not every error is a net.Error")
}

func TestTimeoutSurvives(t *testing.T) {
	timeout := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, err := range []error{timeout, &url.Error{Op: "Get", URL: secret, Err: timeout}, fmt.Errorf("%s: %w", secret, timeout)} {
		got := Error(err)
		assert.True(t, got.(interface{ Timeout() bool }).Timeout())
		n, ok := errors.AsType[net.Error](got)
		require.True(t, ok)
		assert.True(t, n.Timeout())
		assert.ErrorIs(t, got, os.ErrDeadlineExceeded)
	}
	assert.False(t, Error(errors.New(secret)).(interface{ Timeout() bool }).Timeout())
}

func FuzzText(f *testing.F) {
	f.Add("Get", "tcp", "connection refused")
	f.Fuzz(func(t *testing.T, op, network, text string) {
		inner := errors.New(text + " " + secret + " " + text)
		for _, err := range []error{
			inner, fmt.Errorf("%s %w", secret, inner), &url.Error{Op: secret + op, URL: secret, Err: inner}, &fs.PathError{Op: op + " " + secret, Path: secret, Err: inner},
			&net.OpError{Op: op + " " + secret, Net: secret + " " + network, Err: inner}, &net.DNSError{Err: text + " " + secret}, errors.Join(inner, inner),
		} {
			assert.NotContains(t, strings.ToLower(fmt.Sprintf("%v %#v %d", Error(err), Error(err), Error(err))), secret)
		}
	})
}
