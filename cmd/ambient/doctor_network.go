package main

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

const (
	checkTimeout = 20 * time.Second
	maxSkew      = 30 * time.Second // beyond it, tokens may count as expired
)

func (c *doctor) checkFIPS() {
	if fips140.Enabled() {
		c.add("fips", stateOK, "FIPS 140-3 mode is on, module %s", fips140.Version())
		return
	}
	c.add("fips", stateOK, "FIPS 140-3 mode is off; GODEBUG=fips140=on turns it on")
}

// checkAddress reports whether the client takes the address.
func (c *doctor) checkAddress(address string) bool {
	if _, err := ambient.NewClient(ambient.WithBaseURL(address), ambient.WithToken("none")); err != nil {
		c.add("address", stateFailed, "AMBIENT_BASE_URL is wrong: %s", plainText(err))
		return false
	}
	c.add("address", stateOK, "%s", address)
	return true
}

func (c *doctor) checkProxy(ctx context.Context, address string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	proxy, err := http.ProxyFromEnvironment(request)
	switch {
	case err != nil:
		c.add("proxy", stateFailed, "HTTPS_PROXY or HTTP_PROXY has no valid address")
	case proxy == nil:
		c.add("proxy", stateOK, "none: HTTPS_PROXY is not set, or NO_PROXY has the address")
	case proxy.User != nil:
		c.add("proxy", stateOK, "%s://%s, with a user name", proxy.Scheme, proxy.Host)
	default:
		c.add("proxy", stateOK, "%s://%s", proxy.Scheme, proxy.Host)
	}
}

func (c *doctor) checkNames(ctx context.Context, address string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	if net.ParseIP(u.Hostname()) != nil {
		c.add("dns", stateOK, "the address needs no name server")
		return
	}
	found, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil { // a proxy may know the name all the same
		c.add("dns", stateWarning, "%s has no address here; only a proxy can reach it: check the name server", u.Hostname())
		return
	}
	c.add("dns", stateOK, "%s is %s", u.Hostname(), strings.Join(found, ", "))
}

// checkConnection makes one request without credentials, for the connection's
// sake. It reports whether there was any answer.
func (c *doctor) checkConnection(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	begun := time.Now()
	response, err := (&http.Client{Transport: http.DefaultTransport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}).Do(request)
	if err != nil {
		c.addConnectionFailure(err)
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	c.addTLS(response.TLS)
	c.addClock(response.Header.Get("Date"), begun, time.Now())
	return true
}

func (c *doctor) addTLS(state *tls.ConnectionState) {
	if state == nil {
		c.add("tls", stateWarning, "none: the address is of this machine")
		return
	}
	leaf := state.PeerCertificates[0]
	c.add("tls", stateOK, "%s, %s; the certificate is of %s, signed by %s, and good until %s",
		tls.VersionName(state.Version), protocol(state), certificateName(leaf), signers(state.VerifiedChains), leaf.NotAfter.UTC().Format(time.DateOnly))
}

func protocol(state *tls.ConnectionState) string {
	if state.NegotiatedProtocol == "h2" {
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// signers names those who signed the certificate, up to the root that this
// system trusts. A proxy that opens connections shows here.
func signers(chains [][]*x509.Certificate) string {
	if len(chains) == 0 {
		return "nobody known"
	}
	var names []string
	for _, cert := range chains[0][1:] {
		names = append(names, certificateName(cert))
	}
	if names == nil {
		return "itself"
	}
	return strings.Join(names, ", by ")
}

func certificateName(cert *x509.Certificate) string {
	name := cert.Subject.CommonName
	if org := cert.Subject.Organization; len(org) > 0 && org[0] != name {
		name = strings.TrimSpace(name + " (" + org[0] + ")")
	}
	if name == "" && len(cert.DNSNames) > 0 {
		name = cert.DNSNames[0]
	}
	return printable(name)
}

func (c *doctor) addConnectionFailure(err error) {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(bad.UnverifiedCertificates) > 0 {
		last := bad.UnverifiedCertificates[len(bad.UnverifiedCertificates)-1]
		issuer := &x509.Certificate{Subject: last.Issuer}
		c.add("tls", stateFailed, "the certificate of %s, signed by %s, is not trusted: %s; where a proxy opens connections, add its root to this system's, or to SSL_CERT_FILE",
			certificateName(bad.UnverifiedCertificates[0]), certificateName(issuer), printableLines(bad.Err.Error()))
		return
	}
	cause := err
	if u, ok := errors.AsType[*url.Error](err); ok { // whose text has the address
		cause = u.Err
	}
	c.add("connect", stateFailed, "no answer: %s; check the network, the firewall and the proxy", printableLines(cause.Error()))
}

// addClock compares this machine's clock with the Date of an answer, which counts
// whole seconds and was written between begun and ended.
func (c *doctor) addClock(date string, begun, ended time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		c.add("clock", stateWarning, "the answer has no Date to compare this machine's clock with")
		return
	}
	skew := time.Duration(0)
	switch {
	case theirs.Add(time.Second).Before(begun):
		skew = begun.Sub(theirs.Add(time.Second))
	case theirs.After(ended):
		skew = ended.Sub(theirs)
	}
	switch {
	case skew > maxSkew:
		c.add("clock", stateWarning, "this machine is %v ahead of the service: set its clock", skew.Round(time.Second))
	case skew < -maxSkew:
		c.add("clock", stateWarning, "this machine is %v behind the service: set its clock", -skew.Round(time.Second))
	default:
		c.add("clock", stateOK, "within %v of the service's", (max(skew, -skew) + time.Second).Round(time.Second))
	}
}
