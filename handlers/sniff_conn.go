package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"runboard/templates"
)

// unroutedMethod stands for all that Fiber does not know, and would answer by itself: no address takes it, so
// that it is answered as any other that an address does not take.
const unroutedMethod = fiber.MethodTrace

// guardWire looks at requests before Fiber does: what Fiber lets through or answers by itself, and what
// could not be read as a request at all.
func (s *Server) hardenServer() {
	server := s.fiber.Server()
	server.ReduceMemoryUsage = true // an open socket would keep a buffer of maxHeader bytes for what it never reads
	server.KeepHijackedConns = true // and its whole request
	next := server.Handler
	server.ConnState = trackConnection
	server.Logger = &serverLog{log: s.Log}
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if conn, ok := ctx.Conn().(*sniffConn); ok {
			conn.begin()
		}
		header := &ctx.Request.Header
		if ambiguous(header.RawHeaders()) || !bytes.HasPrefix(header.Protocol(), []byte("HTTP/1.")) {
			ctx.SetConnectionClose()
			s.failEarly(ctx, fiber.ErrBadRequest)
			return
		}
		if !slices.Contains(fiber.DefaultMethods, string(header.Method())) {
			header.SetMethod(unroutedMethod)
		}
		next(ctx)
	}
	server.HeaderReceived = func(header *fasthttp.RequestHeader) (limits fasthttp.RequestConfig) {
		if ambiguous(header.RawHeaders()) { // which is refused above, and so its body is not waited for
			header.SetContentLength(0)
			header.Del(fiber.HeaderExpect)
		}
		path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
		if header.IsPost() && string(path) == templates.ListPath {
			limits.MaxRequestBodySize = maxCreateBody
		}
		return limits
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		if conn, ok := ctx.Conn().(*sniffConn); ok && errors.Is(err, fasthttp.ErrBodyTooLarge) {
			conn.begin()
			conn.unread.Store(true)
		}
		s.failEarly(ctx, readError(ctx, err))
	}
}

// wireLog has fasthttp log what it cannot tell a client. Clients cause it, and so it is one line a minute at most.
type serverLog struct {
	log    *slog.Logger
	failed sometimes
}

// Printf implements fasthttp.Logger.
func (l *serverLog) Printf(format string, args ...any) {
	if n, due := l.failed.due(time.Now()); due {
		l.log.Warn("a connection failed", "error", fmt.Sprintf(format, args...), "number", n)
	}
}

// failEarly answers a request that does not reach Fiber.
func (s *Server) failEarly(ctx *fasthttp.RequestCtx, err error) {
	c := s.fiber.AcquireCtx(ctx)
	defer s.fiber.ReleaseCtx(c)
	if err := s.fail(c, err); err != nil {
		s.Log.Error("an error could not be told", "error", err)
		ctx.Error("", fiber.StatusInternalServerError)
	}
}

// unread explains why a request could not be read. The error itself would repeat what was sent.
func readError(ctx *fasthttp.RequestCtx, err error) error {
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		if conn, ok := ctx.Conn().(*sniffConn); ok && !conn.hasLine.Load() {
			return fiber.ErrRequestURITooLong
		}
		return fiber.ErrRequestHeaderFieldsTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return fiber.ErrRequestEntityTooLarge
	case isNet && timeout.Timeout(), strings.Contains(err.Error(), "timeout"):
		return fiber.ErrRequestTimeout
	}
	return fiber.ErrBadRequest
}

// ambiguous reports whether proxies and servers may read headers in two ways, and then take one request for two
// (request smuggling): the length of the body is said twice, or in a way that not everybody knows, or a header goes on
// in a second line.
func ambiguous(headers []byte) bool {
	var length, encoding bool
	for line := range bytes.Lines(headers) {
		if line[0] == ' ' || line[0] == '\t' {
			return true
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		if bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)) {
			if !bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked")) { // "identity" would be no body at all
				return true
			}
			encoding = true
		}
	}
	return length && encoding
}

// lineConn knows whether the request that is being read has a whole first line: when too much is sent,
// that tells a line that is too long from headers that are.
//
// It also ends a first request in which lines end without a carriage return: fasthttp would wait for one. Later
// requests are left to that, since here they cannot be told from bodies.
type sniffConn struct {
	net.Conn
	slot    connSlot
	hasLine atomic.Bool // a socket is read and written at the same time
	checked bool        // the headers of the first request are over
	line    []byte      // what there is of the line that is read then, at most two bytes from its end

	unread atomic.Bool // the last request was refused before its body was read

	writeMu sync.Mutex      // held while something is written, to its end
	partial bool            // what offer wrote is not at its end: it holds the lock
	raw     syscall.RawConn // for offer
}

// reset has Close end the connection with a reset instead of in good order.
func (c *sniffConn) reset() {
	if conn, ok := c.Conn.(*net.TCPConn); ok {
		_ = conn.SetLinger(0)
	}
}

// discard reads what still comes of a body that was refused. A connection that is closed while bytes are unread is
// reset, and a client that is still sending would get an error instead of the answer.
func (c *sniffConn) discard() {
	conn, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = conn.CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(discardTime))
	_, _ = io.CopyN(io.Discard, conn, maxDiscard)
}

var errBareLine = errors.New("a line ends without a carriage return")

func (c *sniffConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.IndexByte(b[:n], '\n') >= 0 {
		c.hasLine.Store(true)
	}
	if err == nil && !c.checked {
		err = c.check(b[:n])
	}
	return n, err
}

func (c *sniffConn) check(read []byte) error {
	for line := range bytes.Lines(read) {
		c.line = append(c.line, line...)
		switch {
		case !bytes.HasSuffix(c.line, []byte("\n")): // there is more to come
			c.line = c.line[max(0, len(c.line)-2):]
			continue
		case !bytes.HasSuffix(c.line, []byte("\r\n")):
			return errBareLine
		case len(c.line) == len("\r\n"):
			c.checked, c.line = true, nil
			return nil
		}
		c.line = c.line[:0]
	}
	return nil
}

// Write ends a request: what is read next belongs to another one.
func (c *sniffConn) Write(b []byte) (int, error) {
	c.hasLine.Store(false)
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.Conn.Write(b)
}
