package handlers

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// failuresView is the live view of the failures page. It implements live.PageView.
type failuresView struct{}

func (failuresView) Load(ctx context.Context, store app.Store) (any, error) {
	return store.Failures(ctx)
}

func (failuresView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.FailuresFrame(loaded.(app.Failures))
}

func (failuresView) MinInterval() time.Duration { return time.Second }

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
