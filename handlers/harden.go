package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"runboard/templates"
)

// unroutedMethod replaces request methods that Fiber does not know and would answer itself. No route has it,
// so Fiber answers 405 as for any other wrong method.
const unroutedMethod = fiber.MethodTrace

// hardenServer configures fasthttp to check requests before Fiber: it refuses ambiguous requests, which Fiber
// accepts, and answers unreadable ones in the format of all other errors.
func (s *Server) hardenServer() {
	server := s.fiber.Server()
	server.ReduceMemoryUsage = true // otherwise an open WebSocket keeps a read buffer of maxHeader bytes
	server.KeepHijackedConns = true // otherwise an open WebSocket keeps its whole request
	next := server.Handler
	server.ConnState = trackConnection
	server.Logger = &serverLog{s.Log, oncePerMinute()}
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if conn, ok := ctx.Conn().(*clientConn); ok {
			conn.begin()
		}
		header := &ctx.Request.Header
		if ambiguous(header.RawHeaders()) || namesTwoHosts(&ctx.Request) ||
			!bytes.HasPrefix(header.Protocol(), []byte("HTTP/1.")) {
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
		if ambiguous(header.RawHeaders()) { // refused above without waiting for its body
			header.SetContentLength(0)
			header.Del(fiber.HeaderExpect)
		}
		path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
		if header.IsPost() && hasInputs(string(path)) {
			limits.MaxRequestBodySize = maxCreateBody
		}
		return limits
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		if conn, ok := ctx.Conn().(*clientConn); ok && errors.Is(err, fasthttp.ErrBodyTooLarge) {
			conn.begin()
			conn.unread.Store(true)
		}
		s.failEarly(ctx, readError(ctx, err))
	}
}

// hasInputs reports whether a POST to path has the inputs of runs, which may be long.
func hasInputs(path string) bool {
	isPreview := strings.HasPrefix(path, templates.KindsPath+"/") && strings.HasSuffix(path, "/preview")
	return path == templates.ListPath || isPreview
}

// serverLog is the logger of fasthttp, which logs connection errors. Clients can cause them, so it logs at
// most one line a minute.
type serverLog struct {
	log    *slog.Logger
	failed rate.Sometimes
}

// Printf implements fasthttp.Logger.
func (l *serverLog) Printf(format string, args ...any) {
	l.failed.Do(func() { l.log.Warn("a connection failed", "error", fmt.Sprintf(format, args...)) })
}

// failEarly answers a request that does not reach Fiber with an error.
func (s *Server) failEarly(ctx *fasthttp.RequestCtx, err error) {
	c := s.fiber.AcquireCtx(ctx)
	defer s.fiber.ReleaseCtx(c)
	if err := s.fail(c, err); err != nil {
		s.Log.Error("an error answer could not be sent", "error", err)
		ctx.Error("", fiber.StatusInternalServerError)
	}
}

// readError returns the error with which to answer a request that could not be read. The answer does not
// repeat client input.
func readError(ctx *fasthttp.RequestCtx, err error) error {
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		if conn, ok := ctx.Conn().(*clientConn); ok && !conn.hasLine.Load() {
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

// ambiguous reports whether a proxy and this server may read the headers differently and see two requests
// where the other sees one (request smuggling): with both Content-Length and Transfer-Encoding, an encoding
// other than chunked, or a folded header.
func ambiguous(headers []byte) bool {
	var length, encoding bool
	for line := range bytes.Lines(headers) {
		if line[0] == ' ' || line[0] == '\t' {
			return true
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		if bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)) {
			if !bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked")) { // some servers ignore "identity"
				return true
			}
			encoding = true
		}
	}
	return length && encoding
}

// namesTwoHosts reports whether the target of a request is the URL of another host than that of its header.
// RFC 9112 lets the former count, while the checks of this server look at the latter.
func namesTwoHosts(request *fasthttp.Request) bool {
	target := request.Header.RequestURI()
	return !bytes.HasPrefix(target, []byte("/")) && bytes.Contains(target, []byte("://")) &&
		!bytes.EqualFold(request.URI().Host(), request.Header.Host())
}
