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

// sniffConn is a connection that inspects the first request on it, and that counts against the limits of
// connections.
//
// It knows whether the request that is being read has a complete first line: if too much is sent, that tells
// an address that is too long from headers that are.
//
// It also fails if a line of the first request ends without a carriage return, for which fasthttp would wait.
// Later requests are not inspected, because they cannot be told from bodies here.
type sniffConn struct {
	ws.NetConn
	entry    connEntry
	hasLine  atomic.Bool // atomic, because a WebSocket is read and written at the same time
	headless bool        // the headers of the first request are over
	line     []byte      // the line that is being read, or its last two bytes

	unread atomic.Bool // the last request was refused before its body was read
}

var errBareLine = errors.New("a line ends without a carriage return")

// Read implements net.Conn.
func (c *sniffConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.IndexByte(b[:n], '\n') >= 0 {
		c.hasLine.Store(true)
	}
	if err == nil && !c.headless {
		err = c.inspect(b[:n])
	}
	return n, err
}

// inspect checks how the lines end that have been read.
func (c *sniffConn) inspect(read []byte) error {
	for line := range bytes.Lines(read) {
		c.line = append(c.line, line...)
		switch {
		case !bytes.HasSuffix(c.line, []byte("\n")): // the rest of the line is still to come
			c.line = c.line[max(0, len(c.line)-2):]
			continue
		case !bytes.HasSuffix(c.line, []byte("\r\n")):
			return errBareLine
		case len(c.line) == len("\r\n"):
			c.headless = true
			c.line = nil
			return nil
		}
		c.line = c.line[:0]
	}
	return nil
}

// Write implements net.Conn. An answer ends a request, so what is read next belongs to another one.
func (c *sniffConn) Write(b []byte) (int, error) {
	c.hasLine.Store(false)
	return c.NetConn.Write(b)
}

// Close closes the connection and removes it from the limits.
func (c *sniffConn) Close() error {
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

// begin says that a request has been read. Until end, the connection is not closed to make room for others.
func (c *sniffConn) begin() {
	if owner := c.entry.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.setBusy(c)
	}
}

// end says that the request has been answered.
func (c *sniffConn) end() {
	if owner := c.entry.owner; owner != nil {
		owner.mu.Lock()
		defer owner.mu.Unlock()
		owner.setIdle(c)
	}
}

// resetOnClose has Close reset the connection, so that the client does not take the answer for complete.
func (c *sniffConn) resetOnClose() {
	if conn, ok := c.Conn.(*net.TCPConn); ok {
		_ = conn.SetLinger(0)
	}
}

// discard reads the rest of a body that was refused. A connection that is closed with unread bytes is reset,
// and a client that is still sending would get an error instead of the answer.
func (c *sniffConn) discard() {
	conn, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = conn.CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(discardTimeout))
	_, _ = io.CopyN(io.Discard, conn, maxDiscard)
}
