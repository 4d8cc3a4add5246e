package handlers

import (
	"crypto/rand"
	"errors"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// httpStatuses are the HTTP statuses of error codes.
var httpStatuses = map[app.Code]int{
	app.CodeMalformed:   fiber.StatusBadRequest,
	app.CodeInvalid:     fiber.StatusUnprocessableEntity,
	app.CodeNotFound:    fiber.StatusNotFound,
	app.CodeConflict:    fiber.StatusConflict,
	app.CodeUnavailable: fiber.StatusServiceUnavailable,
	app.CodeTooMany:     fiber.StatusTooManyRequests,
	app.CodeForbidden:   fiber.StatusForbidden,
	app.CodeUnsupported: fiber.StatusUnsupportedMediaType,
	app.CodeInternal:    fiber.StatusInternalServerError,
}

// httpMessages replace the messages of Fiber's errors, which contain internals.
var httpMessages = map[int]string{
	fiber.StatusBadRequest:                  "The request could not be understood.",
	fiber.StatusUnauthorized:                "Please sign in.",
	fiber.StatusNotFound:                    "There is no such page.",
	fiber.StatusMethodNotAllowed:            "This method is not allowed here.",
	fiber.StatusRequestTimeout:              "The request took too long to arrive.",
	fiber.StatusRequestEntityTooLarge:       "The body is too large.",
	fiber.StatusRequestURITooLong:           "The address is too long.",
	fiber.StatusMisdirectedRequest:          "This server is not known by that name. See --public-origin.",
	fiber.StatusUpgradeRequired:             "This address is for WebSockets.",
	fiber.StatusRequestHeaderFieldsTooLarge: "The headers are too large.",
}

// retryAfter is the default Retry-After header of answers with status 429 and 503, in seconds.
const retryAfter = "2"

// fail answers a request with an error, as a page, a fragment or JSON, see negotiate.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	status, code, message := s.toHTTP(err)
	setCommonHeaders(c)
	c.Status(status)
	waits := status == fiber.StatusServiceUnavailable || status == fiber.StatusTooManyRequests
	if waits && len(c.Response().Header.Peek(fiber.HeaderRetryAfter)) == 0 {
		c.Set(fiber.HeaderRetryAfter, retryAfter)
	}
	switch negotiate(c) {
	case asJSON:
		answer := fiber.Map{"error": message, "code": code}
		if faults, ok := errors.AsType[app.InputErrors](err); ok {
			answer["inputs"] = faults
		}
		return c.JSON(answer)
	case asFragment: // show the error as a notice and keep the target
		retarget(c, templates.NoticeID, "innerHTML")
		return sendHTML(c)(s.Templates.Notice(message))
	}
	if fromHTMX(c) { // it would select an element that the error page does not have
		retarget(c, templates.NoticeID, "innerHTML ignoreTitle:true")
		c.Set("HX-Reselect", "#"+templates.MessageID)
		c.Set("HX-Push-Url", "false")
	}
	return sendHTML(c)(s.Templates.Error(templates.ErrorPage{
		Status: status, Message: message, Run: runOfConflict(c, status),
		Reload: status == fiber.StatusServiceUnavailable && c.Method() == fiber.MethodGet,
	}))
}

// runOfConflict returns the run whose status does not allow what was asked, or 0.
func runOfConflict(c *fiber.Ctx, status int) int64 {
	if status != fiber.StatusConflict {
		return 0
	}
	run, err := parseID(c)
	if err != nil {
		return 0
	}
	return run
}

// toHTTP returns the status, code and message for an error. An internal error is logged, and its message
// gives the client only a reference to the log line.
func (s *Server) toHTTP(err error) (status int, code app.Code, message string) {
	if faults, ok := errors.AsType[app.InputErrors](err); ok {
		message = faults.Sentence()
		if other, ok := errors.AsType[*app.Error](err); ok { // of the same request
			message += " " + other.Message
		}
		return fiber.StatusUnprocessableEntity, app.CodeInvalid, message
	}
	if known, ok := errors.AsType[*app.Error](err); ok && known.Code != app.CodeInternal {
		if known.Err != nil {
			s.Log.Warn("a request failed", "error", err)
		}
		return httpStatuses[known.Code], known.Code, known.Message
	}
	if fromFiber, ok := errors.AsType[*fiber.Error](err); ok {
		if sentence, ok := httpMessages[fromFiber.Code]; ok {
			return fromFiber.Code, codeOf(fromFiber.Code), sentence
		}
	}
	reference := rand.Text()[:10]
	s.Log.Error("a request failed", "reference", reference, "error", err)
	return fiber.StatusInternalServerError, app.CodeInternal,
		"Something went wrong here. If it happens again, tell the operator the reference " + reference + "."
}

// codeOf returns the error code for the status of a Fiber error.
func codeOf(status int) app.Code {
	switch status {
	case fiber.StatusNotFound:
		return app.CodeNotFound
	case fiber.StatusUnauthorized, fiber.StatusMisdirectedRequest:
		return app.CodeForbidden
	}
	return app.CodeMalformed
}

// logPanic logs a panic of a request handler. Fiber then answers 500.
func (s *Server) logPanic(c *fiber.Ctx, panicked any) {
	s.Log.Error("a handler panicked", "path", c.Path(), "panic", panicked, "stack", string(debug.Stack()))
}

// recoverPanic logs a panic in a goroutine and lets the process live. The caller must defer it; what names
// the goroutine in the log.
func (s *Server) recoverPanic(what string) {
	if panicked := recover(); panicked != nil {
		s.Log.Error(what+" panicked", "panic", panicked, "stack", string(debug.Stack()))
	}
}
