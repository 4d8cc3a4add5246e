package handlers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener whose Accept returns a list of connections and errors.
type scripted struct {
	mu      sync.Mutex
	results []func() (net.Conn, error)
	closed  chan struct{}
}

func newScripted(results ...func() (net.Conn, error)) *scripted {
	return &scripted{results: results, closed: make(chan struct{})}
}

func failing(err error) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
}

// addressed is a connection with this remote address.
type addressed struct {
	net.Conn
	from string
}

func (a addressed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(a.from), 1234))
}

// from returns both ends of a connection from an address.
func from(address string) (server, client net.Conn) {
	server, client = net.Pipe()
	return addressed{server, address}, client
}

func (s *scripted) Accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.results) == 0 {
		<-s.closed
		return nil, net.ErrClosed
	}
	next := s.results[0]
	s.results = s.results[1:]
	return next()
}

func (s *scripted) Close() error   { close(s.closed); return nil }
func (s *scripted) Addr() net.Addr { return &net.TCPAddr{} }

func newTestConnections(t *testing.T, listener net.Listener, options Options, log io.Writer) *connections {
	t.Helper()
	return bareServer(t, options, log).newConnections(listener)
}

func TestConnections_AcceptAgainAfterTemporaryErrors(t *testing.T) {
	for _, passes := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.EPERM} {
		t.Run(passes.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var results []func() (net.Conn, error)
				for range 300 { // for over four minutes
					results = append(results, failing(passes))
				}
				server, client := from("192.0.2.1")
				defer client.Close()
				results = append(results, func() (net.Conn, error) { return server, nil })
				c := newTestConnections(t, newScripted(results...), Options{}, &log)
				began := time.Now()
				conn, err := c.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				took, lines := time.Since(began),
					strings.Count(log.String(), "connections cannot be accepted")
				if took < 4*time.Minute || took > 300*maxBackoff || lines != 1+int(took/time.Minute) {
					t.Errorf("it took %v and %d lines:\n%s", took, lines, log.String())
				}
			})
		})
	}
}

func TestConnections_StopWithTheListener(t *testing.T) {
	broken := newTestConnections(t, newScripted(failing(syscall.EBADF)), Options{}, io.Discard)
	if _, err := broken.Accept(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a broken listener: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		var results []func() (net.Conn, error)
		for range 10_000 {
			results = append(results, failing(syscall.EMFILE))
		}
		c := newTestConnections(t, newScripted(results...), Options{}, io.Discard)
		time.AfterFunc(10*time.Second, func() { _ = c.Close() })
		began := time.Now()
		if _, err := c.Accept(); !errors.Is(err, net.ErrClosed) || time.Since(began) > 10*time.Second {
			t.Errorf("closed while it waits: %v after %v", err, time.Since(began))
		}
		_ = c.Close() // may be called again
	})
}

// held is an admitted connection: the end of the server, and that of the client.
type held struct {
	server *clientConn
	client net.Conn
}

// knock opens a connection from an address. Its server is nil if the listener refused it.
func knock(t *testing.T, c *connections, address string) held {
	t.Helper()
	server, client := from(address)
	t.Cleanup(func() { _ = client.Close() })
	return held{c.admit(server), client}
}

// gone reports whether the server has closed the connection.
func (h held) gone() bool {
	_ = h.client.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := h.client.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func TestConnections_NewOneEvictsTheOldestIdle(t *testing.T) {
	c := newTestConnections(t, newScripted(), Options{}, io.Discard)
	c.max, c.maxPerAddress = 4, 2
	busy, old, other := knock(t, c, "192.0.2.1"), knock(t, c, "192.0.2.1"), knock(t, c, "192.0.2.2")
	busy.server.begin()

	third := knock(t, c, "192.0.2.1")
	if third.server == nil || !old.gone() || busy.gone() || other.gone() {
		t.Error("the third connection of an address does not take the place of the one that waits")
	}
	third.server.begin()
	if refused := knock(t, c, "192.0.2.1"); refused.server != nil {
		t.Error("a third connection is admitted although the first two are at work")
	}
	fourth := knock(t, c, "192.0.2.3")
	fifth := knock(t, c, "192.0.2.4")
	if fourth.server == nil || fifth.server == nil || !other.gone() || fourth.gone() || busy.gone() ||
		third.gone() {
		t.Error("the fifth connection in all does not take the place of the one that has waited longest")
	}
	fourth.server.begin()
	fifth.server.begin()
	if refused := knock(t, c, "192.0.2.5"); refused.server != nil {
		t.Error("a fifth connection is admitted although four are at work")
	}
	busy.server.end() // the request has been answered
	if last := knock(t, c, "192.0.2.5"); last.server == nil || !busy.gone() {
		t.Error("a connection that waits for its next request keeps its place")
	}
}

func TestConnections_CountEachOneOnce(t *testing.T) {
	c := newTestConnections(t, newScripted(), Options{}, io.Discard)
	c.max, c.maxPerAddress = 50, 10
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			for range 200 {
				one := knock(t, c, fmt.Sprintf("192.0.2.%d", i%5))
				if one.server == nil {
					continue
				}
				one.server.begin()
				one.server.end()
				_ = one.server.Close()
				_ = one.server.Close()
			}
		})
	}
	all.Wait()
	if c.open != 0 || len(c.peers) != 0 || c.idle.Len() != 0 {
		t.Errorf("%d connections of %d addresses are still counted, %d of them waiting", c.open, len(c.peers),
			c.idle.Len())
	}
}

func TestConnections_IPv6PrefixIsOneAddress(t *testing.T) {
	c := newTestConnections(t, newScripted(), Options{Access: Access{Proxies: proxies("192.0.2.9")}},
		io.Discard)
	c.maxPerAddress = 1
	for _, pair := range []struct {
		first, second string
		shared        bool
	}{
		{"2001:db8::1", "2001:db8::ffff:2", true}, {"2001:db8:1::1", "2001:db8:1:1::1", false},
		// the last is a trusted proxy
		{"192.0.2.1", "::ffff:192.0.2.1", true}, {"192.0.2.9", "192.0.2.9", false},
	} {
		first, second := knock(t, c, pair.first), knock(t, c, pair.second)
		if got := first.gone(); got != pair.shared || second.server == nil {
			t.Errorf("%s and %s count as one address: %t, want %t", pair.first, pair.second, got, pair.shared)
		}
	}
}

func TestConnections_RefusalIsAnHTTPResponse(t *testing.T) {
	for _, text := range []string{tooManyInAll, tooManyFromAddress} {
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || int64(len(body)) != response.ContentLength ||
			response.Header.Get("Retry-After") == "" || !response.Close {
			t.Errorf("%q is no complete answer: %v", text, err)
		}
	}
}

func TestConnectionLimit_LeavesFilesForTheRest(t *testing.T) {
	t.Parallel()
	limits := Limits{MaxSockets: 20_000, Workers: 10}
	for files, want := range map[uint64]int{64: 16, 128: 32, 256: 92, 1024: 860, 4096: 3932, 22_163: 21_999,
		22_164: 22_000, 1 << 20: 22_000, ^uint64(0): 22_000} {
		most, low := connectionLimit(limits, files)
		if most != want || low != (files < 22_164) {
			t.Errorf("of %d files %d are for connections, want %d; too low: %t", files, most, want, low)
		}
	}
}
