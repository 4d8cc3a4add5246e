package handlers

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"runboard/handlers/ws"
)

// clientConn is a client connection that counts against the connection limits and inspects the first request.
//
// It records whether the current request has a complete first line. When a request exceeds the read buffer,
// readError uses that to choose between 414 (address too long) and 431 (headers too large).
//
// Read fails if a line in the headers of the first request ends without a carriage return, because fasthttp
// would wait for more. Later requests are not inspected: here they cannot be told from bodies.
type clientConn struct {
	ws.NetConn
	entry connEntry // guarded by connections.mu
	// hasLine is atomic, because a WebSocket reads and writes at the same time.
	hasLine   atomic.Bool // the current request has a complete first line
	inspected bool        // the headers of the first request are complete
	line      []byte      // the incomplete line, or its last two bytes

	unread atomic.Bool // the last request was refused before its body was read
}

var errBareLine = errors.New("a line ends without a carriage return")

// Read implements net.Conn.
func (c *clientConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.IndexByte(b[:n], '\n') >= 0 {
		c.hasLine.Store(true)
	}
	if err == nil && !c.inspected {
		err = c.inspect(b[:n])
	}
	return n, err
}

// inspect fails with errBareLine if a header line in read ends without a carriage return.
func (c *clientConn) inspect(read []byte) error {
	for line := range bytes.Lines(read) {
		c.line = append(c.line, line...)
		switch {
		case !bytes.HasSuffix(c.line, []byte("\n")): // the rest of the line is still to come
			c.line = c.line[max(0, len(c.line)-2):]
			continue
		case !bytes.HasSuffix(c.line, []byte("\r\n")):
			return errBareLine
		case len(c.line) == len("\r\n"):
			c.inspected = true
			c.line = nil
			return nil
		}
		c.line = c.line[:0]
	}
	return nil
}

// Write implements net.Conn. An answer ends the request, so hasLine starts over for the next one.
func (c *clientConn) Write(b []byte) (int, error) {
	c.hasLine.Store(false)
	return c.NetConn.Write(b)
}

// Close closes the connection and removes it from the limits.
func (c *clientConn) Close() error {
	if c.unread.Load() {
		c.discard()
	}
	if owner := c.entry.owner; owner != nil {
		owner.mu.Lock()
		owner.release(c)
		owner.mu.Unlock()
	}
	return c.Conn.Close()
}

// begin marks the connection as serving a request. Until end, the listener does not evict it.
func (c *clientConn) begin() {
	if owner := c.entry.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.setBusy(c)
	}
}

// end marks the request as answered.
func (c *clientConn) end() {
	if owner := c.entry.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.setIdle(c)
	}
}

// resetOnClose makes Close reset the connection, so that the client does not take a partial answer for a
// complete one.
func (c *clientConn) resetOnClose() {
	if conn, ok := c.Conn.(*net.TCPConn); ok {
		_ = conn.SetLinger(0)
	}
}

// discard reads the rest of a refused body, up to maxDiscard bytes. Closing a connection with unread bytes
// resets it, and a client that is still sending would get an error instead of the answer.
func (c *clientConn) discard() {
	conn, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = conn.CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(discardTimeout))
	_, _ = io.CopyN(io.Discard, conn, maxDiscard)
}
