package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// showBulkPreview answers GET /process_runs/bulk with the preview of a bulk action and a form that confirms
// it.
func (s *Server) showBulkPreview(c *fiber.Ctx) error {
	action, err := s.parseBulkAction(parseForm(c.Context().QueryArgs()))
	if err != nil {
		return err
	}
	action.Confirmed = app.Confirmation{}
	return s.sendPreview(c, action, "")
}

// sendPreview sends a new preview of a bulk action and a form that confirms it. problem is the reason why the
// action was not started; it is empty for a first preview.
func (s *Server) sendPreview(c *fiber.Ctx, action app.BulkAction, problem string) error {
	preview, err := s.store.PreviewBulk(c.UserContext(), action)
	if err != nil {
		return err
	}
	// Relative times are resolved, so that exactly the runs of this preview are confirmed.
	action = action.Resolve(preview.Confirmation.At.Time(time.Now()))
	action.Confirmed = preview.Confirmation
	switch negotiate(c) {
	case asJSON:
		return c.JSON(previewJSON(action, preview, problem))
	case asFragment:
		replaceForm(c, problem)
		return sendHTML(c)(s.Templates.Confirm(action, preview, newKey(), problem))
	}
	return sendHTML(c)(s.Templates.ConfirmPage(action, preview, newKey(), problem))
}

// previewJSON returns a preview as JSON. A client starts the action by posting the object in confirm.
func previewJSON(action app.BulkAction, preview app.BulkPreview, problem string) fiber.Map {
	confirm := fiber.Map{}
	for _, field := range templates.ConfirmFields(action) {
		confirm[field.Name] = field.Value
	}
	confirm["newest"], confirm["previewed"] = action.Confirmed.Newest, action.Confirmed.Runs
	if len(action.IDs) > 0 {
		confirm["id"] = action.IDs
	}
	filter := fiber.Map{}
	for _, field := range templates.FilterFields(action.Filter) {
		filter[field.Name] = field.Value
	}
	answer := fiber.Map{
		"operation": action.Operation, "filter": filter, "runs": preview.Runs, "skipped": preview.Skipped,
		"more": preview.More, "newest": action.Confirmed.Newest, "confirm": confirm,
	}
	if problem != "" {
		answer = fiber.Map{"error": problem, "code": app.CodeConflict, "preview": answer}
	}
	return answer
}

// startBulk answers POST /process_runs/bulk: it starts a bulk action. If the runs have changed since the
// preview, it answers 409 with a new preview.
func (s *Server) startBulk(c *fiber.Ctx) error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	body, err := parseBody(c)
	if err != nil {
		return err
	}
	action, err := s.parseBulkAction(body)
	if err != nil {
		return err
	}
	if err := checkScope(action, body); err != nil {
		return err
	}
	key, err := parseKey(keys(c, body))
	if err != nil {
		return err
	}
	problem, err := s.checkTypedNumber(c, action, body["typed"])
	if err != nil {
		return err
	}
	if problem != "" {
		c.Status(fiber.StatusUnprocessableEntity)
		return s.sendPreview(c, action.Unconfirmed(), problem)
	}
	number := s.bulkSize(c.UserContext(), action)
	run, err := s.store.CreateBulkAction(c.UserContext(), action, key)
	if app.CodeOf(err) == app.CodeConflict {
		c.Status(fiber.StatusConflict)
		_, _, problem := s.toHTTP(err)
		return s.sendPreview(c, action.Unconfirmed(), problem)
	}
	if err != nil {
		return err
	}
	filter := templates.QueryPath(app.Query{Filter: action.Filter})
	s.audit(c, "bulk "+string(action.Operation), number, "run", run.ID, "ids", action.IDs, "filter", filter)
	return s.sendBulkRun(c, run, s.Templates.BulkProgress)
}

// sendBulkRun answers a request that has created a bulk run. notice renders the answer to a page.
func (s *Server) sendBulkRun(
	c *fiber.Ctx, run app.ProcessRun, notice func(app.ProcessRun) ([]byte, error),
) error {
	c.Set(fiber.HeaderLocation, templates.RunPath(run.ID))
	switch negotiate(c) {
	case asJSON:
		return c.Status(fiber.StatusCreated).JSON(runJSON(run))
	case asFragment:
		return sendHTML(c)(notice(run))
	}
	return c.Redirect(templates.RunPath(run.ID), fiber.StatusSeeOther)
}

// showBulkProgress answers GET /process_runs/bulk/:id with a notice that says how far a bulk run is. A page
// without scripts has the page of the run instead.
func (s *Server) showBulkProgress(c *fiber.Ctx) error {
	id, err := parseID(c)
	if err != nil {
		return err
	}
	if negotiate(c) != asFragment {
		return c.Redirect(templates.RunPath(id), fiber.StatusSeeOther)
	}
	runs, err := s.store.RunsByID(c.UserContext(), []int64{id})
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		return errID
	}
	return sendHTML(c)(s.Templates.BulkProgress(runs[0]))
}

// undoBulk answers POST /process_runs/bulk/:id/undo: it queues the runs again that a bulk run cancelled.
func (s *Server) undoBulk(c *fiber.Ctx) error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	id, err := parseCommandID(c)
	if err != nil {
		return err
	}
	run, kept, err := s.store.UndoBulk(c.UserContext(), id, "")
	if err != nil {
		return err
	}
	s.audit(c, "undo", 0, "run", run.ID, "of", id)
	return s.sendBulkRun(c, run, func(run app.ProcessRun) ([]byte, error) {
		return s.Templates.BulkUndone(run, kept)
	})
}

