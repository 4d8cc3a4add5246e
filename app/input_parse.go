package app

import (
	"errors"
	"maps"
	"slices"
)

// InputsOfForm checks the values of a form. A flag is sent as "false" and, if it is set, "true" after it, because
// a browser does not send a checkbox that is not checked. Only choices may otherwise have several values, each
// of them once. The error is of type InputErrors.
func InputsOfForm(inputs []Input, form map[string][]string) (InputValues, error) {
	given, doubled := maps.Clone(form), InputErrors{}
	for _, input := range inputs {
		texts := given[input.Name]
		switch {
		case input.Type == ChoicesInput, len(texts) < 2:
			continue
		case input.Type == FlagInput && slices.Equal(texts, []string{"false", "true"}):
			given[input.Name] = []string{"true"}
		default:
			doubled[input.Name] = "is given more than once"
			delete(given, input.Name)
		}
	}
	return checkParsed(inputs, given, doubled)
}

// InputsOfJSON checks the values of a JSON object. The error is of type InputErrors, or has the code
// CodeMalformed or, for another JSON value than an object, CodeInvalid.
func InputsOfJSON(inputs []Input, object []byte) (InputValues, error) {
	given, err := TextsOfJSON(inputs, object)
	faults, ok := errors.AsType[InputErrors](err)
	if err != nil && !ok {
		return nil, err
	}
	for name := range faults {
		delete(given, name)
	}
	return checkParsed(inputs, given, faults)
}

// checkParsed checks the given values and adds the faults that were found before.
func checkParsed(inputs []Input, given map[string][]string, before InputErrors) (InputValues, error) {
	values, err := CheckInputs(inputs, given)
	if len(before) == 0 {
		return values, err
	}
	all := InputErrors{}
	if found, ok := errors.AsType[InputErrors](err); ok {
		maps.Copy(all, found)
	}
	maps.Copy(all, before)
	return nil, all
}
