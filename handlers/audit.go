package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
)

// audit logs an accepted change: the user and the client address that requested it, its name, the number of
// runs, and the details as slog attributes.
func (s *Server) audit(c *fiber.Ctx, what string, runs int64, details ...any) {
	user, _ := c.Locals(userKey).(string)
	attrs := []any{"what", what, "user", user, "address", s.client(c), "runs", runs}
	s.Log.Info("change", append(attrs, details...)...)
}

// bulkSize returns the number of runs that a bulk action changes, for the log: the number in its preview or,
// without a preview, the number of selected runs or else of those that match now. It returns -1 if the store
// fails.
func (s *Server) bulkSize(ctx context.Context, action app.BulkAction) int64 {
	switch {
	case action.Confirmed.Checked:
		return action.Confirmed.Runs
	case len(action.IDs) > 0:
		return int64(len(action.IDs))
	}
	preview, err := s.store.PreviewBulk(ctx, action)
	if err != nil {
		return -1 // CreateBulkAction will fail with the same error
	}
	return preview.Runs
}
