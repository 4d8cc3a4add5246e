package handlers

import (
	"bufio"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
)

// streamTimeout is how long a client may take to read one part of a stream before it is disconnected.
const streamTimeout = 15 * time.Second

// stream is an answer that is sent part by part. Its total time is not limited.
type stream struct {
	server *Server
	conn   net.Conn
}

// extendWriteDeadline gives the client streamTimeout for the next part.
func (s stream) extendWriteDeadline() { _ = s.conn.SetWriteDeadline(time.Now().Add(streamTimeout)) }

// abort resets the connection, so that the client notices that the answer is incomplete. HTTP/1.0 clients
// take a regular end of the connection for the end of the answer.
func (s stream) abort() {
	if conn, ok := s.conn.(*clientConn); ok {
		conn.resetOnClose()
	}
	_ = s.conn.Close()
}

// sendStream sends a body that write produces part by part. HTTP/1.0 clients do not know chunks, so their
// answer ends with the connection; fasthttp does not support that.
func sendStream(c *fiber.Ctx, write func(*bufio.Writer)) {
	request := c.Context() // c is reused for another request before the body is sent
	if request.Request.Header.IsHTTP11() || request.IsHead() {
		request.SetBodyStreamWriter(write)
		return
	}
	request.HijackSetNoResponse(true)
	request.Hijack(func(conn net.Conn) { // all headers are set by now
		defer func() { _ = conn.Close() }()
		request.Response.Header.SetConnectionClose()
		w := bufio.NewWriter(conn)
		_ = conn.SetWriteDeadline(time.Now().Add(streamTimeout))
		_, _ = w.Write(request.Response.Header.Header()) // Flush returns its error
		write(w)
		_ = w.Flush()
	})
}
