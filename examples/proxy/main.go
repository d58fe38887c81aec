// Proxy calls the API through a forward proxy and trusts a private certificate
// authority, as one must behind a firewall that inspects TLS.
//
//	go run ./examples/proxy
//	go run ./examples/proxy -proxy http://proxy.example.com:3128 -ca ca.pem [-cert client.pem -key client.key]
//
// With -proxy, it calls the API with AMBIENT_USERNAME and AMBIENT_PASSWORD.
// Without, it starts a proxy and a fake API with a private certificate, and shows
// that the call passes through both.
//
// A proxy in HTTPS_PROXY and an authority in the system's pool need no code. Go
// and this SDK use both by default.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
	"github.com/ambient-scribe/ambient-go/ambienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	proxy := flags.String("proxy", "", "URL of the proxy; may have a user name and password")
	ca := flags.String("ca", "", "PEM file of authorities to trust besides the system's")
	cert := flags.String("cert", "", "PEM file of a client certificate")
	key := flags.String("key", "", "PEM file of its key")
	flags.Parse(args)
	if *proxy == "" {
		return demonstrate(ctx, stdout)
	}
	tlsConfig, err := loadTLS(*ca, *cert, *key)
	if err != nil {
		return err
	}
	return call(ctx, stdout, *proxy, tlsConfig)
}

// call makes one call through a proxy.
func call(ctx context.Context, stdout io.Writer, proxy string, tlsConfig *tls.Config, opts ...ambient.Option) error {
	proxyURL, err := url.Parse(proxy)
	if err != nil {
		return errors.New("-proxy is not a URL") // the parser's error would show the password
	}
	// A clone keeps what a bare http.Transport lacks, such as HTTP/2, timeouts and
	// the wait for "100 Continue" before a large upload.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxyURL)
	transport.TLSClientConfig = tlsConfig
	transport.MaxIdleConnsPerHost = 64 // as many as there are calls at a time; net/http's default is 2

	client, err := ambient.NewClient(append(opts, ambient.WithHTTPClient(&http.Client{Transport: transport}))...)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if err := client.Authenticate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "The API took the credentials.")
	return nil
}

// loadTLS reads the certificates whose file names are not empty.
func loadTLS(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			return nil, err
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// demonstrate starts a fake API and a proxy, and calls one through the other.
func demonstrate(ctx context.Context, stdout io.Writer) error {
	api := ambienttest.NewTLSServer()
	defer api.Close()
	trusted := &tls.Config{RootCAs: api.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	forward := &forwardProxy{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxy := &http.Server{Handler: forward, ReadHeaderTimeout: time.Minute}
	go proxy.Serve(listener)
	defer proxy.Close()
	proxyURL := "http://" + listener.Addr().String()

	credentials := []ambient.Option{ambient.WithBaseURL(api.URL), ambient.WithCredentials(api.Username, api.Password)}
	if err := call(ctx, stdout, proxyURL, trusted, credentials...); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Tunnels through the proxy: %d\n", forward.tunnels.Load())

	// Without the authority the client refuses the certificate and sends no password.
	err = call(ctx, stdout, proxyURL, &tls.Config{}, credentials...)
	_, refused := errors.AsType[*tls.CertificateVerificationError](err)
	fmt.Fprintf(stdout, "Without the private authority, the certificate is refused: %t\n", refused)
	return nil
}

// A forwardProxy forwards TLS connections and cannot read them.
type forwardProxy struct{ tunnels atomic.Int64 }

func (p *forwardProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	target, err := dialer.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, "no connection", http.StatusBadGateway)
		return
	}
	defer target.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no tunnel", http.StatusInternalServerError)
		return
	}
	defer client.Close()
	p.tunnels.Add(1)
	fmt.Fprint(client, "HTTP/1.1 200 Connection Established\r\n\r\n")
	go func() {
		io.Copy(target, client)
		target.Close()
	}()
	io.Copy(client, target)
}
