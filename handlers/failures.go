package handlers

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/templates"
)

// failures is the live view of the failures page, shared by all its subscribers.
var failures = &live.PageView{
	Load: func(ctx context.Context, store app.Store) (any, error) { return store.Failures(ctx) },
	Render: func(t *templates.Templates, answer any) ([]byte, error) {
		return t.FailuresFrame(answer.(app.Failures))
	},
	MinInterval: time.Second,
}

// showFailures answers GET /process_runs/failures.
func (s *Server) showFailures(c *fiber.Ctx) error {
	all, err := s.store.Failures(c.UserContext())
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return c.JSON(all)
	case asFragment:
		return sendHTML(c)(s.Templates.FailuresLive(all))
	}
	return sendHTML(c)(s.Templates.Failures(all))
}
