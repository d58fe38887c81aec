package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
)

// uploadsOfRound is how many uploads of a network are made in a round with each client.
const uploadsOfRound = 4

// A network is a way to reach the server.
type network struct {
	name         string
	secure       bool
	majorVersion int // of HTTP
}

func networks() []network {
	return []network{{"HTTP/1.1", false, 1}, {"HTTP/1.1 over TLS", true, 1}, {"HTTP/2 over TLS", true, 2}}
}

// A networkResult has the uploads of this SDK and of net/http by hand, in pairs.
type networkResult struct{ ours, byHand uploadRuns }

// measureNetworks uploads over each network with this SDK and with net/http by hand, in
// turns.
func measureNetworks(rounds int) ([]networkResult, error) {
	dir, err := os.MkdirTemp("", "ambient-networks-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "visit.mp3")
	if err := makeSparse(path, uploadSize); err != nil {
		return nil, err
	}
	var results []networkResult
	for _, n := range networks() {
		r, err := n.measure(dir, path, rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func (n network) measure(dir, path string, rounds int) (networkResult, error) {
	var r networkResult
	s := &sink{}
	server := httptest.NewUnstartedServer(n.only(s))
	defer server.Close()
	if n.secure {
		server.EnableHTTP2 = n.majorVersion == 2
		server.StartTLS()
		roots := filepath.Join(dir, "roots.pem")
		block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
		if err := os.WriteFile(roots, pem.EncodeToMemory(block), 0o600); err != nil {
			return r, err
		}
		s.env = []string{"SSL_CERT_FILE=" + roots} // so that both clients keep their own transports
	} else {
		server.Start()
	}
	s.url = server.URL
	list := uploaders()
	for range rounds * uploadsOfRound {
		if err := errors.Join(r.ours.add(s, list[0], path, false), r.byHand.add(s, list[1], path, false)); err != nil {
			return r, err
		}
	}
	if r.ours.failed || r.byHand.failed {
		return r, errors.New("an upload failed")
	}
	return r, nil
}

// only refuses another version of HTTP.
func (n network) only(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != n.majorVersion {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (r *results) networkBars() []bar {
	var list []bar
	for i, n := range networks() {
		got := r.networks[i]
		ratio := got.ours.seconds.over(got.byHand.seconds).median()
		list = append(list, bar{what: "time of a 500 MB upload with " + n.name + " / net/http's", bound: maxUploadTime, varies: true, value: sample{ratio}})
	}
	return list
}

func (r *results) reportNetworks(d *doc) {
	d.line("\n## An upload over TLS")
	d.line("\nThe same upload by this SDK and by hand, which take turns. The server is on the same machine and decrypts what it gets.")
	d.line("The quotient is the median of %d pairs. TLS needs some MiB in both.", r.rounds*uploadsOfRound)
	d.table("network", "ambient-go, s", "net/http, s", "ambient-go / net/http", "peak, MiB", "net/http's peak, MiB")
	for i, n := range networks() {
		got := r.networks[i]
		d.row(n.name, got.ours.seconds.text(2), got.byHand.seconds.text(2), got.ours.seconds.over(got.byHand.seconds).text(2),
			got.ours.peakMiB.text(1), got.byHand.peakMiB.text(1))
	}
}
