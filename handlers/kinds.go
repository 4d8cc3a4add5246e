package handlers

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// errKind answers requests for kinds that are not offered.
var errKind = app.Errorf(app.CodeNotFound, "There is no such kind.")

// kindsView is the live view of the list of kinds. It implements live.PageView.
type kindsView struct{ kinds app.KindSource }

func (v kindsView) Load(ctx context.Context, store app.Store) (any, error) {
	return loadKinds(ctx, store, v.kinds.Kinds())
}

func (kindsView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.KindsFrame(loaded.(templates.KindList))
}

func (kindsView) MinInterval() time.Duration { return time.Second }

func loadKinds(ctx context.Context, store app.Store, kinds []app.Kind) (templates.KindList, error) {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.Name
	}
	overviews, err := store.KindOverviews(ctx, names)
	if err != nil {
		return templates.KindList{}, err
	}
	page, err := store.Page(ctx, app.Query{})
	return templates.KindList{Kinds: kinds, Overviews: overviews, Failed: page.Failed()}, err
}

// showKinds answers GET /kinds. With the name of a kind in its query, as the form of the board sends it, it
// redirects to the page of that kind.
func (s *Server) showKinds(c *fiber.Ctx) error {
	if negotiate(c) == asJSON {
		return c.JSON(fiber.Map{"kinds": s.kindsJSON()})
	}
	values, err := parseForm(c.Context().QueryArgs()).single("kind")
	if err != nil {
		return err
	}
	if kind := values["kind"]; kind != "" {
		return c.Redirect(templates.KindPath(kind), fiber.StatusSeeOther)
	}
	loaded, err := loadKinds(c.UserContext(), s.store, s.Kinds.Kinds())
	if err != nil {
		return err
	}
	if negotiate(c) == asFragment {
		return sendHTML(c)(s.Templates.KindCards(loaded))
	}
	return sendHTML(c)(s.Templates.Kinds(loaded))
}

// showKind answers GET /kinds/:name. Its query fills the form, and never starts anything.
func (s *Server) showKind(c *fiber.Ctx) error {
	kind, err := s.findKind(c)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		return c.JSON(s.kindJSON(kind))
	}
	given, err := s.prefilled(c, kind)
	if err != nil {
		return err
	}
	return s.sendKindForm(c, templates.KindForm{Kind: kind, Given: given, Faults: faultsOf(kind, given)})
}

// previewStart answers POST /kinds/:name/preview with what the form in its body would start.
func (s *Server) previewStart(c *fiber.Ctx) error {
	kind, err := s.findKind(c)
	if err != nil {
		return err
	}
	body, err := parseBody(c)
	if err != nil {
		return err
	}
	count, err := parseCount(kind, body["count"])
	if err != nil {
		count = kind.DefaultCount() // the form says what is wrong
	}
	preview, err := s.newPreview(c.UserContext(), kind, inputsIn(body), count)
	if err != nil {
		return err
	}
	return sendHTML(c)(s.Templates.StartPreview(kind, preview))
}

// findKind returns the kind that the path names.
func (s *Server) findKind(c *fiber.Ctx) (app.Kind, error) {
	name, err := url.PathUnescape(c.Params("name"))
	if err != nil {
		return app.Kind{}, errKind
	}
	kind, known := s.Kinds.Kind(name)
	if !known {
		return app.Kind{}, errKind
	}
	return kind, nil
}

// prefilled returns the values that the query gives to inputs of the kind, or those of the run that it names.
// Secrets are left out.
func (s *Server) prefilled(c *fiber.Ctx, kind app.Kind) (map[string][]string, error) {
	query := parseForm(c.Context().QueryArgs())
	values, err := query.single("run")
	if err != nil {
		return nil, err
	}
	given := inputsIn(query)
	if id, ok := parseNumber(values["run"]); ok {
		page, err := s.store.Run(c.UserContext(), id)
		if err != nil && app.CodeOf(err) != app.CodeNotFound {
			return nil, err
		}
		if page.Run.Kind == kind.Name {
			for _, value := range page.Run.Inputs.Values() {
				given[value.Name] = value.Texts
			}
		}
	}
	for name := range given {
		isShown := func(i app.Input) bool { return i.Name == name && i.Type != app.SecretInput }
		if !slices.ContainsFunc(kind.Inputs, isShown) {
			delete(given, name)
		}
	}
	return given, nil
}

// inputsIn returns the fields of inputs, by the names of the inputs.
func inputsIn(form fields) map[string][]string {
	given := map[string][]string{}
	for name, texts := range form {
		if input, found := strings.CutPrefix(name, templates.InputPrefix); found {
			given[input] = texts
		}
	}
	return given
}

// faultsOf returns what is wrong with given values. Inputs without a value are not wrong yet.
func faultsOf(kind app.Kind, given map[string][]string) app.InputErrors {
	_, err := app.InputsOfForm(kind.Inputs, given)
	faults, _ := errors.AsType[app.InputErrors](err)
	for name := range faults {
		isGiven := func(text string) bool { return text != "" }
		if !slices.ContainsFunc(given[name], isGiven) {
			delete(faults, name)
		}
	}
	return faults
}

// sendKindForm answers with the form of a kind: alone to a partial request, and else on the page of the kind.
// It adds what the form lacks: an idempotency key and the preview. The caller sets the status.
func (s *Server) sendKindForm(c *fiber.Ctx, form templates.KindForm) error {
	form.Key = newKey()
	if negotiate(c) == asFragment {
		retarget(c, templates.StartID, "outerHTML") // a morph would keep typed secrets
		return sendHTML(c)(s.Templates.KindForm(form))
	}
	ctx, kind := c.UserContext(), form.Kind
	page, err := s.store.Page(ctx, app.Query{Filter: app.Filter{Kind: kind.Name}})
	if err != nil {
		return err
	}
	overviews, err := s.store.KindOverviews(ctx, []string{kind.Name})
	if err != nil {
		return err
	}
	count, err := parseCount(kind, []string{form.Count})
	if err != nil {
		count = kind.DefaultCount()
	}
	preview, err := s.newPreview(ctx, kind, form.Given, count)
	if err != nil {
		return err
	}
	form.Preview = &preview
	return sendHTML(c)(s.Templates.Kind(form, overviews[0], page))
}

// newPreview returns what a start of count runs with given values would do.
func (s *Server) newPreview(
	ctx context.Context, kind app.Kind, given map[string][]string, count int,
) (templates.StartPreview, error) {
	preview := templates.StartPreview{Count: count, Workers: s.Limits.Workers}
	var shown []app.Input
	texts := map[string][]string{}
	for _, input := range kind.Inputs {
		if input.Type != app.SecretInput { // secrets are no words of a command
			shown = append(shown, input)
			texts[input.Name] = given[input.Name]
		}
	}
	values, err := app.InputsOfForm(shown, texts)
	faults, _ := errors.AsType[app.InputErrors](err)
	for _, input := range shown {
		if faults[input.Name] != "" {
			preview.Missing = append(preview.Missing, input)
		}
	}
	if command, is := s.Kinds.Describe(kind.Name, values); is {
		preview.Command = &command
	}
	overviews, err := s.store.KindOverviews(ctx, []string{kind.Name})
	if err != nil {
		return preview, err
	}
	preview.Overview = overviews[0]
	preview.Queue, err = s.store.QueueAhead(ctx, kind, kind.ConcurrencyKeyOf(values))
	return preview, err
}
