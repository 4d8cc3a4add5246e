package kindsfile

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"runboard/app"
)

// object is a JSON object of the schema.
type object map[string]any

// schemaType is implemented by types of the file that do not describe themselves.
type schemaType interface {
	schema() object
}

// Schema returns the JSON Schema of the kinds file, with which editors complete and check it.
func Schema() []byte {
	schema := schemaOf(reflect.TypeFor[syntax]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Runboard kinds file"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // it consists of texts, lists and objects
	}
	return append(text, '\n')
}

// schemaOf returns the schema of a type of the file.
func schemaOf(t reflect.Type) object {
	if own, ok := reflect.New(t).Interface().(schemaType); ok {
		return own.schema()
	}
	switch t.Kind() {
	case reflect.String:
		return scalarSchema()
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Struct:
		return structSchema(t)
	}
	panic("kindsfile: no schema for " + t.String())
}

func structSchema(t reflect.Type) object {
	properties := object{}
	var required []string
	for _, f := range fieldsOf(t) {
		property := schemaOf(f.typ)
		property["description"] = f.doc
		f.addLimits(property)
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		schema["required"] = required
	}
	return schema
}

// addLimits adds what the other tags of a field say. The reader checks the same when it makes kinds of the
// values.
func (f field) addLimits(property object) {
	if pattern, given := f.tag.Lookup("pattern"); given {
		property["pattern"] = pattern
	}
	if names, given := f.tag.Lookup("names"); given {
		property["propertyNames"] = object{"pattern": names}
	}
	for limit := range strings.SplitSeq(f.tag.Get("limits"), ",") {
		key, number, _ := strings.Cut(limit, "=")
		if n, err := strconv.Atoi(number); err == nil {
			property[key] = n
		}
	}
}

// scalarSchema is the schema of a text. Numbers and booleans are texts as they were written.
func scalarSchema() object { return object{"type": []string{"string", "number", "boolean"}} }

func (*named[T]) schema() object {
	return object{"type": "object", "additionalProperties": schemaOf(reflect.TypeFor[T]())}
}

func (*duration) schema() object {
	return object{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+$`}
}

func (*word) schema() object { return scalarSchema() }

func (*texts) schema() object {
	return object{"oneOf": []object{scalarSchema(), {"type": "array", "items": scalarSchema()}}}
}

func (*choice) schema() object {
	return object{"oneOf": []object{scalarSchema(), structSchema(reflect.TypeFor[titledChoice]())}}
}

func (*envVar) schema() object {
	reference := structSchema(reflect.TypeFor[reference]())
	reference["minProperties"], reference["maxProperties"] = 1, 1
	return object{"oneOf": []object{scalarSchema(), reference}}
}

func (*inputType) schema() object { return object{"enum": app.InputTypes()} }
