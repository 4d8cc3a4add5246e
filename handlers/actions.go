package handlers

import (
	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// askAction answers GET /process_runs/action: what would be done, for a person to say yes to.
func (s *Server) askAction(c *fiber.Ctx) error {
	action, err := parseAction(parseForm(c.Context().QueryArgs()))
	if err != nil {
		return err
	}
	ctx, cancel := requestContext()
	defer cancel()
	prospect, err := s.Store.Foresee(ctx, action)
	if err != nil {
		return err
	}
	switch wants(c) {
	case asJSON:
		return c.JSON(prospect)
	case asFragment:
		return sendHTML(c)(s.Templates.Ask(action, prospect, newKey()))
	}
	return sendHTML(c)(s.Templates.AskPage(action, prospect, newKey()))
}

// startAction answers POST /process_runs/action.
func (s *Server) startAction(c *fiber.Ctx) error {
	if err := s.admitting(); err != nil {
		return err
	}
	body, err := parseBody(c)
	if err != nil {
		return err
	}
	action, err := parseAction(body)
	if err != nil {
		return err
	}
	key, err := parseKey(keys(c, body))
	if err != nil {
		return err
	}
	ctx, cancel := requestContext()
	defer cancel()
	run, err := s.Store.Act(ctx, action, key)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, templates.RunPath(run.ID))
	switch wants(c) {
	case asJSON:
		return c.Status(fiber.StatusCreated).JSON(run)
	case asFragment:
		return sendHTML(c)(s.Templates.Acting(run))
	}
	return c.Redirect(templates.RunPath(run.ID), fiber.StatusSeeOther)
}

// deleteRun answers POST /process_runs/:id/delete.
func (s *Server) deleteRun(c *fiber.Ctx) error {
	id, err := parseWish(c)
	if err != nil {
		return err
	}
	ctx, cancel := requestContext()
	defer cancel()
	if err := s.Store.Delete(ctx, id); err != nil {
		return err
	}
	switch wants(c) {
	case asJSON:
		return c.JSON(fiber.Map{"id": id, "deleted": true})
	case asFragment:
		return sendHTML(c)(s.Templates.Deleted(id))
	}
	return c.Redirect(templates.ListPath, fiber.StatusSeeOther)
}

// parseAction reads what is to be done, and to which runs: those that are ticked, or all that a filter finds.
func parseAction(given fields) (action app.Action, err error) {
	values, err := given.once(append([]string{"do", "runs"}, filterNames...)...)
	if err != nil {
		return action, err
	}
	if action.Deed, err = app.ParseDeed(values["do"]); err != nil {
		return action, err
	}
	switch values["runs"] {
	case "all":
		action.Filter, err = parseFilter(values)
	case "ticked", "":
		action.IDs, err = parseIDs(given["id"])
	default:
		err = app.Errorf(app.CodeMalformed, "runs must be ticked or all.")
	}
	return action, err
}

func parseIDs(given []string) ([]int64, error) {
	if len(given) == 0 || len(given) > app.MaxTicked {
		return nil, app.Errorf(app.CodeInvalid, "Name some runs, at most %d; or choose all.", app.MaxTicked)
	}
	ids := make([]int64, len(given))
	for i, text := range given {
		id, ok := parseNumber(text)
		if !ok || id == 0 {
			return nil, app.Errorf(app.CodeMalformed, "id must be the number of a run.")
		}
		ids[i] = id
	}
	return ids, nil
}
