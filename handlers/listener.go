package handlers

import (
	lists "container/list"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"runboard/handlers/ws"
)

const (
	plainConnections = 2000 // beside WebSockets: browsers keep connections open for their next request
	plainPerAddress  = 200

	minBackoff     = 5 * time.Millisecond // between two attempts to accept
	maxBackoff     = time.Second
	maxRefusals    = 32 // connections that are answered at the same time before they are closed
	refusalTimeout = 200 * time.Millisecond
)

// connections is a listener that limits the number of open connections, in all and for each address, before
// it reads from them. A connection over the limit evicts the connection that has waited longest without a
// complete request, so silent connections cannot keep others out. Without such a connection, the new one is
// refused.
type connections struct {
	net.Listener
	max, maxPerAddress int
	exempt             func(netip.Addr) bool // addresses without a limit per address: trusted proxies
	log                *slog.Logger
	failed, refused    rate.Sometimes // how often to log
	refusals           chan struct{}  // a semaphore of maxRefusals
	closed             chan struct{}
	close              func() error

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]*peer
	idle  lists.List // of *clientConn without a request, the oldest first
}

// peer holds the connections of one address.
type peer struct {
	open int
	idle lists.List
}

// connEntry is the state of a connection in connections, guarded by connections.mu.
type connEntry struct {
	owner            *connections
	address          netip.Addr
	released         bool
	inAll, inAddress *lists.Element // nil while a request is served
}

// newConnections wraps a listener with the connection limits of the configuration.
func (s *Server) newConnections(listener net.Listener) *connections {
	c := &connections{
		Listener: listener, maxPerAddress: s.Limits.MaxSocketsPerAddress + plainPerAddress,
		exempt: s.trusted, log: s.Log, failed: oncePerMinute(), refused: oncePerMinute(),
		refusals: make(chan struct{}, maxRefusals), closed: make(chan struct{}),
		peers: map[netip.Addr]*peer{},
	}
	c.max, _ = connectionLimit(s.Limits, openFiles())
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return listener.Close()
	})
	return c
}

// connectionLimit returns how many connections may be open so that enough files are left for the database and
// for commands, and whether the limit of open files is too low for the configuration.
func connectionLimit(limits Limits, files uint64) (limit int, low bool) {
	const database, worker = 64, 10 // open files of each, generously
	want := limits.MaxSockets + plainConnections
	reserve := uint64(database + worker*limits.Workers)
	if files >= uint64(want)+reserve {
		return want, false
	}
	return int(max(files/4, files-min(files, reserve))), true
}

// openFiles returns how many files this process may have open. The Go runtime has raised the soft limit to
// the hard one; commands get the original limit.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the usual default
	}
	return limit.Cur
}

// Close implements net.Listener.
func (c *connections) Close() error { return c.close() }

// Accept returns the next connection that is within the limits. It fails only if the listener is closed or
// broken, not if memory or open files are used up.
func (c *connections) Accept() (net.Conn, error) {
	for failures := 0; ; {
		conn, err := c.Listener.Accept()
		switch {
		case err == nil:
			failures = 0
			if admitted := c.admit(conn); admitted != nil {
				return admitted, nil
			}
			continue
		case !slices.ContainsFunc(temporaryErrors, func(known error) bool { return errors.Is(err, known) }):
			return nil, err
		}
		c.failed.Do(func() { c.log.Error("connections cannot be accepted", "error", err) })
		c.evictOldest()
		select {
		case <-c.closed:
			return nil, net.ErrClosed
		case <-time.After(min(minBackoff<<min(failures, 10), maxBackoff)):
			failures++
		}
	}
}

// temporaryErrors are the errors after which accepting continues: resources that are used up for a while, and
// errors of a single connection, see accept(2).
var temporaryErrors = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN, syscall.EPERM, syscall.EPROTO,
	syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN,
	syscall.EHOSTUNREACH, syscall.ETIMEDOUT,
}

// admit applies the limits to a connection. It returns nil if the connection was refused.
func (c *connections) admit(conn net.Conn) *clientConn {
	admitted := &clientConn{NetConn: ws.NetConn{Conn: conn}}
	admitted.entry = connEntry{owner: c, address: peerAddress(conn)}
	evicted, refusal := c.add(admitted)
	if evicted != nil {
		_ = evicted.Close()
	}
	if refusal == "" {
		return admitted
	}
	c.refused.Do(func() { c.log.Warn("too many connections", "address", admitted.entry.address) })
	c.refuse(conn, refusal)
	return nil
}

