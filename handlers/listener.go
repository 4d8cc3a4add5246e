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

	"runboard/app"
)

const (
	plainConnections = 2000 // at once beside those of sockets: browsers keep some open for their next request
	plainPerAddress  = 200

	shortestBackoff = 5 * time.Millisecond // between attempts to accept
	longestBackoff  = time.Second
	refusing        = 32 // connections that are told at once why they are closed
	refusalTime     = 200 * time.Millisecond
)

// connections accepts connections and bounds how many there are, in all and for each address, before anything is read from
// them. A connection over the bound takes the place of the one that has waited longest without a complete request, so that
// silent connections cannot keep others out. If there is none, it is refused.
type connections struct {
	net.Listener
	most, mostPerAddress int
	exempt               func(netip.Addr) bool // addresses that are only bounded in all: trusted proxies
	log                  *slog.Logger
	failed, refused      sometimes     // what the log says of them
	refusals             chan struct{} // one for each connection that is being told
	closed               chan struct{}
	close                func() error

	mu    sync.Mutex
	open  int
	peers map[netip.Addr]*peer
	idle  lists.List // of *lineConn that wait for a request, the oldest first
}

// peer is what one address has open.
type peer struct {
	open int
	idle lists.List
}

// slot is the place of a connection. Guarded by connections.
type connSlot struct {
	owner            *connections
	address          netip.Addr
	released         bool
	inAll, inAddress *lists.Element // while it waits for a request
}

// newConnections bounds the connections of a listener.
func (s *Server) newConnections(listener net.Listener) *connections {
	c := &connections{
		Listener: listener, mostPerAddress: s.Config.MaxSocketsPerAddress + plainPerAddress, exempt: s.trusted, log: s.Log,
		refusals: make(chan struct{}, refusing), closed: make(chan struct{}), peers: map[netip.Addr]*peer{},
	}
	c.most, _ = connectionLimit(s.Config, openFiles())
	c.close = sync.OnceValue(func() error {
		close(c.closed)
		return listener.Close()
	})
	return c
}

// connectionLimit returns how many connections there may be so that files are left for the database and for commands, and
// whether the limit of open files is too low for what is configured.
func connectionLimit(config app.Config, files uint64) (most int, low bool) {
	const database, worker = 64, 10 // open files of each, with something to spare
	want := config.MaxSockets + plainConnections
	reserve := uint64(database + worker*config.Workers)
	if files >= uint64(want)+reserve {
		return want, false
	}
	return int(max(files/4, files-min(files, reserve))), true
}

// openFiles returns how many files this process may have open. The Go runtime has raised that to what the system allows;
// commands start with what the process was started with.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what POSIX systems begin with
	}
	return limit.Cur
}

// Close stops accepting.
func (c *connections) Close() error { return c.close() }

// Accept returns the next connection that there is room for. It only fails when the listener is closed or broken: that
// memory or open files are used up passes.
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
		case !slices.ContainsFunc(passing, func(known error) bool { return errors.Is(err, known) }):
			return nil, err
		}
		if n, due := c.failed.due(time.Now()); due {
			c.log.Error("connections cannot be accepted", "error", err, "attempts", n)
		}
		c.evictOldest()
		select {
		case <-c.closed:
			return nil, net.ErrClosed
		case <-time.After(min(shortestBackoff<<min(failures, 10), longestBackoff)):
			failures++
		}
	}
}

// passing are the errors after which accepting goes on: what is used up comes back, and the others are about one
// connection, see accept(2).
var passing = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN, syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT,
	syscall.EOPNOTSUPP, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ETIMEDOUT,
}

// admit gives a connection a slot. It returns nil if the connection was refused.
func (c *connections) admit(conn net.Conn) *sniffConn {
	admitted := &sniffConn{Conn: conn}
	admitted.slot = connSlot{owner: c, address: peerAddress(conn)}
	evicted, refusal := c.reserve(admitted)
	if evicted != nil {
		_ = evicted.Close()
	}
	if refusal == "" {
		return admitted
	}
	if n, due := c.refused.due(time.Now()); due {
		c.log.Warn("too many connections", "address", admitted.slot.address, "refused", n)
	}
	c.refuse(conn, refusal)
	return nil
}

