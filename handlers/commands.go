package handlers

import (
	"context"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// cancelRun answers POST /process_runs/:id/cancel. The status is 202 while the job has not returned yet, else
// 200.
func (s *Server) cancelRun(c *fiber.Ctx) error {
	return s.changeRun(c, "cancel", s.store.Cancel, func(run app.ProcessRun) (int, string) {
		if run.CancelRequested() {
			return fiber.StatusAccepted, fmt.Sprintf("Stopping run #%d…", run.ID)
		}
		return fiber.StatusOK, fmt.Sprintf("Run #%d is cancelled.", run.ID)
	})
}

// retryRun answers POST /process_runs/:id/retry: it queues a failed or cancelled run again.
func (s *Server) retryRun(c *fiber.Ctx) error {
	return s.changeRun(c, "retry", s.store.Retry, func(run app.ProcessRun) (int, string) {
		return fiber.StatusOK, fmt.Sprintf("Run #%d is queued again.", run.ID)
	})
}

// undoCancel answers POST /process_runs/:id/undo?version=: it queues a run again that was cancelled, unless
// it has changed since.
func (s *Server) undoCancel(c *fiber.Ctx) error {
	values, err := parseForm(c.Context().QueryArgs()).single("version")
	if err != nil {
		return err
	}
	version, ok := parseNumber(values["version"])
	if !ok {
		return app.Errorf(app.CodeMalformed, "version must be that of the cancelled run.")
	}
	undo := func(ctx context.Context, id int64) (app.ProcessRun, error) {
		return s.store.Undo(ctx, id, version)
	}
	return s.changeRun(c, "undo", undo, func(run app.ProcessRun) (int, string) {
		return fiber.StatusOK, fmt.Sprintf("Run #%d is queued again.", run.ID)
	})
}

// changeRun applies a command to the run in the path. describe returns the status and the message of the
// answer.
func (s *Server) changeRun(
	c *fiber.Ctx, name string,
	command func(context.Context, int64) (app.ProcessRun, error),
	describe func(app.ProcessRun) (status int, message string),
) error {
	id, err := parseCommandID(c)
	if err != nil {
		return err
	}
	run, err := command(c.UserContext(), id)
	if err != nil {
		return err
	}
	s.audit(c, name, 1, "run", run.ID)
	status, message := describe(run)
	switch negotiate(c) {
	case asJSON:
		return c.Status(status).JSON(runJSON(run))
	case asFragment:
		return sendHTML(c.Status(status))(s.Templates.Success(message, run, name == "cancel"))
	}
	return c.Redirect(templates.RunPath(id), fiber.StatusSeeOther)
}

// deleteRun answers POST /process_runs/:id/delete.
func (s *Server) deleteRun(c *fiber.Ctx) error {
	id, err := parseCommandID(c)
	if err != nil {
		return err
	}
	if err := s.store.Delete(c.UserContext(), id); err != nil {
		return err
	}
	s.audit(c, "delete", 1, "run", id)
	switch negotiate(c) {
	case asJSON:
		return c.JSON(fiber.Map{"id": id, "deleted": true})
	case asFragment:
		return sendHTML(c)(s.Templates.Deleted(id))
	}
	return c.Redirect(templates.ListPath, fiber.StatusSeeOther)
}
