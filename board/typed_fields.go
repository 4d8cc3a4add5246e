package board

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"runboard/app"
)

// typedField is a field of a struct with the input that it declares.
type typedField struct {
	index    int
	optional bool         // it is a pointer
	typ      reflect.Type // without the pointer
	input    app.Input
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	stringsType = reflect.TypeFor[[]string]()
)

// fieldsOf returns the fields of a struct. The error names the field and the tag that are wrong.
func fieldsOf(t reflect.Type) (fields []typedField, err error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the inputs must be a struct, not %s", t)
	}
	for i := range t.NumField() {
		from := t.Field(i)
		tags, err := parseTags(from.Tag)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), from.Name, err)
		}
		name, tagged := tags["input"]
		if name == "-" || !from.IsExported() && !tagged {
			continue
		}
		field, err := newField(from, tags)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), from.Name, err)
		}
		if slices.ContainsFunc(fields, func(f typedField) bool { return f.input.Name == field.input.Name }) {
			return nil, fmt.Errorf("%s.%s: two inputs are named %s", t.Name(), from.Name, field.input.Name)
		}
		field.index = i
		fields = append(fields, field)
	}
	return fields, nil
}

// parseTags returns the tags of a field by key. reflect ignores what it cannot parse, and so would a rule be.
func parseTags(tag reflect.StructTag) (map[string]string, error) {
	tags := map[string]string{}
	for rest := strings.TrimLeft(string(tag), " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, after, found := strings.Cut(rest, ":")
		quoted, err := strconv.QuotedPrefix(after)
		if !found || err != nil || key == "" || strings.ContainsAny(key, " \"`") {
			return nil, fmt.Errorf("the tag `%s` is not like key:\"value\"", rest)
		}
		if _, twice := tags[key]; twice {
			return nil, fmt.Errorf("the tag %s is there twice", key)
		}
		tags[key], _ = strconv.Unquote(quoted)
		rest = after[len(quoted):]
	}
	return tags, nil
}

func newField(from reflect.StructField, tags map[string]string) (field typedField, err error) {
	switch {
	case !from.IsExported():
		return field, errors.New("it has the tag input, but is not exported")
	case from.Anonymous:
		return field, errors.New("an embedded field cannot be an input; input:\"-\" leaves it out")
	}
	field.typ = from.Type
	if from.Type.Kind() == reflect.Pointer {
		field.optional, field.typ = true, from.Type.Elem()
	}
	field.input = app.Input{
		Name: tags["input"], Title: tags["title"], Help: tags["help"],
		Rules: app.Rules{Min: tags["min"], Max: tags["max"], Step: tags["step"]},
	}
	if field.input.Name == "" {
		field.input.Name = snakeCase(from.Name)
	}
	for _, set := range []func(map[string]string) error{
		field.setType, field.setChoices, field.setRequired, field.setPattern, field.setDefault,
	} {
		if err := set(tags); err != nil {
			return field, err
		}
	}
	if key, err := field.input.Validate(); err != nil {
		if key == "name" {
			key = "input"
		}
		return field, fmt.Errorf("the tag %s: %w", key, err)
	}
	return field, nil
}

// snakeCase returns the name of a field as one of an input: DryRun is dry_run, and APIKey is api_key.
func snakeCase(name string) string {
	var text strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		afterLower := i > 0 && unicode.IsUpper(r) && !unicode.IsUpper(runes[i-1])
		beforeLower := i > 0 && unicode.IsUpper(r) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if afterLower || beforeLower {
			text.WriteByte('_')
		}
		text.WriteRune(unicode.ToLower(r))
	}
	return text.String()
}

