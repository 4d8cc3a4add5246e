package handlers

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// guardWire looks at requests before Fiber does: what Fiber lets through or answers by itself, and what
// could not be read as a request at all.
func (s *Server) guardWire() {
	server := s.fiber.Server()
	server.ReduceMemoryUsage = true // an open socket would keep a buffer of maxHeader bytes for what it never reads
	next := server.Handler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		switch {
		case !slices.Contains(fiber.DefaultMethods, string(ctx.Method())):
			// Fiber would answer by itself, and knows what is allowed where only for methods that it knows.
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
			next(ctx)
		case twoLengths(ctx.Request.Header.RawHeaders()):
			ctx.SetConnectionClose()
			s.failEarly(ctx, fiber.ErrBadRequest)
		default:
			next(ctx)
		}
	}
	// Without this, what has two lengths and no body would be waited for until its time is up.
	server.HeaderReceived = func(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if twoLengths(header.RawHeaders()) {
			return fasthttp.RequestConfig{ReadTimeout: noTime}
		}
		return fasthttp.RequestConfig{}
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) { s.failEarly(ctx, unread(ctx, err)) }
}

// noTime is as much as none, which would mean that there is no limit.
const noTime = time.Nanosecond

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
func unread(ctx *fasthttp.RequestCtx, err error) error {
	timeout, isNet := errors.AsType[net.Error](err)
	conn, isConn := ctx.Conn().(*lineConn)
	switch {
	case isConn && conn.cut.Load():
		return fiber.ErrBadRequest
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		if isConn && !conn.hasLine.Load() {
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

// twoLengths reports whether a request says in two ways how long its body is. Proxies and servers may
// each believe another one, and then one request is taken for two (request smuggling).
func twoLengths(headers []byte) bool {
	var length, encoding bool
	for line := range bytes.Lines(headers) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		encoding = encoding || bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding))
	}
	return length && encoding
}

// lineListener makes lineConns.
type lineListener struct{ net.Listener }

func (l lineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: conn}, nil
}

// lineConn knows whether the request that is being read has a whole first line: when too much is sent,
// that tells a line that is too long from headers that are.
type lineConn struct {
	net.Conn
	hasLine atomic.Bool // a socket is read and written at the same time
	cut     atomic.Bool // the rest of the request is not waited for, see guardWire
}

// SetReadDeadline takes note of one that leaves no time.
func (c *lineConn) SetReadDeadline(deadline time.Time) error {
	c.cut.Store(!deadline.IsZero() && time.Until(deadline) <= noTime)
	return c.Conn.SetReadDeadline(deadline)
}

func (c *lineConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.IndexByte(b[:n], '\n') >= 0 {
		c.hasLine.Store(true)
	}
	return n, err
}

// Write ends a request: what is read next belongs to another one.
func (c *lineConn) Write(b []byte) (int, error) {
	c.hasLine.Store(false)
	return c.Conn.Write(b)
}
