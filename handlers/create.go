package handlers

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

var errCount = app.Errorf(app.CodeInvalid, "The count must be a whole number from 1 to %d.", app.MaxCount)

// createRuns answers POST /process_runs: it creates runs of one kind.
func (s *Server) createRuns(c *fiber.Ctx) error {
	if err := s.checkAdmission(); err != nil {
		return err
	}
	body, err := parseCreateBody(c)
	if err != nil {
		return err
	}
	kind, err := s.chooseKind(body.fields["kind"])
	if err != nil {
		return err
	}
	request, err := body.request(kind, keys(c, body.fields))
	if err != nil {
		return s.refuseStart(c, kind, body, err)
	}
	if asked, err := s.askToConfirm(c, kind, body, request); asked || err != nil {
		return err
	}
	batch, err := s.store.Create(c.UserContext(), request)
	if app.CodeOf(err) == app.CodeInvalid {
		return s.refuseStart(c, kind, body, err)
	}
	if err != nil {
		return err
	}
	s.audit(c, "create", int64(batch.Count), "kind", batch.Kind, "first", batch.First, "last", batch.Last())
	switch negotiate(c) {
	case asJSON:
		return c.Status(fiber.StatusCreated).JSON(fiber.Map{"process_runs": createdJSON(batch)})
	case asFragment: // without rows: a page gets statuses only from its socket, in order
		return sendHTML(c)(s.Templates.Started(batch, newKey()))
	}
	if body.from() == templates.FromKind {
		return c.Redirect(templates.KindPath(kind.Name), fiber.StatusSeeOther)
	}
	return c.Redirect(templates.ListPath, fiber.StatusSeeOther)
}

// maxRepeatedInputs is the size in bytes up to which an answer repeats the inputs of a batch for each of its
// runs. A thousand runs with the longest inputs would be an answer of 64 MB.
const maxRepeatedInputs = 1 << 20

// createdJSON returns new runs as JSON shows them, without inputs if these are long.
func createdJSON(batch app.Batch) []app.ProcessRun {
	if batch.Count*len(batch.Inputs) > maxRepeatedInputs {
		batch.Inputs = ""
		return batch.Runs()
	}
	return runsJSON(batch.Runs())
}

// createBody is the body of a request to create runs, before its values are checked.
type createBody struct {
	fields fields              // all but the inputs
	form   map[string][]string // the inputs of a form by name
	object json.RawMessage     // the inputs in JSON; nil for a form
}

// parseCreateBody parses a body as far as it does not depend on the kind. The query string is ignored, and so
// are unknown fields of a form, but not those of JSON.
func parseCreateBody(c *fiber.Ctx) (createBody, error) {
	media, err := bodyType(c)
	if err != nil {
		return createBody{}, err
	}
	if media == fiber.MIMEApplicationJSON {
		return parseCreateObject(c.Request().Body())
	}
	body := createBody{fields: fields{}, form: map[string][]string{}}
	for name, values := range parseForm(c.Request().PostArgs()) {
		if input, is := strings.CutPrefix(name, templates.InputPrefix); is {
			body.form[input] = values
			continue
		}
		body.fields[name] = values
	}
	return body, nil
}

// createKeys are the keys of a JSON body that creates runs.
var createKeys = []string{"kind", "count", "inputs", "idempotency_key"}

func parseCreateObject(text []byte) (createBody, error) {
	object, err := parseObject(text)
	if err != nil {
		return createBody{}, err
	}
	body := createBody{fields: fields{}, object: json.RawMessage("{}")}
	for name, values := range object {
		switch {
		case !slices.Contains(createKeys, name):
			const text = "The body has the unknown key %.40q: the keys are %s."
			return body, app.Errorf(app.CodeInvalid, text, name, strings.Join(createKeys, ", "))
		case name != "inputs":
			for _, value := range values {
				body.fields[name] = append(body.fields[name], textsOf(name, value)...)
			}
		case len(values) > 1:
			return body, app.Errorf(app.CodeInvalid, "inputs is given more than once.")
		case string(values[0]) != "null":
			body.object = values[0]
		}
	}
	return body, nil
}

// request returns the checked request. Missing fields have the defaults of the kind. The error holds
// everything that is wrong.
func (b createBody) request(kind app.Kind, keys []string) (app.CreateRequest, error) {
	request := app.CreateRequest{Kind: kind.Name}
	var inputs, count, key error
	request.Inputs, inputs = b.inputs(kind)
	request.Count, count = parseCount(kind, b.fields["count"])
	request.IdempotencyKey, key = parseKey(keys)
	return request, errors.Join(inputs, count, key)
}

