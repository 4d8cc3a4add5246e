package app

import (
	"bytes"
	"encoding/json"
)

// RunInputs are the values of the inputs of a run without secrets: a JSON object in the order of the
// declarations, or "" without values. It is a string so that runs are comparable.
type RunInputs string

// NewRunInputs returns the values without secrets.
func NewRunInputs(values InputValues) RunInputs {
	public := values.Public()
	if len(public) == 0 {
		return ""
	}
	encoded, _ := public.MarshalJSON() // never fails
	return RunInputs(encoded)
}

// MarshalJSON returns the object.
func (r RunInputs) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("{}"), nil
	}
	return []byte(r), nil
}

// Values returns the values in their order. Their types are flag, number, choices and text, whatever the
// declarations say: the kind may no longer exist.
func (r RunInputs) Values() InputValues {
	decoder := json.NewDecoder(bytes.NewReader([]byte(r)))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var values InputValues
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return values
		}
		var value any
		if decoder.Decode(&value) != nil {
			return values
		}
		values = append(values, valueOf(name.(string), value))
	}
	return values
}

// valueOf returns a JSON value of RunInputs.
func valueOf(name string, value any) InputValue {
	switch value := value.(type) {
	case bool:
		text := "false"
		if value {
			text = "true"
		}
		return InputValue{Name: name, Type: FlagInput, Texts: []string{text}}
	case json.Number:
		return InputValue{Name: name, Type: NumberInput, Texts: []string{value.String()}}
	case []any:
		texts := make([]string, 0, len(value))
		for _, element := range value {
			text, _ := element.(string)
			texts = append(texts, text)
		}
		return InputValue{Name: name, Type: ChoicesInput, Texts: texts}
	}
	text, _ := value.(string)
	return InputValue{Name: name, Type: TextInput, Texts: []string{text}}
}
