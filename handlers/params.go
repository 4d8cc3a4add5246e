package handlers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

var (
	errID      = app.Errorf(app.CodeNotFound, "There is no such run.")
	errFailure = app.Errorf(app.CodeMalformed, "failure must be the number of an error, see Failures.")
)

// parseNumber parses 1 to 19 ASCII digits that fit into an int64, and rejects everything else. It parses all
// numbers in requests.
func parseNumber(text string) (n int64, ok bool) {
	number, err := strconv.ParseUint(text, 10, 63)
	return int64(number), err == nil && len(text) <= 19
}

func parseID(c *fiber.Ctx) (int64, error) {
	id, ok := parseNumber(c.Params("id"))
	if !ok || id == 0 {
		return 0, errID
	}
	return id, nil
}

// parseCommandID returns the ID of the run in the path of a command. It ignores the body, but fails if the
// body is malformed.
func parseCommandID(c *fiber.Ctx) (int64, error) {
	if _, err := parseBody(c); err != nil {
		return 0, err
	}
	return parseID(c)
}

// parseQuery parses the filter, the cursor and the size of a page of a list. It treats empty parameters as
// absent and ignores unknown ones.
func (s *Server) parseQuery(c *fiber.Ctx) (query app.Query, err error) {
	given := parseForm(c.Context().QueryArgs())
	values, err := given.single(append(given.filters(), "before", "after", "rows")...)
	if err != nil {
		return query, err
	}
	if query.Filter, err = s.parseFilter(values); err != nil {
		return query, err
	}
	if query.Rows, err = parseRows(values["rows"]); err != nil {
		return query, err
	}
	if values["before"] != "" && values["after"] != "" {
		return query, app.Errorf(app.CodeMalformed, "before and after cannot both be given.")
	}
	for name, direction := range map[string]app.Direction{"before": app.Before, "after": app.After} {
		if text, given := values[name]; given {
			cursor, ok := parseNumber(text)
			if !ok {
				return query, app.Errorf(app.CodeMalformed, "%s must be a run number.", name)
			}
			query = query.WithCursor(direction, cursor)
		}
	}
	return query, nil
}

// chooseSpan applies the span of time that the filter form calls created: it takes the place of since and
// until, unless it is the custom range, which these give.
func chooseSpan(values map[string]string) {
	created, given := values["created"]
	if !given || created == templates.CustomRange {
		return
	}
	values["since"] = created
	delete(values, "until")
}

// parseRows parses the size of a page. It returns 0 for the default, so that equal pages have equal queries.
func parseRows(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, ok := parseNumber(text)
	if !ok || !slices.Contains(app.PageSizes(), int(n)) {
		return 0, app.Errorf(app.CodeMalformed, "rows must be 25, 50 or 100.")
	}
	if n == app.PageSize {
		return 0, nil
	}
	return int(n), nil
}

// filters returns the names of the fields that parseFilter reads.
func (f fields) filters() []string {
	names := []string{"status", "kind", "since", "until", "created", "failure", "q"}
	for name := range f {
		if strings.HasPrefix(name, templates.InputPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *Server) parseFilter(values map[string]string) (filter app.Filter, err error) {
	chooseSpan(values)
	if name, given := values["status"]; given {
		filter.Filtered = true
		if filter.Status, err = app.ParseStatus(name); err != nil {
			return filter, err
		}
	}
	if text, given := values["failure"]; given {
		var ok bool
		if filter.Failure, ok = parseNumber(text); !ok || filter.Failure == 0 { // 0 is no filter
			return filter, errFailure
		}
	}
	for name, bound := range map[string]*app.TimeBound{"since": &filter.Since, "until": &filter.Until} {
		if text, given := values[name]; given {
			if *bound, err = app.ParseTimeBound(text); err != nil {
				return filter, err
			}
		}
	}
	if filter.Kind, err = app.ParseKind(values["kind"]); err != nil {
		return filter, err
	}
	if filter.Inputs, err = s.parseInputFilter(values, filter.Kind); err != nil {
		return filter, err
	}
	filter.Text, err = app.ParseText(values["q"])
	return filter, err
}

// parseInputFilter parses the fields that name inputs. It refuses secrets of the kind or, if kind is "", of
// any kind, because a filter is part of addresses. Inputs that no kind declares are valid: there are runs of
// kinds that are no longer offered.
func (s *Server) parseInputFilter(values map[string]string, kind string) (app.InputFilter, error) {
	given := map[string]string{}
	for name, value := range values {
		if input, is := strings.CutPrefix(name, templates.InputPrefix); is {
			given[input] = value
		}
	}
	filter, err := app.ParseInputFilter(given)
	if err != nil {
		return filter, err
	}
	for input := range given {
		if s.isSecret(kind, input) {
			const text = "%s is a secret: runs cannot be filtered by it."
			return filter, app.Errorf(app.CodeMalformed, text, input)
		}
	}
	return filter, nil
}

// isSecret reports whether an input of a kind is a secret. The kind "" stands for any.
func (s *Server) isSecret(kind, input string) bool {
	isIt := func(i app.Input) bool { return i.Name == input && i.Type == app.SecretInput }
	for _, offered := range s.Kinds.Kinds() {
		if (kind == "" || kind == offered.Name) && slices.ContainsFunc(offered.Inputs, isIt) {
			return true
		}
	}
	return false
}
