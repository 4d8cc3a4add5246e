package app

import (
	"regexp"
	"slices"
	"strings"
)

// InputType is the type of an input of a kind.
type InputType string

// Types of inputs.
const (
	TextInput    InputType = "text"    // one line
	LinesInput   InputType = "lines"   // several lines
	NumberInput  InputType = "number"  // a decimal number
	FlagInput    InputType = "flag"    // true or false
	ChoiceInput  InputType = "choice"  // one of the choices
	ChoicesInput InputType = "choices" // any of the choices
	DateInput    InputType = "date"    // a day, such as 2026-11-27
	SecretInput  InputType = "secret"  // one line that is never shown
)

// InputTypes returns all types of inputs.
func InputTypes() []InputType {
	return []InputType{
		TextInput, LinesInput, NumberInput, FlagInput, ChoiceInput, ChoicesInput, DateInput, SecretInput,
	}
}

// Limits of inputs.
const (
	MaxInputs      = 32       // of a kind
	MaxInputText   = 1000     // characters of a text or a secret, unless its Max is higher
	MaxInputLines  = 16 << 10 // bytes of lines
	MaxInputBytes  = 64 << 10 // of all values of a run
	MaxInputDigits = 30       // of a number
)

// Input declares an input of a kind: what a request to start a run may say, and what is checked.
type Input struct {
	Name     string // [a-z][a-z0-9_]{0,31}, unique within its kind
	Type     InputType
	Title    string // what people read; empty: the name
	Help     string
	Required bool
	// Default is used when a request gives no value, in the form of InputValue.Texts. Secrets have none.
	Default []string
	Rules
	Choices []Choice // of the types choice and choices
	Flag    string   // word of the command that stands for true, of the type flag
	Word    bool     // the command has this input as a word of its own
}

// Rules restrict the values of an input. Empty rules restrict nothing.
type Rules struct {
	// Min and Max bound the characters of texts, lines and secrets, the value of numbers, and dates.
	Min, Max string
	Step     string         // numbers are a multiple of it away from Min, or else from 0
	Pattern  *regexp.Regexp // texts and secrets match it from start to end
	Dash     bool           // a text may begin with a dash although it is a word of the command
}

// Choice is a value that an input of type choice or choices can have.
type Choice struct {
	Value string
	Title string // what people read; empty: the value
}

// Label returns the title of the choice, or else its value.
func (c Choice) Label() string {
	if c.Title != "" {
		return c.Title
	}
	return c.Value
}

// Label returns the title of the input, or else its name.
func (i Input) Label() string {
	if i.Title != "" {
		return i.Title
	}
	return i.Name
}

// inputName matches the names of inputs.
var inputName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// ValidInputName reports whether name can be the name of an input.
func ValidInputName(name string) bool { return inputName.MatchString(name) }

// AnchoredPattern compiles a pattern that must match a whole value.
func AnchoredPattern(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil { // so that the error shows the pattern as written
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// PatternText returns the pattern as it was given to AnchoredPattern, or "" without one.
func (r Rules) PatternText() string {
	if r.Pattern == nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(r.Pattern.String(), `\A(?:`), `)\z`)
}

// InputValue is the value of one input of a run.
type InputValue struct {
	Name string
	Type InputType
	// Texts is the value as text: one element, "true" or "false" for a flag, or each chosen value for
	// choices.
	Texts []string
}

// InputValues are the values of a run, in the order of the declarations. Inputs without a value are absent.
type InputValues []InputValue

// Text returns the value of an input that has a single one, or "".
func (v InputValues) Text(name string) string {
	texts := v.Texts(name)
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// Texts returns the value of an input, or nil if it has none.
func (v InputValues) Texts(name string) []string {
	for _, value := range v {
		if value.Name == name {
			return value.Texts
		}
	}
	return nil
}

// HasSecrets reports whether any of the values is a secret.
func (v InputValues) HasSecrets() bool {
	return slices.ContainsFunc(v, func(value InputValue) bool { return value.Type == SecretInput })
}

// Public returns the values without secrets.
func (v InputValues) Public() InputValues {
	var public InputValues
	for _, value := range v {
		if value.Type != SecretInput {
			public = append(public, value)
		}
	}
	return public
}
