package app

import (
	"errors"
	"maps"
	"slices"
)

// InputsOfForm checks the values of a form like CheckInputs. In a form a flag that is set is sent as "false"
// and then "true", because a browser does not send a checkbox that is not checked.
func InputsOfForm(inputs []Input, form map[string][]string) (InputValues, error) {
	given := maps.Clone(form)
	for _, input := range inputs {
		if input.Type == FlagInput && slices.Equal(given[input.Name], []string{"false", "true"}) {
			given[input.Name] = []string{"true"}
		}
	}
	return CheckInputs(inputs, given)
}

// InputsOfJSON checks the values of a JSON object like CheckInputs, and their types. The error is of type
// InputErrors, or has the code CodeMalformed or, for another JSON value than an object, CodeInvalid.
func InputsOfJSON(inputs []Input, object []byte) (InputValues, error) {
	given, err := TextsOfJSON(inputs, object)
	wrongTypes, ok := errors.AsType[InputErrors](err)
	if err != nil && !ok {
		return nil, err
	}
	for name := range wrongTypes {
		delete(given, name)
	}
	values, err := CheckInputs(inputs, given)
	if len(wrongTypes) == 0 {
		return values, err
	}
	if faults, ok := errors.AsType[InputErrors](err); ok {
		maps.Copy(faults, wrongTypes)
		return nil, faults
	}
	return nil, wrongTypes
}
