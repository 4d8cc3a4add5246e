package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"runboard/app"
)

var (
	errID    = app.Errorf(app.CodeNotFound, "There is no such run.")
	errCount = app.Errorf(app.CodeInvalid, "The count must be a whole number from 1 to %d.", app.MaxCount)
	errKey   = app.Errorf(app.CodeInvalid,
		"An idempotency key is 1 to %d printable ASCII characters, given once.", app.MaxKey)
	errJSON    = app.Errorf(app.CodeMalformed, "The body is not a JSON object.")
	errFailure = app.Errorf(app.CodeMalformed, "failure must be the number of an error, see Failures.")
	errBody    = app.Errorf(app.CodeUnsupported,
		"The body must be a form (application/x-www-form-urlencoded) or JSON, and not be compressed.")
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

// parseQuery parses the filter and cursor of a list. It treats empty parameters as absent and ignores unknown
// ones.
func parseQuery(c *fiber.Ctx) (query app.Query, err error) {
	names := append([]string{"before", "after"}, filterNames...)
	values, err := parseForm(c.Context().QueryArgs()).single(names...)
	if err != nil {
		return query, err
	}
	if query.Filter, err = parseFilter(values); err != nil {
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

func parseFilter(values map[string]string) (filter app.Filter, err error) {
	if name, given := values["status"]; given {
		filter.Filtered = true
		if filter.Status, err = app.ParseStatus(name); err != nil {
			return filter, err
		}
	}
	if text, given := values["failure"]; given {
		var ok bool
		if filter.Failure, ok = parseNumber(text); !ok {
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
	filter.Text, err = app.ParseText(values["q"])
	return filter, err
}

// filterNames are the parameters that parseFilter reads.
var filterNames = []string{"status", "kind", "since", "until", "failure", "q"}

// fields are the parameters of a query or a body: the values of each name, in order.
type fields map[string][]string

// single returns the non-empty fields with these names. It fails if a name has more than one value.
func (f fields) single(names ...string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names {
		given := f[name]
		if len(given) > 1 {
			return nil, app.Errorf(app.CodeMalformed, "%s is given more than once.", name)
		}
		if len(given) == 1 && given[0] != "" {
			values[name] = given[0]
		}
	}
	return values, nil
}

// parseCreateRequest parses the body of a request to create runs. Missing fields have defaults; the query
// string is ignored.
func (s *Server) parseCreateRequest(c *fiber.Ctx) (request app.CreateRequest, err error) {
	given, err := parseBody(c)
	if err != nil {
		return request, err
	}
	if request.Count, err = parseCount(given["count"]); err != nil {
		return request, err
	}
	if request.Kind, err = s.parseKind(given["kind"]); err != nil {
		return request, err
	}
	request.IdempotencyKey, err = parseKey(keys(c, given))
	return request, err
}

func parseBody(c *fiber.Ctx) (fields, error) {
	body, contentType := c.Request().Body(), c.Get(fiber.HeaderContentType)
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return nil, errBody
	}
	if len(body) == 0 && contentType == "" {
		return fields{}, nil
	}
	switch media, _, err := mime.ParseMediaType(contentType); {
	case err != nil:
		return nil, errBody
	case media == fiber.MIMEApplicationForm:
		return parseForm(c.Request().PostArgs()), nil
	case media == fiber.MIMEApplicationJSON:
		return parseJSON(body)
	}
	return nil, errBody
}

func parseForm(args *fasthttp.Args) fields {
	given := fields{}
	for name, value := range args.All() {
		given[string(name)] = append(given[string(name)], string(value))
	}
	return given
}

// parseJSON parses a flat JSON object; only id may be an array. It keeps the text of numbers, so 1e1 is not
// read as 10, and all values of a repeated name, so single can refuse them.
func parseJSON(body []byte) (fields, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errJSON
	}
	given := fields{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, errJSON
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, errJSON
		}
		name, _ := token.(string) // the decoder allows nothing else
		values, several := value.([]any)
		if !several || name != "id" {
			values = []any{value}
		}
		for _, value := range values {
			given[name] = append(given[name], textOf(name, value))
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return given, nil
}

// textOf returns a JSON value as the text that a form would send. For a value of the wrong type it returns a
// text that no field accepts: count, id, newest and previewed must be numbers, all other fields strings.
func textOf(name string, value any) string {
	const unacceptable = "\x00"
	numeric := slices.Contains([]string{"count", "id", "newest", "previewed"}, name)
	switch value := value.(type) {
	case json.Number:
		if numeric {
			return value.String()
		}
	case string:
		if !numeric {
			return value
		}
	case nil:
		return ""
	}
	return unacceptable
}

func parseCount(given []string) (int, error) {
	switch {
	case len(given) > 1:
		return 0, errCount
	case len(given) == 0 || given[0] == "":
		return app.DefaultCount, nil
	}
	count, ok := parseNumber(given[0])
	if !ok || count < 1 || count > app.MaxCount {
		return 0, errCount
	}
	return int(count), nil
}

func (s *Server) parseKind(given []string) (string, error) {
	var names []string
	for _, kind := range s.Kinds.Kinds() {
		names = append(names, kind.Name)
	}
	switch {
	case len(given) == 0 || len(given) == 1 && given[0] == "":
		return names[0], nil
	case len(given) == 1 && slices.Contains(names, given[0]):
		return given[0], nil
	}
	return "", app.Errorf(app.CodeInvalid, "The kind must be one of %s.", strings.Join(names, ", "))
}

// keys returns all idempotency keys of a request, from its body and its headers.
func keys(c *fiber.Ctx, body fields) []string {
	given := body["idempotency_key"]
	for _, value := range c.Request().Header.PeekAll("Idempotency-Key") {
		given = append(given, string(value))
	}
	return given
}

// parseKey returns the idempotency key, or "" if there is none. It fails if the values differ.
func parseKey(given []string) (string, error) {
	given = slices.Compact(slices.DeleteFunc(given, func(value string) bool { return value == "" }))
	if len(given) == 0 {
		return "", nil
	}
	key := given[0]
	unprintable := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(given) > 1 || len(key) > app.MaxKey || strings.ContainsFunc(key, unprintable) {
		return "", errKey
	}
	return key, nil
}
