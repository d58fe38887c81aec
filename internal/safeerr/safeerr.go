// Package safeerr makes errors of other packages safe to print. Such an error may
// contain the path of a file, the query of a URL or, if a transport of the caller made
// it, anything at all. The safe error shows none of it, and still matches with
// errors.Is and errors.As.
package safeerr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"

	"github.com/ambient-scribe/ambient-go/internal/exchange"
	"github.com/ambient-scribe/ambient-go/internal/readbody"
	"github.com/ambient-scribe/ambient-go/internal/redact"
)

// hidden stands where a path or URL was.
const hidden = "…"

// Error returns err with a safe text, nil for nil. It returns err itself if that is
// safe.
func Error(err error) error {
	if err == nil || isPlain(err) {
		return err
	}
	if e, ok := err.(*scrubbed); ok {
		return e
	}
	original := err // not &err, which would put every nil on the heap
	return &scrubbed{text: Text(err), err: &original}
}

// isPlain reports whether err has a fixed text and nothing else.
func isPlain(err error) bool {
	if isErrno(err) {
		return true
	}
	switch err {
	case context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.ErrClosedPipe,
		net.ErrClosed, fs.ErrNotExist, fs.ErrPermission, fs.ErrClosed, fs.ErrInvalid,
		exchange.ErrNoConnection, exchange.ErrStalled, exchange.ErrSourceStalled, exchange.ErrNoResponse, exchange.ErrSlowResponse,
		exchange.ErrTotal, exchange.ErrReplay, exchange.ErrOtherOrigin, exchange.ErrNotCommitted, readbody.ErrTooLong:
		return true
	}
	return false
}

// A scrubbed error has no Unwrap, so that a program which prints each error of a chain
// prints only safe texts.
type scrubbed struct {
	text string
	err  *error // a pointer, since fmt prints the fields of a *scrubbed for a verb that does not fit
}

func (e *scrubbed) Error() string                { return e.text }
func (e *scrubbed) MarshalText() ([]byte, error) { return []byte(e.text), nil }
func (e *scrubbed) Is(target error) bool         { return errors.Is(*e.err, target) }

// Format keeps fmt from printing the original field by field for a verb such as %d.
func (e *scrubbed) Format(s fmt.State, verb rune) {
	switch verb {
	case 's', 'q', 'x', 'X':
	default:
		verb = 's'
	}
	fmt.Fprintf(s, "%"+string(verb), e.text)
}

// As finds what errors.As finds in the original. From the types that contain a path or
// URL it makes a copy without it.
func (e *scrubbed) As(target any) bool {
	if !errors.As(*e.err, target) {
		return false
	}
	switch found := target.(type) {
	case **url.Error:
		*found = &url.Error{Op: redact.Text((*found).Op), URL: hidden, Err: Error((*found).Err)}
	case **fs.PathError:
		*found = &fs.PathError{Op: redact.Text((*found).Op), Path: hidden, Err: Error((*found).Err)}
	case **os.LinkError:
		*found = &os.LinkError{Op: redact.Text((*found).Op), Old: hidden, New: hidden, Err: Error((*found).Err)}
	case *net.Error:
		*found = netError{e, (*found).Timeout()}
	}
	return true
}

// Timeout reports whether the original was a timeout.
func (e *scrubbed) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](*e.err)
	return ok && t.Timeout()
}

// A netError is a scrubbed error that was a net.Error.
type netError struct {
	*scrubbed
	timeout bool
}

func (e netError) Timeout() bool   { return e.timeout }
func (e netError) Temporary() bool { return e.timeout }
func (e netError) Unwrap() error   { return e.scrubbed }

// Text returns a text for err without paths, URLs and free text.
func Text(err error) string {
	if err == nil {
		return "no error"
	}
	if isPlain(err) {
		return err.Error()
	}
	switch e := err.(type) {
	case *scrubbed:
		return e.text
	case *url.Error:
		return Text(e.Err)
	case *fs.PathError:
		return redact.Text(e.Op) + ": " + Text(e.Err)
	case *os.SyscallError:
		return redact.Text(e.Syscall) + ": " + Text(e.Err)
	case *net.OpError:
		return opText(e)
	case *net.DNSError:
		return "host name lookup failed: " + dnsText(e)
	case *tls.CertificateVerificationError:
		return "tls: failed to verify certificate: " + certificateText(e.Err)
	case tls.AlertError:
		return e.Error()
	}
	if err == io.EOF {
		return "connection closed without an answer (EOF)"
	}
	return redact.Text(fmt.Sprint(err)) // unlike Error, Sprint stops the panic of a nil pointer
}

// opText is the text of a net.OpError with a safe cause. It shows IP addresses only,
// since the address of a Unix socket is a path.
func opText(e *net.OpError) string {
	s := redact.Text(e.Op)
	if e.Net != "" {
		s += " " + redact.Text(e.Net)
	}
	if a, ok := e.Addr.(*net.TCPAddr); ok {
		s += " " + a.String()
	}
	if text, ok := errnoText(e.Err); ok {
		return s + ": " + text
	}
	return s + ": " + Text(e.Err)
}

func dnsText(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return "no such host"
	case e.IsTimeout:
		return "timeout"
	}
	return redact.Text(e.Err)
}

// certificateText leaves out the names in a certificate.
func certificateText(err error) string {
	switch e := err.(type) {
	case x509.HostnameError:
		return "certificate is not valid for this host name"
	case x509.UnknownAuthorityError:
		return "certificate signed by unknown authority"
	case x509.CertificateInvalidError:
		if e.Reason == x509.Expired {
			return "certificate has expired or is not yet valid"
		}
	}
	return Text(err)
}