// reserve counts a connection in. It returns the connection that has to be closed for that, or how to refuse.
func (c *connections) reserve(conn *sniffConn) (evicted *sniffConn, refusal string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.peers[conn.slot.address]
	if from == nil {
		from = &peer{}
		c.peers[conn.slot.address] = from
	}
	switch {
	case from.open >= c.mostPerAddress && !c.exempt(conn.slot.address):
		evicted, refusal = oldest(&from.idle), tooManyFromAddress
	case c.open >= c.most:
		evicted, refusal = oldest(&c.idle), tooManyInAll
	default:
		refusal = ""
	}
	if refusal != "" && evicted == nil {
		if from.open == 0 {
			delete(c.peers, conn.slot.address)
		}
		return nil, refusal
	}
	if evicted != nil {
		c.release(evicted)
		c.peers[conn.slot.address] = from // it may have been the last of the address
	}
	c.open++
	from.open++
	c.wait(conn)
	return evicted, ""
}

func oldest(idle *lists.List) *sniffConn {
	if first := idle.Front(); first != nil {
		return first.Value.(*sniffConn)
	}
	return nil
}

// evictOldest closes the connection that has waited longest for a request, if there is one.
func (c *connections) evictOldest() {
	c.mu.Lock()
	conn := oldest(&c.idle)
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// wait notes that a connection has no complete request. The caller holds the lock.
func (c *connections) wait(conn *sniffConn) {
	if conn.slot.inAll == nil && !conn.slot.released {
		conn.slot.inAll = c.idle.PushBack(conn)
		conn.slot.inAddress = c.peers[conn.slot.address].idle.PushBack(conn)
	}
}

// work notes that a request of a connection is being served. The caller holds the lock.
func (c *connections) work(conn *sniffConn) {
	if conn.slot.inAll != nil {
		c.idle.Remove(conn.slot.inAll)
		c.peers[conn.slot.address].idle.Remove(conn.slot.inAddress)
		conn.slot.inAll, conn.slot.inAddress = nil, nil
	}
}

// release counts a connection out, once. The caller holds the lock.
func (c *connections) release(conn *sniffConn) {
	if conn.slot.released {
		return
	}
	c.work(conn)
	conn.slot.released = true
	c.open--
	from := c.peers[conn.slot.address]
	if from.open--; from.open == 0 {
		delete(c.peers, conn.slot.address)
	}
}

// begin notes that a request of the connection has arrived. Until end, the connection is not closed to make room.
func (c *sniffConn) begin() {
	if owner := c.slot.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.work(c)
	}
}

// end notes that the request has been answered.
func (c *sniffConn) end() {
	if owner := c.slot.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.wait(c)
	}
}

// Close closes the connection and gives its slot up.
func (c *sniffConn) Close() error {
	if c.unread.Load() {
		c.discard()
	}
	if owner := c.slot.owner; owner != nil {
		owner.mu.Lock()
		owner.release(c)
		owner.mu.Unlock()
	}
	return c.Conn.Close()
}

// trackConnection follows what fasthttp does with a connection.
func trackConnection(conn net.Conn, state fasthttp.ConnState) {
	if one, ok := conn.(*sniffConn); ok && state == fasthttp.StateIdle {
		one.end()
	}
}

var (
	tooManyInAll       = refusal(http.StatusServiceUnavailable, "Too many connections. Please try again in a moment.\n")
	tooManyFromAddress = refusal(http.StatusTooManyRequests, "Too many connections from your address. Please try again in a moment.\n")
)

// refusal is an answer to a request that was not read.
func refusal(status int, text string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nX-Content-Type-Options: nosniff\r\n"+
		"Cache-Control: no-store\r\nRetry-After: %s\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), len(text), retryAfter, text)
}

// refuse answers a connection from which nothing was read, and closes it. It never waits.
func (c *connections) refuse(conn net.Conn, answer string) {
	select {
	case c.refusals <- struct{}{}:
	default: // telling this one, too, would keep too many files open
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-c.refusals }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(refusalTime))
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, maxHeader)) // a request that is left unread would reset the connection before the answer is read
	}()
}

// peerAddress is the address of the other end, as limits count it.
func peerAddress(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return throttleKey(addr.AddrPort().Addr().Unmap().WithZone(""))
	}
	return netip.Addr{}
}

// sometimes lets through the first of many equal messages, and then one a minute.
type sometimes struct {
	mu   sync.Mutex
	next time.Time
	held int
}

// due reports whether to send a message now, and for how many occurrences it stands.
func (s *sometimes) due(now time.Time) (n int, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held++
	if now.Before(s.next) {
		return 0, false
	}
	n, s.held, s.next = s.held, 0, now.Add(time.Minute)
	return n, true
}
