package kindsfile

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// position is embedded in the types of the file whose values are checked later, and says where these stand.
type position struct {
	place // of the mapping
	keys  map[string]place
}

// at returns the place of a key, or that of the mapping.
func (p position) at(key string) place {
	if found, given := p.keys[key]; given {
		return found
	}
	return p.place
}

// has reports whether the mapping has a key.
func (p position) has(key string) bool {
	_, given := p.keys[key]
	return given
}

func (p *position) setPosition(at position) { *p = at }

// named is a mapping whose keys are chosen by the author, in the order of the file.
type named[T any] []namedEntry[T]

type namedEntry[T any] struct {
	place
	name  string
	value T
}

// decoder decodes a node into a type of its own.
type decoder interface {
	decode(node) error
}

// decode sets target, a pointer, from a node. It refuses unknown keys and wrong types.
func decode(from node, target reflect.Value) error {
	if own, ok := target.Interface().(decoder); ok {
		return own.decode(from)
	}
	value := target.Elem()
	switch value.Kind() {
	case reflect.String:
		if !from.scalar {
			return wrongType(from, "a text")
		}
		value.SetString(from.text)
	case reflect.Bool:
		if !from.scalar || from.quoted || from.text != "true" && from.text != "false" {
			return wrongType(from, "true or false")
		}
		value.SetBool(from.text == "true")
	case reflect.Int:
		n, err := strconv.Atoi(from.text)
		if !from.scalar || from.quoted || err != nil || strconv.Itoa(n) != from.text || n < 0 {
			return wrongType(from, "a whole number")
		}
		value.SetInt(int64(n))
	case reflect.Slice:
		return decodeList(from, value)
	case reflect.Struct:
		return decodeStruct(from, value)
	default:
		panic("kindsfile: no decoder for " + value.Type().String())
	}
	return nil
}

func decodeList(from node, value reflect.Value) error {
	if !from.isList {
		return wrongType(from, "a list")
	}
	for _, element := range from.list {
		to := reflect.New(value.Type().Elem())
		if err := decode(element, to); err != nil {
			return err
		}
		value.Set(reflect.Append(value, to.Elem()))
	}
	return nil
}

func decodeStruct(from node, value reflect.Value) error {
	if !from.isMap {
		return wrongType(from, "a mapping of keys and values")
	}
	fields := fieldsOf(value.Type())
	at := position{place: from.place, keys: make(map[string]place, len(from.entries))}
	for _, entry := range from.entries {
		n := slices.IndexFunc(fields, func(f field) bool { return f.key == entry.key })
		if n < 0 {
			return unknownKey(entry, fields)
		}
		at.keys[entry.key] = entry.place
		if err := decode(entry.value, value.FieldByIndex(fields[n].index).Addr()); err != nil {
			return inKey(err, entry.key)
		}
	}
	if placed, ok := value.Addr().Interface().(interface{ setPosition(position) }); ok {
		placed.setPosition(at)
	}
	return nil
}

// inKey names the key in the message of a wrong type.
func inKey(err error, key string) error {
	if fault, ok := err.(*Fault); ok && strings.HasPrefix(fault.Text, "must be ") {
		fault.Text = key + " " + fault.Text
	}
	return err
}

// decode decodes a mapping whose keys are chosen by the author.
func (n *named[T]) decode(from node) error {
	if !from.isMap {
		return wrongType(from, "a mapping of names and values")
	}
	for _, entry := range from.entries {
		to := namedEntry[T]{place: entry.place, name: entry.key}
		if err := decode(entry.value, reflect.ValueOf(&to.value)); err != nil {
			return inKey(err, entry.key)
		}
		*n = append(*n, to)
	}
	return nil
}

// field is a field of a type of the file.
type field struct {
	key      string
	doc      string
	index    []int
	typ      reflect.Type
	required bool
	tag      reflect.StructTag
}

// fieldCache has the results of fieldsOf.
var fieldCache sync.Map

// fieldsOf returns the fields of a type of the file, with those of embedded types.
func fieldsOf(t reflect.Type) []field {
	if known, found := fieldCache.Load(t); found {
		return known.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("key"); key != "" {
			fields = append(fields, field{
				key: key, doc: f.Tag.Get("doc"), index: f.Index, typ: f.Type,
				required: f.Tag.Get("required") != "",
				tag:      f.Tag,
			})
		}
	}
	fieldCache.Store(t, fields)
	return fields
}

func wrongType(at node, want string) error {
	have := "a list"
	switch {
	case at.scalar:
		have = quote(at.text)
	case at.isMap:
		have = "a mapping"
	}
	return at.fault("must be %s, not %s", want, have)
}

func unknownKey(at entry, fields []field) error {
	var keys []string
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	text := "unknown key " + quote(at.key)
	if near := nearest(at.key, keys); near != "" {
		text += fmt.Sprintf(", did you mean %q?", near)
	} else {
		text += "; the keys here are " + strings.Join(keys, ", ")
	}
	return at.fault("%s", text)
}

// nearest returns the word that differs least from text, or "" if none is similar.
func nearest(text string, words []string) string {
	text = shorten(text)
	best, least := "", len(text)/2+2
	for _, word := range words {
		if d := distance(text, word); d < least {
			best, least = word, d
		}
	}
	return best
}

// distance returns the number of letters to insert, delete or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// decodeInto is decode for a pointer.
func decodeInto(from node, target any) error { return decode(from, reflect.ValueOf(target)) }
