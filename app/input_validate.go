package app

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Validate checks the declaration of an input. The error is for the author of the declaration; key names the
// part of it that is wrong.
func (i Input) Validate() (key string, err error) {
	if !ValidInputName(i.Name) {
		return "name", fmt.Errorf("%q is not a name: a letter, then at most 31 of a-z, 0-9 and _", i.Name)
	}
	if !slices.Contains(InputTypes(), i.Type) {
		return "type", fmt.Errorf("unknown type %q; the types are %s", i.Type, typeList())
	}
	for _, rule := range i.ruleNames() {
		if !slices.Contains(rulesOf(i.Type), rule) {
			return rule, fmt.Errorf("%s is not for the type %s", rule, i.Type)
		}
	}
	if key, err := i.validateBounds(); err != nil {
		return key, err
	}
	if err := i.validateChoices(); err != nil {
		return "choices", err
	}
	if i.Default == nil {
		return "", nil
	}
	if _, err := i.check(i.Default); err != nil {
		return "default", fmt.Errorf("the default %w", err)
	}
	return "", nil
}

// rulesOf returns the names of the rules that a type may have.
func rulesOf(t InputType) []string {
	switch t {
	case TextInput:
		return []string{"min", "max", "pattern", "dash", "default"}
	case LinesInput:
		return []string{"min", "max", "default"}
	case NumberInput:
		return []string{"min", "max", "step", "default"}
	case FlagInput:
		return []string{"flag", "default"}
	case DateInput:
		return []string{"min", "max", "default"}
	case SecretInput:
		return []string{"min", "max", "pattern"}
	default:
		return []string{"choices", "default"}
	}
}

// ruleNames returns the names of the rules that the declaration has.
func (i Input) ruleNames() []string {
	var names []string
	for name, has := range map[string]bool{
		"min": i.Min != "", "max": i.Max != "", "step": i.Step != "", "pattern": i.Pattern != nil,
		"dash": i.Dash,
		"flag": i.Flag != "", "choices": i.Choices != nil, "default": i.Default != nil,
	} {
		if has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func typeList() string {
	var names []string
	for _, t := range InputTypes() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// validateBounds checks min, max and step, and returns the first that is wrong.
func (i Input) validateBounds() (key string, err error) {
	for _, bound := range []struct{ key, text string }{{"min", i.Min}, {"max", i.Max}} {
		if err := i.validateBound(bound.key, bound.text); err != nil {
			return bound.key, err
		}
	}
	least, low := parseDecimal(i.Min)
	most, high := parseDecimal(i.Max)
	if low && high && least.Cmp(most) > 0 || i.Type == DateInput && i.Max != "" && i.Min > i.Max {
		return "min", errors.New("min is above max")
	}
	if i.Step == "" {
		return "", nil
	}
	if step, ok := parseDecimal(i.Step); !ok || step.Sign() <= 0 {
		return "step", fmt.Errorf("step must be a number above 0, not %q", i.Step)
	}
	return "", nil
}

// validateBound checks a bound of a number, of a date, or of a count of characters.
func (i Input) validateBound(key, text string) error {
	if text == "" {
		return nil
	}
	_, isNumber := parseDecimal(text)
	switch {
	case i.Type == DateInput && !validDate(text):
		return fmt.Errorf("%s must be a date such as 2026-11-27, not %q", key, text)
	case i.Type == NumberInput && !isNumber:
		return fmt.Errorf("%s must be a number, not %q", key, text)
	case i.Type == DateInput || i.Type == NumberInput:
		return nil
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 0 || count > MaxInputBytes || strconv.Itoa(count) != text {
		return fmt.Errorf("%s must be a number of characters from 0 to %d, not %q", key, MaxInputBytes, text)
	}
	return nil
}

func (i Input) validateChoices() error {
	if i.Type != ChoiceInput && i.Type != ChoicesInput {
		return nil
	}
	if len(i.Choices) == 0 {
		return errors.New("there are no choices")
	}
	for n, choice := range i.Choices {
		if choice.Value == "" {
			return errors.New("a choice must not be empty")
		}
		if err := checkCharacters(choice.Value, false); err != nil {
			return fmt.Errorf("the choice %q %w", choice.Value, err)
		}
		same := func(other Choice) bool { return other.Value == choice.Value }
		if slices.ContainsFunc(i.Choices[:n], same) {
			return fmt.Errorf("the choice %s is listed twice", choice.Value)
		}
	}
	return nil
}
