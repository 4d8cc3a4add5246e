package handlers

import (
	"context"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// cancelRun answers POST /process_runs/:id/cancel. A run whose work goes on has not been cancelled yet, and
// the answer says so.
func (s *Server) cancelRun(c *fiber.Ctx) error {
	return s.runCommand(c, "cancel", s.Store.Cancel, func(run app.ProcessRun) (int, string) {
		if run.CancelRequested() {
			return fiber.StatusAccepted, fmt.Sprintf("Stopping run #%d…", run.ID)
		}
		return fiber.StatusOK, fmt.Sprintf("Run #%d is cancelled.", run.ID)
	})
}

// retryRun answers POST /process_runs/:id/retry.
func (s *Server) retryRun(c *fiber.Ctx) error {
	return s.runCommand(c, "retry", s.Store.Retry, func(run app.ProcessRun) (int, string) {
		return fiber.StatusOK, fmt.Sprintf("Run #%d is queued again.", run.ID)
	})
}

// fulfil does what a person wishes for a run. say is the status of the answer and its sentence.
func (s *Server) runCommand(
	c *fiber.Ctx, what string, wish func(context.Context, int64) (app.ProcessRun, error), say func(app.ProcessRun) (int, string),
) error {
	id, err := parseCommandID(c)
	if err != nil {
		return err
	}
	ctx, cancel := requestContext()
	defer cancel()
	run, err := wish(ctx, id)
	if err != nil {
		return err
	}
	s.audit(c, what, 1, "run", run.ID)
	status, sentence := say(run)
	switch negotiate(c) {
	case asJSON:
		return c.Status(status).JSON(run)
	case asFragment:
		return sendHTML(c.Status(status))(s.Templates.Success(sentence, run))
	}
	return c.Redirect(templates.RunPath(id), fiber.StatusSeeOther)
}
