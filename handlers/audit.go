package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

// audit logs a change that was asked for and is accepted: who asked from where, for what, and how many runs it concerns.
func (s *Server) audit(c *fiber.Ctx, what string, runs int64, details ...any) {
	user, _ := c.Locals(userKey).(string)
	s.Log.Info("change", append([]any{"what", what, "user", user, "address", s.client(c), "runs", runs}, details...)...)
}

// bulkSize returns how many runs an action is for: as it was previewed, or for a program that asks at once, as it is now.
func (s *Server) bulkSize(ctx context.Context, action app.BulkAction) int64 {
	switch {
	case len(action.IDs) > 0:
		return int64(len(action.IDs))
	case action.Confirmed.Runs > 0:
		return action.Confirmed.Runs
	}
	prospect, err := s.Store.PreviewBulk(ctx, action)
	if err != nil {
		return -1 // Act will say what is wrong
	}
	return prospect.Runs
}
