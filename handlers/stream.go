package handlers

import (
	"bufio"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
)

// streamTime is how long a reader of a stream may take for a part of it; then it is cut.
const streamTimeout = 15 * time.Second

// stream is an answer that is sent part by part, for as long as it takes.
type stream struct {
	server *Server
	conn   net.Conn
}

// extend gives the reader time for what is written next.
func (s stream) extendWriteDeadline() { _ = s.conn.SetWriteDeadline(time.Now().Add(streamTimeout)) }

// spoil ends an answer that is not complete, so that it is not taken for the whole. A client of HTTP/1.0 takes a regular end
// of the connection for the end of the answer, so the connection is reset.
func (s stream) abort() {
	if conn, ok := s.conn.(*sniffConn); ok {
		conn.reset()
	}
	_ = s.conn.Close()
}

// sendStream has write send the body of an answer, part by part. Clients of HTTP/1.0 do not know chunks: their answer ends
// with the connection, which fasthttp has no way to do by itself.
func sendStream(c *fiber.Ctx, write func(*bufio.Writer)) {
	request := c.Context() // c is another request's when the body is sent
	if request.Request.Header.IsHTTP11() || request.IsHead() {
		request.SetBodyStreamWriter(write)
		return
	}
	request.HijackSetNoResponse(true)
	request.Hijack(func(conn net.Conn) { // the answer has all its headers by now
		defer func() { _ = conn.Close() }()
		request.Response.Header.SetConnectionClose()
		w := bufio.NewWriter(conn)
		_ = conn.SetWriteDeadline(time.Now().Add(streamTimeout))
		_, _ = w.Write(request.Response.Header.Header()) // its error is that of Flush
		write(w)
		_ = w.Flush()
	})
}
