package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDemonstration(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	want := `The API took the credentials.
Tunnels through the proxy: 1
Without the private authority, the certificate is refused: true
`
	if out.String() != want {
		t.Errorf("%s\nwant:\n%s", out.String(), want)
	}
}

func TestLoadTLS(t *testing.T) {
	cert, key := keyPair(t)
	config, err := loadTLS(cert, cert, key)
	if err != nil || config.RootCAs == nil || len(config.Certificates) != 1 {
		t.Error(config, err)
	}
	for _, bad := range [][3]string{{"no-such-file.pem", "", ""}, {key, "", ""}, {"", cert, ""}} {
		if _, err := loadTLS(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

// The password of a proxy is in no error.
func TestBadProxy(t *testing.T) {
	err := run(t.Context(), []string{"-proxy", "http://user:secret@[proxy"}, io.Discard)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// keyPair writes a certificate and its key.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", certDER), write("key.pem", "PRIVATE KEY", keyDER)
}
