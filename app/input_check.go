package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// InputErrors are the faults of the inputs of a request: a message for each wrong input, by name.
type InputErrors map[string]string

// Error returns all messages in one sentence, by name.
func (e InputErrors) Error() string {
	var text []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		text = append(text, name+" "+e[name])
	}
	return strings.Join(text, "; ")
}

// maxNamedFaults is how many wrong inputs a sentence names: a request can have thousands.
const maxNamedFaults = 10

// Sentence returns the messages as a sentence for a person. It quotes names that no input can have.
func (e InputErrors) Sentence() string {
	names := slices.Sorted(maps.Keys(e))
	var text []string
	for _, name := range names[:min(len(names), maxNamedFaults)] {
		message := e[name]
		if !ValidInputName(name) {
			name = fmt.Sprintf("%.40q", name)
		}
		text = append(text, name+" "+message)
	}
	if len(names) > maxNamedFaults {
		text = append(text, "…")
	}
	if len(names) == 1 {
		return "The input " + text[0] + "."
	}
	return fmt.Sprintf("%d inputs are wrong: %s.", len(names), strings.Join(text, "; "))
}

// CheckInputs checks the values that a request gives to inputs, and returns the values of the run in the
// order of the declarations. An empty text means that no value is given; the input then has its default or
// no value. The error is of type InputErrors.
func CheckInputs(inputs []Input, given map[string][]string) (InputValues, error) {
	faults := InputErrors{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(faults) == MaxInputs {
			break // a request can name thousands
		}
		if !slices.ContainsFunc(inputs, func(i Input) bool { return i.Name == name }) {
			faults[name] = "is not an input of this kind"
		}
	}
	var values InputValues
	size := 0
	for _, input := range inputs {
		texts, err := input.check(given[input.Name])
		if err != nil {
			faults[input.Name] = err.Error()
			continue
		}
		if texts == nil {
			continue
		}
		for _, text := range texts {
			size += len(text)
		}
		if size > MaxInputBytes {
			const text = "is too long: all inputs together have at most %d KiB"
			faults[input.Name] = fmt.Sprintf(text, MaxInputBytes>>10)
		}
		values = append(values, InputValue{Name: input.Name, Type: input.Type, Texts: texts})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return values, nil
}

// RecheckInputs checks the values of an existing run, which may no longer fit the declarations, and returns
// them with the types and in the order of the declarations. Values that are missing stay missing. The error
// is of type InputErrors.
func RecheckInputs(inputs []Input, values InputValues) (InputValues, error) {
	given := make(map[string][]string, len(values))
	for _, value := range values {
		given[value.Name] = value.Texts
	}
	withoutDefaults := slices.Clone(inputs)
	for i := range withoutDefaults {
		withoutDefaults[i].Default = nil
	}
	checked, err := CheckInputs(withoutDefaults, given)
	if err != nil {
		return nil, err
	}
	for _, value := range values {
		isPublic := func(v InputValue) bool { return v.Name == value.Name && v.Type != SecretInput }
		if value.Type == SecretInput && slices.ContainsFunc(checked, isPublic) {
			return nil, InputErrors{value.Name: "is no longer a secret"}
		}
	}
	return checked, nil
}

// check returns the value of the input as InputValue.Texts, or nil if it has none.
func (i Input) check(given []string) ([]string, error) {
	if len(given) > 1 && i.Type != ChoicesInput {
		return nil, errors.New("is given more than once")
	}
	given = slices.DeleteFunc(slices.Clone(given), func(text string) bool { return text == "" })
	if len(given) == 0 {
		given = i.Default
	}
	switch {
	case len(given) == 0 && i.Required:
		return nil, errors.New("is required")
	case len(given) == 0:
		return nil, nil
	case i.Type == ChoicesInput:
		return i.checkChoices(given)
	}
	text, err := i.checkText(given[0])
	if err != nil {
		return nil, err
	}
	return []string{text}, nil
}

// checkText checks a single value and returns it as it is kept.
func (i Input) checkText(text string) (string, error) {
	if i.Type == LinesInput {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if err := checkCharacters(text, i.Type == LinesInput); err != nil {
		return "", err
	}
	switch i.Type {
	case NumberInput:
		return text, i.checkNumber(text)
	case FlagInput:
		if text != "true" && text != "false" {
			return "", errors.New("must be true or false")
		}
		return text, nil
	case ChoiceInput:
		return text, i.checkChoice(text)
	case DateInput:
		return text, i.checkDate(text)
	default:
		return text, i.checkLine(text)
	}
}

// checkCharacters refuses what people cannot see: control characters, and characters that change the
// direction of the text around them.
func checkCharacters(text string, lines bool) error {
	if !utf8.ValidString(text) {
		return errors.New("must be valid UTF-8")
	}
	for _, r := range text {
		if lines && r == '\n' {
			continue
		}
		if unicode.Is(unicode.Cc, r) {
			return errors.New("must not contain control characters")
		}
		if unicode.Is(unicode.Bidi_Control, r) {
			return errors.New("must not contain characters that change the direction of text")
		}
	}
	return nil
}

// checkLine checks a text, lines or a secret.
func (i Input) checkLine(text string) error {
	if i.Type == LinesInput && len(text) > MaxInputLines {
		return fmt.Errorf("must have at most %d KiB", MaxInputLines>>10)
	}
	longest := i.Max
	if longest == "" && i.Type != LinesInput {
		longest = strconv.Itoa(MaxInputText)
	}
	count := big.NewRat(int64(utf8.RuneCountInString(text)), 1)
	if err := inRange(count, i.Min, longest, "must have", " characters"); err != nil {
		return err
	}
	if i.Type == TextInput && i.Word && !i.Dash && strings.HasPrefix(text, "-") {
		return errors.New("must not begin with -")
	}
	if i.Pattern != nil && !i.Pattern.MatchString(text) {
		return fmt.Errorf("must match %s", i.PatternText())
	}
	return nil
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// parseDecimal parses a decimal number of at most MaxInputDigits digits, without loss.
func parseDecimal(text string) (*big.Rat, bool) {
	digits := len(text) - strings.Count(text, "-") - strings.Count(text, ".")
	if digits > MaxInputDigits || !decimal.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func (i Input) checkNumber(text string) error {
	number, ok := parseDecimal(text)
	if !ok {
		return fmt.Errorf("must be a number such as 12 or -0.5, with at most %d digits", MaxInputDigits)
	}
	if err := inRange(number, i.Min, i.Max, "must be", ""); err != nil {
		return err
	}
	step, ok := parseDecimal(i.Step)
	if !ok {
		return nil
	}
	base, ok := parseDecimal(i.Min)
	if !ok {
		base = new(big.Rat)
	}
	steps := new(big.Rat).Sub(number, base)
	if steps.Quo(steps, step).IsInt() {
		return nil
	}
	if base.Sign() == 0 {
		return fmt.Errorf("must be a multiple of %s", i.Step)
	}
	return fmt.Errorf("must be %s plus a multiple of %s", i.Min, i.Step)
}

// inRange fails if number is below least or above most, each of which may be empty. The message begins with
// verb and ends with unit.
func inRange(number *big.Rat, least, most, verb, unit string) error {
	low, bounded := parseDecimal(least)
	below := bounded && number.Cmp(low) < 0
	high, bounded := parseDecimal(most)
	above := bounded && number.Cmp(high) > 0
	return outOfRange(below || above, least, most, verb, unit)
}

func outOfRange(outside bool, least, most, verb, unit string) error {
	switch {
	case !outside:
		return nil
	case most == "":
		return fmt.Errorf("%s at least %s%s", verb, least, unit)
	case least == "":
		return fmt.Errorf("%s at most %s%s", verb, most, unit)
	}
	return fmt.Errorf("%s between %s and %s%s", verb, least, most, unit)
}

func (i Input) checkDate(text string) error {
	if !validDate(text) {
		return errors.New("must be a date such as 2026-11-27")
	}
	// Dates of this form sort as texts.
	outside := i.Min != "" && text < i.Min || i.Max != "" && text > i.Max
	return outOfRange(outside, i.Min, i.Max, "must be", "")
}

func validDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func (i Input) checkChoice(text string) error {
	if i.hasChoice(text) {
		return nil
	}
	return fmt.Errorf("must be one of %s", i.choiceList())
}

// checkChoices returns the chosen values in the order of the declaration.
func (i Input) checkChoices(given []string) ([]string, error) {
	for n, text := range given {
		if !i.hasChoice(text) {
			return nil, fmt.Errorf("must be any of %s", i.choiceList())
		}
		if slices.Contains(given[:n], text) {
			return nil, fmt.Errorf("contains %s more than once", text)
		}
	}
	var chosen []string
	for _, choice := range i.Choices {
		if slices.Contains(given, choice.Value) {
			chosen = append(chosen, choice.Value)
		}
	}
	return chosen, nil
}

func (i Input) hasChoice(text string) bool {
	return slices.ContainsFunc(i.Choices, func(c Choice) bool { return c.Value == text })
}

// choiceList returns the first choices for a message.
func (i Input) choiceList() string {
	const most = 10
	var values []string
	for _, choice := range i.Choices {
		if len(values) == most {
			return strings.Join(values, ", ") + ", …"
		}
		values = append(values, choice.Value)
	}
	return strings.Join(values, ", ")
}

// maxInputKey is the length in bytes from which an InputKey is a hash, because databases index it.
const maxInputKey = 100

// InputKey returns the form of a value by which runs are found. Numbers that are equal have the same key, and
// no text has the key of a number.
func InputKey(t InputType, text string) string {
	if t == NumberInput {
		return "#" + canonicalNumber(text)
	}
	if len(text) >= maxInputKey {
		sum := sha256.Sum256([]byte(text))
		return "~" + hex.EncodeToString(sum[:])
	}
	return "=" + text
}

// canonicalNumber returns a decimal number without zeros at the end of its fraction.
func canonicalNumber(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}