func (b createBody) inputs(kind app.Kind) (app.InputValues, error) {
	if b.object != nil {
		return app.InputsOfJSON(kind.Inputs, b.object)
	}
	return app.InputsOfForm(kind.Inputs, b.form)
}

func parseCount(kind app.Kind, given []string) (int, error) {
	switch {
	case len(given) > 1:
		return 0, errCount
	case len(given) == 0 || given[0] == "":
		return kind.DefaultCount(), nil
	}
	count, ok := parseNumber(given[0])
	if !ok || count < 1 || count > app.MaxCount {
		return 0, errCount
	}
	return int(count), nil
}

// chooseKind returns the kind that a request names. A request need not name the only kind.
func (s *Server) chooseKind(given []string) (app.Kind, error) {
	kinds := s.Kinds.Kinds()
	named := len(given) > 0 && (len(given) > 1 || given[0] != "")
	if !named && len(kinds) == 1 {
		return kinds[0], nil
	}
	if len(given) == 1 {
		if kind, known := s.Kinds.Kind(given[0]); known {
			return kind, nil
		}
	}
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.Name)
	}
	return app.Kind{}, app.Errorf(app.CodeInvalid, "The kind must be one of %s.", strings.Join(names, ", "))
}

// from returns where a browser goes after the start, see templates.FromField.
func (b createBody) from() string {
	if slices.Equal(b.fields[templates.FromField], []string{templates.FromKind}) {
		return templates.FromKind
	}
	return ""
}

// refuseStart answers a request whose values are wrong. A page shows the form as it was typed, with the
// messages at its fields, unless the kind has no inputs and the request gave none.
func (s *Server) refuseStart(c *fiber.Ctx, kind app.Kind, body createBody, cause error) error {
	faults, wrong := errors.AsType[app.InputErrors](cause)
	if negotiate(c) == asJSON || !wrong && len(kind.Inputs) == 0 {
		return cause
	}
	form := templates.KindForm{Kind: kind, Given: body.typed(kind), Faults: faults, From: body.from()}
	if count := body.fields["count"]; len(count) > 0 {
		form.Count = count[0]
	}
	if other, ok := errors.AsType[*app.Error](cause); ok {
		form.Fault = other.Message
	}
	c.Status(fiber.StatusUnprocessableEntity)
	return s.sendKindForm(c, form)
}

// typed returns the values of a request as its form shows them again, without secrets.
func (b createBody) typed(kind app.Kind) map[string][]string {
	given := b.form
	if b.object != nil {
		given, _ = app.TextsOfJSON(kind.Inputs, b.object) // what is wrong is not shown
	}
	for _, input := range kind.Inputs {
		if input.Type == app.SecretInput {
			delete(given, input.Name)
		}
	}
	return given
}

// startChanged is the reason why a start that was confirmed is asked for again.
const startChanged = "What would be started has changed since you were asked. Please check it again."

// askToConfirm asks a page to confirm the start of a kind that wants it, and reports whether it did. Only
// forms of pages have the field with the token, which is empty before the question: programs are not asked.
func (s *Server) askToConfirm(
	c *fiber.Ctx, kind app.Kind, body createBody, request app.CreateRequest,
) (asked bool, err error) {
	given, fromPage := body.fields[templates.ConfirmedField]
	given = slices.DeleteFunc(slices.Clone(given), func(token string) bool { return token == "" })
	token := kind.ConfirmToken(request.Count, request.Inputs)
	switch {
	case !fromPage, len(given) == 0 && kind.Confirm == "", slices.Equal(given, []string{token}):
		return false, nil
	case negotiate(c) == asJSON:
		if len(given) == 0 {
			return false, nil
		}
		return true, app.Errorf(app.CodeConflict, startChanged)
	}
	confirmation := templates.StartConfirmation{
		Kind: kind, Values: request.Inputs, Count: request.Count, Token: token,
		Key: cmp.Or(request.IdempotencyKey, newKey()), From: body.from(),
	}
	if len(given) > 0 {
		confirmation.Problem = startChanged
		c.Status(fiber.StatusConflict)
	}
	if negotiate(c) == asFragment {
		retarget(c, templates.ConfirmID, "innerHTML")
		return true, sendHTML(c)(s.Templates.ConfirmStart(confirmation))
	}
	return true, sendHTML(c)(s.Templates.ConfirmStartPage(confirmation))
}
