// Package scrub makes errors of other packages safe to print. An error of the
// operating system carries a file's path, one of net/url a query or a redirect
// target, one of a caller's own transport anything at all. What it is stays
// testable with errors.Is and errors.As; what it says is told in safe words.
package scrub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"syscall"

	"github.com/ambient-scribe/ambient-go/internal/mask"
)

// hidden stands where a path or URL was.
const hidden = "…"

// Error returns err in safe words, nil for nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*scrubbed); ok {
		return e
	}
	return &scrubbed{text: Text(err), err: err}
}

// A scrubbed error has no Unwrap: whoever prints a chain link by link meets
// only the safe text.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string        { return e.text }
func (e *scrubbed) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what errors.As finds in the original. The two that carry what must
// not be shown are rebuilt without it.
func (e *scrubbed) As(target any) bool {
	if !errors.As(e.err, target) {
		return false
	}
	switch found := target.(type) {
	case **url.Error:
		*found = &url.Error{Op: (*found).Op, URL: hidden, Err: Error((*found).Err)}
	case **fs.PathError:
		*found = &fs.PathError{Op: (*found).Op, Path: hidden, Err: (*found).Err}
	}
	return true
}

// Timeout reports whether the original was a timeout.
func (e *scrubbed) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && t.Timeout()
}

// Text says what err is without paths, URLs and anybody's free text.
func Text(err error) string {
	switch e := err.(type) {
	case *scrubbed:
		return e.text
	case *url.Error:
		return Text(e.Err)
	case *fs.PathError:
		return e.Op + ": " + Text(e.Err)
	case *net.OpError:
		return opText(e)
	case *net.DNSError:
		return "host name lookup failed: " + dnsText(e)
	case syscall.Errno, *tls.CertificateVerificationError, tls.AlertError, x509.UnknownAuthorityError:
		return e.Error()
	}
	switch err {
	case io.EOF:
		return "connection closed without an answer (EOF)"
	case io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded, net.ErrClosed, fs.ErrNotExist, fs.ErrPermission, fs.ErrClosed:
		return err.Error()
	}
	return mask.Text(err.Error())
}

// opText is like net.OpError's own text with a safe cause.
func opText(e *net.OpError) string {
	s := e.Op
	if e.Net != "" {
		s += " " + e.Net
	}
	if e.Addr != nil {
		s += " " + e.Addr.String()
	}
	if errno, ok := errors.AsType[syscall.Errno](e.Err); ok {
		return s + ": " + errno.Error()
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
	return mask.Text(e.Err)
}
