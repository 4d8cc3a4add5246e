package handlers

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// listRuns answers GET /process_runs with a page of the list or, with id parameters, with these runs.
func (s *Server) listRuns(c *fiber.Ctx) error {
	ids := c.Context().QueryArgs().PeekMulti("id")
	if len(ids) > 1 || len(ids) == 1 && len(ids[0]) > 0 {
		return s.listByID(c)
	}
	query, err := s.parseQuery(c)
	if err != nil {
		return err
	}
	if negotiate(c) == asPage {
		return s.showBoard(c, query)
	}
	page, err := s.store.Page(c.UserContext(), query)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		return c.JSON(newListResponse(page))
	}
	return sendHTML(c)(s.Templates.Live(page))
}

// showBoard answers with the page of the list. A search for the number of a run leads to that run, and the
// page before the newest runs to the newest ones, which get new rows.
func (s *Server) showBoard(c *fiber.Ctx, query app.Query) error {
	options := templates.BoardOptions{Key: newKey()}
	var err error
	if options.Found, err = s.findNumber(c.UserContext(), query.Text); err != nil {
		return err
	}
	if options.Found.ID > 0 && strings.HasPrefix(query.Text, "#") {
		return redirectPage(c, templates.RunPath(options.Found.ID))
	}
	page, err := s.store.Page(c.UserContext(), query)
	if err != nil {
		return err
	}
	if query.Direction == app.After && !page.HasNewer {
		return c.Redirect(templates.QueryPath(query.WithCursor(app.Latest, 0)), fiber.StatusSeeOther)
	}
	if fromHTMX(c) { // without the empty fields that the form sends
		c.Set("HX-Push-Url", templates.QueryPath(query))
	}
	return sendHTML(c)(s.Templates.Board(page, options))
}

// redirectPage leads a browser to another page. htmx would follow a redirect and swap that page into this
// one.
func redirectPage(c *fiber.Ctx, path string) error {
	if fromHTMX(c) {
		c.Set("HX-Redirect", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// findNumber returns the run whose number a search text is, as in "#123" or "123". It returns a run with ID 0
// if the text is no number, or of no run.
func (s *Server) findNumber(ctx context.Context, text string) (app.ProcessRun, error) {
	id, ok := parseNumber(strings.TrimPrefix(text, "#"))
	if !ok || id == 0 {
		return app.ProcessRun{}, nil
	}
	runs, err := s.store.RunsByID(ctx, []int64{id})
	if err != nil || len(runs) == 0 {
		return app.ProcessRun{}, err
	}
	return runs[0], nil
}

// showRun answers GET /process_runs/:id.
func (s *Server) showRun(c *fiber.Ctx) error {
	page, err := s.findRun(c)
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return c.JSON(runJSON(page.Run))
	case asFragment:
		return sendHTML(c)(s.Templates.Row(page.Run))
	}
	if err := s.focusLog(c, &page); err != nil {
		return err
	}
	list := s.listOfRun(c, page.Run.ID)
	return sendHTML(c)(s.Templates.Run(page, list))
}

// showStatus answers GET /process_runs/:id/status.
func (s *Server) showStatus(c *fiber.Ctx) error {
	page, err := s.findRun(c)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		return c.JSON(fiber.Map{"id": page.Run.ID, "status": page.Run.Status, "version": page.Run.Version})
	}
	return sendHTML(c)(s.Templates.Status(page.Run))
}

// maxListedByID is the maximum number of id parameters in a request.
const maxListedByID = 100

// listByID answers GET /process_runs?id=1&id=2 with the named runs that exist, newest first. As HTML they are
// status cells, for pages that show runs which have left the list. It fails if the query also has a filter or
// a cursor.
func (s *Server) listByID(c *fiber.Ctx) error {
	given := parseForm(c.Context().QueryArgs())
	for _, name := range append(given.filters(), "before", "after") {
		if len(given[name]) > 0 && given[name][0] != "" {
			return app.Errorf(app.CodeMalformed, "id cannot be combined with %s.", name)
		}
	}
	if len(given["id"]) > maxListedByID {
		return app.Errorf(app.CodeMalformed, "Give at most %d ids.", maxListedByID)
	}
	ids, err := parseIDs(given["id"])
	if err != nil {
		return err
	}
	runs, err := s.store.RunsByID(c.UserContext(), ids)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		return c.JSON(fiber.Map{"process_runs": runsJSON(runs)})
	}
	return sendHTML(c)(s.Templates.RowCells(ids, runs))
}

func (s *Server) findRun(c *fiber.Ctx) (app.RunPage, error) {
	id, err := parseID(c)
	if err != nil {
		return app.RunPage{}, err
	}
	return s.store.Run(c.UserContext(), id)
}

// listResponse is a page of the list in JSON.
type listResponse struct {
	ProcessRuns []app.ProcessRun `json:"process_runs"`
	Counts      map[string]int64 `json:"counts"`
	Older       *string          `json:"older"`
	Newer       *string          `json:"newer"`
	// Set only for filters by more than a status: the number of matching runs, and whether there are more.
	Matches *int  `json:"matches,omitempty"`
	More    *bool `json:"more_matches,omitempty"`
}

func newListResponse(page app.Page) listResponse {
	answer := listResponse{ProcessRuns: runsJSON(page.Runs), Counts: make(map[string]int64, app.StatusCount)}
	for _, status := range app.Statuses() {
		answer.Counts[status.String()] = page.Counts[status]
	}
	if page.HasOlder {
		answer.Older = new(templates.QueryPath(page.Older()))
	}
	if page.HasNewer {
		answer.Newer = new(templates.QueryPath(page.Newer()))
	}
	if !page.Query.StatusOnly() {
		answer.Matches, answer.More = &page.MatchCount, &page.MatchCountCapped
	}
	return answer
}

// runJSON returns a run that a reader has read as JSON shows it: with its inputs, even if it has none.
func runJSON(run app.ProcessRun) app.ProcessRun {
	if run.Inputs == "" {
		run.Inputs = "{}"
	}
	return run
}

// runsJSON is runJSON for many runs.
func runsJSON(runs []app.ProcessRun) []app.ProcessRun {
	shown := make([]app.ProcessRun, len(runs))
	for i, run := range runs {
		shown[i] = runJSON(run)
	}
	return shown
}

// newKey returns an idempotency key for a form.
func newKey() string { return rand.Text() }
