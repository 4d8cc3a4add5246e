package handlers

import (
	"bytes"
	"encoding/json"
	"mime"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"runboard/app"
)

var (
	errJSON = app.Errorf(app.CodeMalformed, "The body is not a JSON object.")
	errBody = app.Errorf(app.CodeUnsupported,
		"The body must be a form (application/x-www-form-urlencoded) or JSON, and not be compressed.")
	errKey = app.Errorf(app.CodeInvalid,
		"An idempotency key is 1 to %d printable ASCII characters, given once.", app.MaxKey)
)

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

// parseBody parses a form or a flat JSON object.
func parseBody(c *fiber.Ctx) (fields, error) {
	media, err := bodyType(c)
	if err != nil {
		return nil, err
	}
	if media == fiber.MIMEApplicationJSON {
		return parseJSON(c.Request().Body())
	}
	return parseForm(c.Request().PostArgs()), nil
}

// bodyType returns the type of the body, which is that of a form or of JSON. No body is an empty form.
func bodyType(c *fiber.Ctx) (media string, err error) {
	contentType := c.Get(fiber.HeaderContentType)
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return "", errBody
	}
	if len(c.Request().Body()) == 0 && contentType == "" {
		return fiber.MIMEApplicationForm, nil
	}
	media, _, err = mime.ParseMediaType(contentType)
	if err != nil || media != fiber.MIMEApplicationForm && media != fiber.MIMEApplicationJSON {
		return "", errBody
	}
	return media, nil
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
	object, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	given := fields{}
	for name, values := range object {
		for _, value := range values {
			given[name] = append(given[name], textsOf(name, value)...)
		}
	}
	return given, nil
}

// parseObject parses a JSON object and returns the values of each name, in order.
func parseObject(body []byte) (map[string][]json.RawMessage, error) {
	if !json.Valid(body) || !isUnicode(body) {
		return nil, errJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errJSON
	}
	object := map[string][]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, errJSON
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errJSON
		}
		name, _ := token.(string) // the decoder allows nothing else
		object[name] = append(object[name], value)
	}
	return object, nil
}

// isUnicode reports whether all texts of valid JSON are valid Unicode: encoding/json would replace anything
// else, and so change a value.
func isUnicode(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		first := escapedRune(body[i:])
		if utf16.IsSurrogate(first) {
			if utf16.DecodeRune(first, escapedRune(body[i+6:])) == unicode.ReplacementChar {
				return false
			}
			i += 6 // the second half
		}
		i++ // what is escaped may be a backslash
	}
	return utf8.Valid(body)
}

// escapedRune returns the code of a \u escape at the start of a text, or 0.
func escapedRune(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	code, _ := strconv.ParseUint(string(text[2:6]), 16, 16) // JSON has been checked
	return rune(code)
}

// textsOf returns a JSON value as the texts that a form would send.
func textsOf(name string, raw json.RawMessage) (texts []string) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	_ = decoder.Decode(&value) // it is valid
	values, several := value.([]any)
	if !several || name != "id" {
		values = []any{value}
	}
	for _, value := range values {
		texts = append(texts, textOf(name, value))
	}
	return texts
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

// keys returns all idempotency keys of a request, from its body and its headers.
func keys(c *fiber.Ctx, body fields) []string {
	given := slices.Clone(body["idempotency_key"])
	for _, value := range c.Request().Header.PeekAll("Idempotency-Key") {
		given = append(given, string(value))
	}
	return given
}

// parseKey returns the idempotency key in the result of keys, or "" if there is none. It fails if the values
// differ.
func parseKey(given []string) (string, error) {
	given = slices.Compact(slices.DeleteFunc(given, func(value string) bool { return value == "" }))
	if len(given) == 0 {
		return "", nil
	}
	if len(given) > 1 || !app.ValidKey(given[0]) {
		return "", errKey
	}
	return given[0], nil
}