// add counts a connection. It returns a connection that the caller must close to make room or, if there is no
// room, the answer with which to refuse the new one.
func (c *connections) add(conn *clientConn) (evicted *clientConn, refusal string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.peers[conn.entry.address]
	if from == nil {
		from = &peer{}
		c.peers[conn.entry.address] = from
	}
	switch {
	case from.open >= c.maxPerAddress && !c.exempt(conn.entry.address):
		evicted, refusal = oldest(&from.idle), tooManyFromAddress
	case c.open >= c.max:
		evicted, refusal = oldest(&c.idle), tooManyInAll
	}
	if refusal != "" && evicted == nil {
		if from.open == 0 {
			delete(c.peers, conn.entry.address)
		}
		return nil, refusal
	}
	if evicted != nil {
		c.release(evicted)
		c.peers[conn.entry.address] = from // release deletes the peer if that was its last connection
	}
	c.open++
	from.open++
	c.setIdle(conn)
	return evicted, ""
}

func oldest(idle *lists.List) *clientConn {
	if first := idle.Front(); first != nil {
		return first.Value.(*clientConn)
	}
	return nil
}

// evictOldest closes the connection that has waited longest for a request, if any.
func (c *connections) evictOldest() {
	c.mu.Lock()
	conn := oldest(&c.idle)
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// setIdle marks a connection as waiting for a request. The caller holds mu.
func (c *connections) setIdle(conn *clientConn) {
	if conn.entry.inAll == nil && !conn.entry.released {
		conn.entry.inAll = c.idle.PushBack(conn)
		conn.entry.inAddress = c.peers[conn.entry.address].idle.PushBack(conn)
	}
}

// setBusy marks a connection as serving a request. The caller holds mu.
func (c *connections) setBusy(conn *clientConn) {
	if conn.entry.inAll != nil {
		c.idle.Remove(conn.entry.inAll)
		c.peers[conn.entry.address].idle.Remove(conn.entry.inAddress)
		conn.entry.inAll, conn.entry.inAddress = nil, nil
	}
}

// release removes a connection from the counts. It may be called more than once. The caller holds mu.
func (c *connections) release(conn *clientConn) {
	if conn.entry.released {
		return
	}
	c.setBusy(conn)
	conn.entry.released = true
	c.open--
	from := c.peers[conn.entry.address]
	if from.open--; from.open == 0 {
		delete(c.peers, conn.entry.address)
	}
}

// trackConnection is the ConnState hook of fasthttp. It marks a connection as idle when it waits for its next
// request.
func trackConnection(conn net.Conn, state fasthttp.ConnState) {
	if one, ok := conn.(*clientConn); ok && state == fasthttp.StateIdle {
		one.end()
	}
}

var (
	tooManyInAll = refusal(http.StatusServiceUnavailable,
		"Too many connections. Please try again in a moment.\n")
	tooManyFromAddress = refusal(http.StatusTooManyRequests,
		"Too many connections from your address. Please try again in a moment.\n")
)

// refusal returns a complete HTTP answer for a connection whose request the server does not read.
func refusal(status int, text string) string {
	const format = "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" +
		"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: %s\r\n" +
		"Connection: close\r\n\r\n%s"
	return fmt.Sprintf(format, status, http.StatusText(status), len(text), retryAfter, text)
}

// refuse sends an answer to a connection without reading its request, and closes it. It never blocks.
func (c *connections) refuse(conn net.Conn, answer string) {
	select {
	case c.refusals <- struct{}{}:
	default: // more refusals at once would keep too many files open
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refusals }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(refusalTimeout))
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
		// A request that is left unread would reset the connection before the client has read the answer.
		_, _ = conn.Read(make([]byte, maxHeader))
	}()
}

// peerAddress returns the throttleKey of the peer.
func peerAddress(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return throttleKey(addr.AddrPort().Addr().Unmap().WithZone(""))
	}
	return netip.Addr{}
}

// oncePerMinute limits a repeated log message: the first passes at once, then one a minute.
func oncePerMinute() rate.Sometimes { return rate.Sometimes{First: 1, Interval: time.Minute} }
