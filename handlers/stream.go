package handlers

import (
	"net"
	"time"
)

// streamTime is how long a reader of a stream may take for a part of it; then it is cut.
const streamTime = 15 * time.Second

// stream is an answer that is sent part by part, for as long as it takes.
type stream struct {
	server *Server
	conn   net.Conn
}

// extend gives the reader time for what is written next.
func (s stream) extend() { _ = s.conn.SetWriteDeadline(time.Now().Add(streamTime)) }

// spoil ends an answer that is not complete, so that it is not taken for the whole.
func (s stream) spoil() { _ = s.conn.Close() }
