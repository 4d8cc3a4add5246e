package handlers

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

const (
	// streamTimeout is how long a client may take to read one part of a stream before it is disconnected.
	streamTimeout = 15 * time.Second
	// streamTries is how often the part is read that follows what was sent, if the database is too busy.
	streamTries = 3
	// streamPause is the time between two of these reads.
	streamPause = time.Second
)

// stream is an answer that is sent part by part. Its total time is not limited.
type stream struct {
	server *Server
	conn   net.Conn
}

// extendWriteDeadline gives the client streamTimeout for the next part.
func (s stream) extendWriteDeadline() { _ = s.conn.SetWriteDeadline(time.Now().Add(streamTimeout)) }

// read reads a part with a timeout of its own. While the database cannot be used, it tries again: a client
// whose answer has begun could only start over.
func (s stream) read(part func(context.Context) error) error {
	for try := 1; ; try++ {
		ctx, cancel := requestContext()
		err := part(ctx)
		cancel()
		if err == nil || app.CodeOf(err) != app.CodeUnavailable || try == streamTries {
			return err
		}
		select {
		case <-time.After(streamPause):
		case <-s.server.sockets.closing:
			return err
		}
	}
}

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
