package handlers

import (
	"github.com/gofiber/fiber/v2"

	"runboard/static"
)

// serveStatic answers GET /static/…: files whose names change with their content.
func (s *Server) serveStatic(c *fiber.Ctx) error {
	file, found := s.Assets.Find(c.Path())
	if !found {
		return fiber.ErrNotFound
	}
	encoding := "" // for clients such as curl, which do not say what they can decode
	if c.Get(fiber.HeaderAcceptEncoding) != "" {
		encoding = c.AcceptsEncodings(static.Encodings()...)
	}
	if encoding != "" && encoding != "identity" {
		c.Set(fiber.HeaderContentEncoding, encoding)
	}
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderContentType, file.ContentType)
	return c.Send(file.Encoded(encoding))
}

// redirectToIcon answers GET /favicon.ico, which browsers request for answers that are no pages, such as a
// log.
func (s *Server) redirectToIcon(c *fiber.Ctx) error {
	return c.Redirect(s.Assets.Path("favicon.svg"), fiber.StatusFound)
}