// setType sets the type of the input to that of the field, or to the one in the tag type.
func (f *typedField) setType(tags map[string]string) error {
	_, hasChoices := tags["choices"]
	switch kind := f.typ.Kind(); {
	case f.typ == timeType:
		f.input.Type = app.DateInput
	case f.typ == stringsType:
		f.input.Type = app.ChoicesInput
	case kind == reflect.String && hasChoices:
		f.input.Type = app.ChoiceInput
	case kind == reflect.String:
		f.input.Type = app.TextInput
	case kind == reflect.Bool:
		f.input.Type = app.FlagInput
	case kind == reflect.Int, kind == reflect.Int64:
		f.input.Type, f.input.Step = app.NumberInput, cmp.Or(f.input.Step, "1")
	case kind == reflect.Float64:
		f.input.Type = app.NumberInput
	default:
		return fmt.Errorf("the type %s cannot be an input; use string, bool, int, int64, float64, "+
			"time.Time, []string, or a pointer to one of them", f.typ)
	}
	if f.typ.Kind() != reflect.Float64 && f.input.Type == app.NumberInput {
		for _, key := range []string{"min", "step"} { // all numbers between are whole, too
			if strings.Contains(tags[key], ".") {
				return fmt.Errorf("the tag %s: %q is not whole, and the field is an integer", key, tags[key])
			}
		}
	}
	return f.setTaggedType(tags)
}

// setTaggedType sets the type of the input to the one in the tag type, if the field can have it.
func (f *typedField) setTaggedType(tags map[string]string) error {
	given, tagged := tags["type"]
	switch t := app.InputType(given); {
	case !tagged, t == f.input.Type:
	case f.input.Type == app.TextInput && (t == app.LinesInput || t == app.SecretInput):
		f.input.Type = t
	default:
		return fmt.Errorf("the tag type: %q is not for a field of the type %s", given, f.typ)
	}
	return nil
}

func (f *typedField) setChoices(tags map[string]string) error {
	if list, given := tags["choices"]; given {
		for value := range strings.SplitSeq(list, ",") {
			f.input.Choices = append(f.input.Choices, app.Choice{Value: value})
		}
	}
	return nil
}

func (f *typedField) setRequired(tags map[string]string) (err error) {
	text, given := tags["required"]
	if given && text != "true" && text != "false" {
		return fmt.Errorf("the tag required: %q is neither true nor false", text)
	}
	f.input.Required = text == "true"
	return nil
}

func (f *typedField) setPattern(tags map[string]string) (err error) {
	text, given := tags["pattern"]
	if !given {
		return nil
	}
	if f.input.Pattern, err = app.AnchoredPattern(text); err != nil {
		return fmt.Errorf("the tag pattern: %w", err)
	}
	return nil
}

func (f *typedField) setDefault(tags map[string]string) error {
	text, given := tags["default"]
	switch {
	case !given:
	case f.input.Type == app.ChoicesInput:
		f.input.Default = strings.Split(text, ",")
	default:
		f.input.Default = []string{text}
	}
	return nil
}

// set sets the field of in to the value of its input. Without a value it stays zero.
func (f *typedField) set(in reflect.Value, values app.InputValues) error {
	texts := values.Texts(f.input.Name)
	if len(texts) == 0 {
		return nil
	}
	value := reflect.New(f.typ).Elem()
	if err := f.parse(value, texts); err != nil {
		return fmt.Errorf("the input %s %w", f.input.Name, err)
	}
	if f.optional {
		value = value.Addr()
	}
	in.Field(f.index).Set(value)
	return nil
}

// parse sets value to checked texts.
func (f *typedField) parse(value reflect.Value, texts []string) error {
	text := texts[0]
	switch f.input.Type {
	case app.ChoicesInput:
		value.Set(reflect.ValueOf(slices.Clone(texts)))
	case app.FlagInput:
		value.SetBool(text == "true")
	case app.DateInput:
		date, err := time.Parse(time.DateOnly, text)
		value.Set(reflect.ValueOf(date))
		return err
	case app.NumberInput:
		return parseNumber(value, text)
	default:
		value.SetString(text)
	}
	return nil
}

// parseNumber sets an int or a float to a decimal number, such as 12.0.
func parseNumber(value reflect.Value, text string) error {
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return errors.New("is not a number")
	}
	if value.Kind() == reflect.Float64 {
		nearest, _ := number.Float64()
		value.SetFloat(nearest)
		return nil
	}
	if !number.IsInt() || !number.Num().IsInt64() || value.OverflowInt(number.Num().Int64()) {
		return fmt.Errorf("does not fit in %s", value.Type())
	}
	value.SetInt(number.Num().Int64())
	return nil
}
