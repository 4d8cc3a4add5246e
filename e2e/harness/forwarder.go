package harness

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Forwarder is an address of a server that forwards connections to the server behind it, which may change.
type Forwarder struct {
	Addr string // HOST:PORT

	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	target net.Addr
	open   map[net.Conn]struct{}
}

// Forward starts a forwarder to target, which ends with t.
func Forward(t testing.TB, target net.Addr) *Forwarder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Forwarder{
		Addr: listener.Addr().String(), listener: listener, target: target,
		open: map[net.Conn]struct{}{},
	}
	f.running.Go(f.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		f.Cut()
		f.running.Wait()
	})
	return f
}

// Switch forwards new connections to another server, and cuts the others.
func (f *Forwarder) Switch(target net.Addr) {
	f.mu.Lock()
	f.target = target
	f.mu.Unlock()
	f.Cut()
}

// Cut closes all connections.
func (f *Forwarder) Cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.open {
		_ = conn.Close()
	}
}

func (f *Forwarder) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() { f.serve(client) })
	}
}

// serve forwards one connection until either side closes it.
func (f *Forwarder) serve(client net.Conn) {
	defer client.Close()
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	server, err := net.Dial(target.Network(), target.String())
	if err != nil {
		return
	}
	defer server.Close()
	f.remember(client, server)
	defer f.forget(client, server)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
}

func (f *Forwarder) remember(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range conns {
		f.open[conn] = struct{}{}
	}
}

func (f *Forwarder) forget(conns ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, conn := range conns {
		delete(f.open, conn)
	}
}