// undoStart answers POST /process_runs/undo?first=&last=: it cancels the runs of a batch that have not
// started.
func (s *Server) undoStart(c *fiber.Ctx) error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	if _, err := parseBody(c); err != nil {
		return err
	}
	values, err := parseForm(c.Context().QueryArgs()).single("first", "last")
	if err != nil {
		return err
	}
	first, ok := parseNumber(values["first"])
	last, okLast := parseNumber(values["last"])
	if !ok || !okLast || first < 1 || last < first || last-first >= app.MaxCount {
		return app.Errorf(app.CodeMalformed, "first and last must be the runs of a batch.")
	}
	action := app.BulkAction{Operation: app.BulkCancel, Filter: app.ByStatus(app.Created).Filter}
	for id := first; id <= last; id++ {
		action.IDs = append(action.IDs, id)
	}
	run, err := s.store.CreateBulkAction(c.UserContext(), action, "")
	if err != nil {
		return err
	}
	s.audit(c, "undo start", last-first+1, "run", run.ID, "first", first, "last", last)
	return s.sendBulkRun(c, run, s.Templates.BulkProgress)
}

// checkTypedNumber returns a problem if a browser deletes more than app.TypedAbove runs without the user
// having typed their number. One click or key can submit a form; programs confirm with the number in the
// preview.
func (s *Server) checkTypedNumber(c *fiber.Ctx, action app.BulkAction, typed []string) (string, error) {
	browser := action.Confirmed.Checked || c.Get("Sec-Fetch-Site") != "" ||
		c.Get(fiber.HeaderOrigin) != "" || c.Get("HX-Request") != ""
	if action.Operation != app.BulkDelete || negotiate(c) == asJSON || !browser {
		return "", nil
	}
	shown := action.Confirmed.Runs
	if !action.Confirmed.Checked {
		preview, err := s.store.PreviewBulk(c.UserContext(), action)
		if err != nil {
			return "", err
		}
		shown = preview.Runs
	}
	if shown <= app.TypedAbove {
		return "", nil
	}
	if len(typed) == 1 && parseTyped(typed[0]) == shown {
		return "", nil
	}
	return fmt.Sprintf("To delete %d runs, type their number. Nothing was deleted.", shown), nil
}

// parseTyped parses a number that a user typed, perhaps with separators between groups of digits. It returns
// -1 for any other text.
func parseTyped(text string) int64 {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(",.' \u00a0\u202f", r) {
			return -1
		}
		return r
	}, text)
	if n, ok := parseNumber(digits); ok {
		return n
	}
	return -1
}

// checkScope fails if a request to start an action on all runs also names some, or has a field that is no
// filter: a filter that is misspelled must not widen what the action changes. Previews ignore both: the form
// of the list sends them.
func checkScope(action app.BulkAction, body fields) error {
	if len(action.IDs) > 0 {
		return nil
	}
	if len(body["id"]) > 0 {
		return app.Errorf(app.CodeInvalid, "Give either scope=all or the id of each run, not both.")
	}
	known := slices.Concat(bulkFields(), body.filters(), []string{"typed", "idempotency_key"})
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if !slices.Contains(known, name) {
			const text = "%.40q is not a field of a bulk operation. Nothing was changed."
			return app.Errorf(app.CodeInvalid, text, name)
		}
	}
	return nil
}

// bulkFields returns the names of the fields of a bulk action, apart from its filter.
func bulkFields() []string {
	return []string{"operation", "scope", "newest", "previewed", "previewed_more", "previewed_at"}
}

// parseBulkAction parses the operation, the runs (by ID, or all that match a filter), and the preview that
// the client confirms.
func (s *Server) parseBulkAction(given fields) (action app.BulkAction, err error) {
	values, err := given.single(append(bulkFields(), given.filters()...)...)
	if err != nil {
		return action, err
	}
	if action.Operation, err = app.ParseBulkOperation(values["operation"]); err != nil {
		return action, err
	}
	if action.Confirmed, err = parseConfirmation(values); err != nil {
		return action, err
	}
	switch values["scope"] {
	case "all":
		action.Filter, err = s.parseFilter(values)
	case "selected", "":
		action.IDs, err = parseIDs(given["id"])
	default:
		err = app.Errorf(app.CodeMalformed, "scope must be selected or all.")
	}
	return action, err
}

func parseConfirmation(values map[string]string) (shown app.Confirmation, err error) {
	for name, n := range map[string]*int64{"newest": &shown.Newest, "previewed": &shown.Runs} {
		text, given := values[name]
		if !given {
			continue
		}
		var ok bool
		if *n, ok = parseNumber(text); !ok {
			return shown, app.Errorf(app.CodeMalformed, "%s must be a whole number, as in the preview.", name)
		}
	}
	_, shown.Checked = values["previewed"]
	shown.More = values["previewed_more"] == "true"
	if text, given := values["previewed_at"]; given {
		shown.At, err = app.ParseTimeBound(text)
	}
	return shown, err
}

func parseIDs(given []string) ([]int64, error) {
	if len(given) == 0 || len(given) > app.MaxSelected {
		return nil, app.Errorf(app.CodeInvalid, "Select up to %d runs, or choose all.", app.MaxSelected)
	}
	ids := make([]int64, len(given))
	for i, text := range given {
		id, ok := parseNumber(text)
		if !ok || id == 0 {
			return nil, app.Errorf(app.CodeMalformed, "id must be a run number.")
		}
		ids[i] = id
	}
	return ids, nil
}
