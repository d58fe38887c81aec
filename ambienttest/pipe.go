package ambienttest

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// pipeHost is the host of an in-memory server's URL. It is a loopback literal, because
// a client may refuse plain HTTP to anything else. Nothing can listen on its port,
// which shows a client that forgets [Server.Client].
const pipeHost = "127.0.0.1:0"

// pipeListener is a net.Listener whose connections are net.Pipes, made by its dial
// method.
type pipeListener struct {
	conns   chan net.Conn
	closed  chan struct{}
	closing sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

func (l *pipeListener) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if addr != l.Addr().String() {
		return nil, fmt.Errorf("ambienttest: the in-memory client reaches %s only, not %s", l.Addr(), addr)
	}
	server, client := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Addr: l.Addr(), Err: errRefused}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
