package ambienttest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// BasePath is the path under which the API is served, as in the real service's base URL.
const BasePath = "/v1/ambient/api"

// A Server is a fake of the Ambient AI Scribe API. It is safe for concurrent use.
type Server struct {
	URL      string // base URL of the API, with BasePath and without a trailing slash
	Username string // the server's own account; see WithAccount for others
	Password string // and its password

	config   config
	http     *http.Server
	client   *http.Client
	done     chan struct{}  // closed by Close: ends every wait
	running  sync.WaitGroup // the accept loop and the goroutine of every connection
	closing  sync.Once
	tokenKey []byte

	mu       sync.Mutex // guards what follows
	requests []*Request
	arrived  map[string]int // requests so far, by route, and by anyRoute
	conns    int
	accounts []*account
	tokens   map[string]grant // valid tokens
	issued   int              // tokens ever issued
	faults   []*plannedFault
	limits   map[string]RateLimit // by route, and of all other routes under anyRoute
	jobs     jobs

	matching sync.Mutex // held while a function of FaultWhere is called
}

// NewServer starts a server on a loopback TCP port, speaking plain HTTP. Its time is
// real, as [WithJobTime] says. It panics in a testing/synctest bubble, whose time
// stands still for as long as anyone waits for a socket.
func NewServer(opts ...Option) *Server {
	s := newServer(opts)
	l := listenLoopback()
	s.URL = "http://" + l.Addr().String() + BasePath
	s.client = newClient(&http.Transport{})
	s.serve(func() error { return s.http.Serve(l) })
	return s
}

// NewTLSServer is NewServer behind TLS, with HTTP/2. The client that [Server.Client]
// returns trusts its certificate.
func NewTLSServer(opts ...Option) *Server {
	s := newServer(opts)
	l := listenLoopback()
	cert, pool := selfSigned()
	s.URL = "https://" + l.Addr().String() + BasePath
	s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.client = newClient(&http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
	})
	s.serve(func() error { return s.http.ServeTLS(l, "", "") })
	return s
}

// NewInMemory starts a server that uses no sockets. Inside a testing/synctest bubble
// all of its time is the bubble's, and after Close it has no goroutine left. Whatever
// calls it must be in the same bubble. Only the client that [Server.Client] returns
// reaches it, and that client reaches nothing else. Any other client finds its
// connection refused.
func NewInMemory(opts ...Option) *Server {
	s := newServer(opts)
	l := newPipeListener()
	s.URL = "http://" + pipeHost + BasePath
	s.client = newClient(&http.Transport{DialContext: l.dial})
	s.serve(func() error { return s.http.Serve(l) })
	return s
}

// Client returns the client whose transport reaches the server. There is one per
// server, usable until Close.
func (s *Server) Client() *http.Client { return s.client }

// Handler returns the API itself, to be mounted behind another server. It serves the
// paths under BasePath.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// Close shuts the server down, cutting requests in flight, and returns when its
// goroutines have ended. Further calls do nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		close(s.done)
		s.http.Close()
		s.client.CloseIdleConnections()
		s.running.Wait()
	})
}

func newServer(opts []Option) *Server {
	c := defaultConfig()
	for _, opt := range opts {
		opt(&c)
	}
	s := &Server{
		Username: c.username,
		Password: c.password,
		config:   c,
		done:     make(chan struct{}),
		tokenKey: []byte(rand.Text()),
		arrived:  map[string]int{},
		tokens:   map[string]grant{},
		accounts: append([]*account{{username: c.username, password: c.password}}, c.others...),
		limits:   map[string]RateLimit{anyRoute: c.rateLimit},
		jobs:     newJobs(),
	}
	s.http = &http.Server{
		Handler:     s.Handler(),
		ConnContext: s.nameConn,
		ConnState:   s.trackConn,
		ErrorLog:    log.New(io.Discard, "", 0), // connections are cut on purpose here
	}
	return s
}

// newClient completes a transport. It takes no proxy from the environment, keeps many
// idle connections, and waits for "100 Continue" as http.DefaultTransport does.
func newClient(t *http.Transport) *http.Client {
	t.MaxIdleConnsPerHost = 256
	t.ExpectContinueTimeout = time.Second
	return &http.Client{Transport: t}
}

func (s *Server) serve(accept func() error) {
	s.running.Go(func() { _ = accept() }) // always http.ErrServerClosed
}

// trackConn lets Close wait for connections. Close of http.Server leaves their
// goroutines to end by themselves, which is too late for a synctest bubble.
func (s *Server) trackConn(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
		select {
		case <-s.done: // accepted too late for Close to have cut it
			_ = c.Close()
		default:
		}
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	}
}

// connection is what a request knows of the connection it came on.
type connection struct {
	net.Conn
	number int
}

type connectionKey struct{}

func (s *Server) nameConn(ctx context.Context, c net.Conn) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	return context.WithValue(ctx, connectionKey{}, connection{c, s.conns})
}

func listenLoopback() net.Listener {
	if time.Now().Year() == 2000 { // when the time of a bubble begins
		panic("ambienttest: a testing/synctest bubble needs StartInMemory or NewInMemory")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		if l, err = net.Listen("tcp", "[::1]:0"); err != nil {
			panic("ambienttest: no loopback port: " + err.Error())
		}
	}
	return l
}
