package ws

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// NetConn is a network connection with non-blocking writes. Connections that are upgraded must embed one.
// Messages are written whole: while part of a message has been written, other calls of Write wait for its
// end.
type NetConn struct {
	net.Conn
	mu      sync.Mutex // held during a write, also between the parts of a message
	partial bool       // tryWrite has written part of a message and still holds mu
	raw     syscall.RawConn
}

// Base returns c. Types that embed a NetConn give access to it that way.
func (c *NetConn) Base() *NetConn { return c }

// Write implements net.Conn.
func (c *NetConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Conn.Write(b)
}

// nonBlocking is the state of a write that does not block. A writer reuses it to save an allocation for each
// write.
type nonBlocking struct {
	data    []byte
	written int
	err     error
	call    func(fd uintptr) bool // the method write, as a value
}

func (w *nonBlocking) write(fd uintptr) bool {
	w.written, w.err = syscall.Write(int(fd), w.data)
	for errors.Is(w.err, syscall.EINTR) {
		w.written, w.err = syscall.Write(int(fd), w.data)
	}
	return true // false would block until the connection is writable
}

// to writes as many bytes as fit into the send buffer of conn.
func (w *nonBlocking) to(conn syscall.RawConn, data []byte) (written int, err error) {
	if w.call == nil {
		w.call = w.write
	}
	w.data = data
	err = conn.Write(w.call)
	w.data = nil
	if err == nil && !errors.Is(w.err, syscall.EAGAIN) {
		err = w.err
	}
	return max(0, w.written), err
}

// tryWrite writes what fits into the send buffer and returns the rest, a subslice of data. The caller must
// pass a non-empty rest to writeRest.
func (c *NetConn) tryWrite(data []byte, w *nonBlocking) (rest []byte, err error) {
	if c.raw == nil {
		conn, ok := c.Conn.(syscall.Conn)
		if !ok {
			return data, nil
		}
		if c.raw, err = conn.SyscallConn(); err != nil {
			return nil, err
		}
	}
	if !c.mu.TryLock() {
		return data, nil
	}
	written, err := w.to(c.raw, data)
	if err == nil && written > 0 && written < len(data) {
		c.partial = true
		return data[written:], nil
	}
	c.mu.Unlock()
	if err != nil || written == len(data) {
		return nil, err
	}
	return data, nil
}

// writeRest writes the rest that tryWrite returned. It blocks until the peer has taken it or the timeout has
// passed.
func (c *NetConn) writeRest(rest []byte, timeout time.Duration) error {
	if !c.partial {
		c.mu.Lock()
	}
	c.partial = false
	defer c.mu.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := c.Conn.Write(rest); err != nil {
		return err
	}
	return c.SetWriteDeadline(time.Time{}) // otherwise tryWrite fails after the deadline
}
