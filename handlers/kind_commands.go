package handlers

import (
	"github.com/gofiber/fiber/v2"

	"runboard/templates"
)

// pauseKind answers POST /kinds/:name/pause: new runs of the kind are accepted, and wait.
func (s *Server) pauseKind(c *fiber.Ctx) error { return s.setPaused(c, "pause", true) }

// resumeKind answers POST /kinds/:name/resume.
func (s *Server) resumeKind(c *fiber.Ctx) error { return s.setPaused(c, "resume", false) }

// setPaused pauses or resumes the kind in the path. It ignores the body, but fails if the body is malformed.
func (s *Server) setPaused(c *fiber.Ctx, command string, paused bool) error {
	if _, err := parseBody(c); err != nil {
		return err
	}
	kind, err := s.findKind(c)
	if err != nil {
		return err
	}
	if err := s.store.PauseKind(c.UserContext(), kind.Name, paused); err != nil {
		return err
	}
	s.audit(c, command, 0, "kind", kind.Name)
	switch negotiate(c) {
	case asJSON:
		return c.JSON(fiber.Map{"name": kind.Name, "paused": paused})
	case asFragment:
		overviews, err := s.store.KindOverviews(c.UserContext(), []string{kind.Name})
		if err != nil {
			return err
		}
		return sendHTML(c)(s.Templates.KindState(kind, overviews[0]))
	}
	return c.Redirect(templates.KindPath(kind.Name), fiber.StatusSeeOther)
}
