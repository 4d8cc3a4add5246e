package app

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// InputFilter is a set of values that inputs of a run must have. It is comparable: equal sets are equal. The
// zero InputFilter matches all runs.
type InputFilter struct {
	encoded string // a query string, sorted by name
}

// InputMatch is one condition of an InputFilter.
type InputMatch struct{ Name, Value string }

// NewInputFilter returns the filter for these values by name.
func NewInputFilter(values map[string]string) InputFilter {
	encoded := url.Values{}
	for name, value := range values {
		encoded.Set(name, value)
	}
	return InputFilter{encoded.Encode()}
}

// ParseInputFilter returns the filter for the values that a request gives, by name. It fails with
// CodeMalformed.
func ParseInputFilter(given map[string]string) (InputFilter, error) {
	if len(given) > MaxInputs {
		return InputFilter{}, Errorf(CodeMalformed, "Filter by at most %d inputs.", MaxInputs)
	}
	values := make(map[string]string, len(given))
	for name, value := range given {
		value = strings.ReplaceAll(value, "\r\n", "\n") // as values are kept
		if checkCharacters(name, false) != nil || checkCharacters(value, true) != nil {
			const text = "An input of a filter has characters that no input can have."
			return InputFilter{}, Errorf(CodeMalformed, text)
		}
		values[name] = value
	}
	return NewInputFilter(values), nil
}

// Matches returns the conditions, sorted by name.
func (f InputFilter) Matches() []InputMatch {
	values, _ := url.ParseQuery(f.encoded) // it was encoded by NewInputFilter
	var matches []InputMatch
	for name := range values {
		matches = append(matches, InputMatch{Name: name, Value: values.Get(name)})
	}
	slices.SortFunc(matches, func(a, b InputMatch) int { return cmp.Compare(a.Name, b.Name) })
	return matches
}

// IsZero reports whether there are no conditions.
func (f InputFilter) IsZero() bool { return f == InputFilter{} }

// MarshalText returns the conditions as a query string.
func (f InputFilter) MarshalText() ([]byte, error) { return []byte(f.encoded), nil }

// UnmarshalText parses the result of MarshalText.
func (f *InputFilter) UnmarshalText(text []byte) error {
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return err
	}
	f.encoded = values.Encode()
	return nil
}

// Keys returns the forms of the value by which runs are found, see InputKey: that of a text, and that of a
// number if it is one.
func (m InputMatch) Keys() []string {
	keys := []string{InputKey(TextInput, m.Value)}
	if _, ok := parseDecimal(m.Value); ok {
		keys = append(keys, InputKey(NumberInput, m.Value))
	}
	return keys
}
