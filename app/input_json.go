package app

import (
	"bytes"
	"encoding/json"
	"slices"
)

// MarshalJSON returns an object with the values by name, in their order: flags as booleans, numbers as they
// were given, choices as an array, everything else as a string. Secrets are left out.
func (v InputValues) MarshalJSON() ([]byte, error) {
	var object jsonObject
	for _, value := range v {
		if value.Type != SecretInput {
			object.add(value.Name, value.json())
		}
	}
	return object.bytes(), nil
}

// InputFile returns the JSON object that a command gets: the value of each input, also of secrets, and null
// for those without a value.
func InputFile(inputs []Input, values InputValues) []byte {
	var object jsonObject
	for _, input := range inputs {
		n := slices.IndexFunc(values, func(v InputValue) bool { return v.Name == input.Name })
		if n < 0 {
			object.add(input.Name, nil)
			continue
		}
		object.add(input.Name, values[n].json())
	}
	return object.bytes()
}

// DefaultJSON returns the default of the input as encoding/json encodes it, or nil without one.
func (i Input) DefaultJSON() any {
	texts, err := i.check(i.Default) // in the order of the choices
	if err != nil || len(texts) == 0 {
		return nil
	}
	return InputValue{Name: i.Name, Type: i.Type, Texts: texts}.json()
}

// json returns the value as encoding/json encodes it.
func (v InputValue) json() any {
	switch v.Type {
	case FlagInput:
		return v.Texts[0] == "true"
	case NumberInput:
		return json.Number(v.Texts[0])
	case ChoicesInput:
		return v.Texts
	}
	return v.Texts[0]
}

// jsonObject builds a JSON object with its keys in order.
type jsonObject struct {
	buffer bytes.Buffer
}

func (o *jsonObject) add(name string, value any) {
	if o.buffer.Len() == 0 {
		o.buffer.WriteByte('{')
	} else {
		o.buffer.WriteByte(',')
	}
	o.encode(name)
	o.buffer.WriteByte(':')
	o.encode(value)
}

func (o *jsonObject) encode(value any) {
	encoder := json.NewEncoder(&o.buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)             // texts, numbers, booleans and lists never fail
	o.buffer.Truncate(o.buffer.Len() - 1) // the newline
}

func (o *jsonObject) bytes() []byte {
	if o.buffer.Len() == 0 {
		return []byte("{}")
	}
	return append(o.buffer.Bytes(), '}')
}

// TextsOfJSON returns the values of a JSON object of inputs as CheckInputs takes them. null and "" are no
// value. For values of the wrong type or names that are given twice it fails with InputErrors, and still
// returns the other values. It fails with CodeInvalid for anything but an object, and with CodeMalformed for
// invalid JSON.
func TextsOfJSON(inputs []Input, object []byte) (map[string][]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, Errorf(CodeInvalid, "inputs must be a JSON object.")
	}
	given, faults := map[string][]string{}, InputErrors{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, Errorf(CodeMalformed, "The inputs are not valid JSON.")
		}
		name, _ := token.(string) // a decoder returns no other keys
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, Errorf(CodeMalformed, "The inputs are not valid JSON.")
		}
		if _, twice := given[name]; twice {
			faults[name] = "is given more than once"
			continue
		}
		given[name] = nil
		n := slices.IndexFunc(inputs, func(i Input) bool { return i.Name == name })
		if n < 0 || value == nil {
			continue // CheckInputs refuses the former
		}
		texts, fault := textsOf(inputs[n].Type, value)
		if fault != "" {
			faults[name] = fault
		}
		given[name] = texts
	}
	if _, err := decoder.Token(); err != nil {
		return nil, Errorf(CodeMalformed, "The inputs are not valid JSON.")
	}
	if len(faults) > 0 {
		return given, faults
	}
	return given, nil
}

// textsOf returns a JSON value as texts, or what is wrong with its type.
func textsOf(t InputType, value any) (texts []string, fault string) {
	switch value := value.(type) {
	case string:
		if value == "" {
			return nil, ""
		}
		if t != NumberInput && t != FlagInput && t != ChoicesInput {
			return []string{value}, ""
		}
	case json.Number:
		if t == NumberInput {
			return []string{value.String()}, ""
		}
	case bool:
		if t == FlagInput && value {
			return []string{"true"}, ""
		}
		if t == FlagInput {
			return []string{"false"}, ""
		}
	case []any:
		if t == ChoicesInput {
			return textsOfList(value)
		}
	}
	return nil, typeFault(t)
}

func textsOfList(values []any) (texts []string, fault string) {
	for _, value := range values {
		text, ok := value.(string)
		if !ok || text == "" {
			return nil, typeFault(ChoicesInput)
		}
		texts = append(texts, text)
	}
	return texts, ""
}

func typeFault(t InputType) string {
	switch t {
	case NumberInput:
		return "must be a JSON number"
	case FlagInput:
		return "must be true or false"
	case ChoicesInput:
		return "must be an array of strings"
	}
	return "must be a string"
}
