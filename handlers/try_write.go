package handlers

import (
	"errors"
	"syscall"
	"time"
)

// offer is a write that does not wait. Whoever makes many keeps one, since what it consists of is allocated.
type tryWriter struct {
	message   []byte
	written   int
	err       error
	writeFunc func(fd uintptr) bool // write, as a value
}

func (o *tryWriter) write(fd uintptr) bool {
	o.written, o.err = syscall.Write(int(fd), o.message)
	for errors.Is(o.err, syscall.EINTR) {
		o.written, o.err = syscall.Write(int(fd), o.message)
	}
	return true // whatever came of it: false would wait
}

// to writes as much as fits into what the system holds for the peer.
func (o *tryWriter) tryWrite(conn syscall.RawConn, message []byte) (taken int, err error) {
	if o.writeFunc == nil {
		o.writeFunc = o.write
	}
	o.message = message
	err = conn.Write(o.writeFunc)
	o.message = nil
	if err == nil && !errors.Is(o.err, syscall.EAGAIN) {
		err = o.err
	}
	return max(0, o.written), err
}

// offer writes what the peer takes at once, and returns the rest, for finish. When a part has been written, nobody else
// writes anything before that.
func (c *sniffConn) tryWrite(message []byte, o *tryWriter) (rest []byte, err error) {
	if c.raw == nil {
		conn, isRaw := c.Conn.(syscall.Conn)
		if !isRaw {
			return message, nil
		}
		if c.raw, err = conn.SyscallConn(); err != nil {
			return nil, err
		}
	}
	if !c.writeMu.TryLock() {
		return message, nil
	}
	taken, err := o.tryWrite(c.raw, message)
	if err == nil && taken > 0 && taken < len(message) {
		c.partial = true
		return message[taken:], nil
	}
	c.writeMu.Unlock()
	if err != nil || taken == len(message) {
		return nil, err
	}
	return message, nil
}

// finish writes what offer has left, and waits so long for the peer to take it.
func (c *sniffConn) writeRest(rest []byte, within time.Duration) error {
	if !c.partial {
		c.writeMu.Lock()
	}
	c.partial = false
	defer c.writeMu.Unlock()
	if err := c.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := c.Conn.Write(rest); err != nil {
		return err
	}
	return c.SetWriteDeadline(time.Time{}) // or what is offered later would be refused
}
