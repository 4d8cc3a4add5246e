package app

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkOne checks one value of an input and returns the value or the fault.
func checkOne(input Input, given ...string) (texts []string, fault string) {
	input.Name = "x"
	values, err := CheckInputs([]Input{input}, map[string][]string{"x": given})
	if err != nil {
		return nil, err.(InputErrors)["x"]
	}
	return values.Texts("x"), ""
}

func TestInput_AcceptsWhatItsRulesAllow(t *testing.T) {
	pattern, err := AnchoredPattern(`a|b`)
	if err != nil {
		t.Fatal(err)
	}
	choices := []Choice{{Value: "a"}, {Value: "b"}, {Value: "c"}}
	for _, test := range []struct {
		input Input
		given []string
		want  []string
	}{
		{Input{Type: TextInput}, []string{" $(x) '; "}, []string{" $(x) '; "}},
		{Input{Type: TextInput}, []string{"-x"}, []string{"-x"}},
		{Input{Type: TextInput, Word: true, Rules: Rules{Dash: true}}, []string{"-x"}, []string{"-x"}},
		{Input{Type: TextInput}, []string{strings.Repeat("ä", 1000)}, []string{strings.Repeat("ä", 1000)}},
		{Input{Type: TextInput, Rules: Rules{Max: "2000"}}, []string{strings.Repeat("x", 2000)},
			[]string{strings.Repeat("x", 2000)}},
		{Input{Type: TextInput, Rules: Rules{Pattern: pattern}}, []string{"b"}, []string{"b"}},
		{Input{Type: LinesInput}, []string{"a\r\nb\n"}, []string{"a\nb\n"}},
		{Input{Type: LinesInput}, []string{strings.Repeat("x", 16<<10)},
			[]string{strings.Repeat("x", 16<<10)}},
		{Input{Type: NumberInput, Rules: Rules{Min: "1", Max: "9"}}, []string{"9"}, []string{"9"}},
		{Input{Type: NumberInput}, []string{"-0.50"}, []string{"-0.50"}},
		{Input{Type: NumberInput, Rules: Rules{Step: "0.1"}}, []string{"0.3"}, []string{"0.3"}},
		{Input{Type: NumberInput, Rules: Rules{Min: "1", Step: "2"}}, []string{"7"}, []string{"7"}},
		{Input{Type: NumberInput}, []string{strings.Repeat("9", 30)}, []string{strings.Repeat("9", 30)}},
		{Input{Type: FlagInput}, []string{"true"}, []string{"true"}},
		{Input{Type: FlagInput, Default: []string{"true"}}, []string{"false"}, []string{"false"}},
		{Input{Type: ChoiceInput, Choices: choices}, []string{"b"}, []string{"b"}},
		{Input{Type: ChoicesInput, Choices: choices}, []string{"c", "a"}, []string{"a", "c"}},
		{Input{Type: DateInput, Rules: Rules{Min: "2026-11-27"}}, []string{"2026-11-27"},
			[]string{"2026-11-27"}},
		{Input{Type: SecretInput}, []string{"-x y"}, []string{"-x y"}},
		{Input{Type: TextInput, Default: []string{"d"}}, []string{""}, []string{"d"}},
		{Input{Type: TextInput, Default: []string{"d"}}, nil, []string{"d"}},
		{Input{Type: TextInput}, []string{""}, nil},
	} {
		got, fault := checkOne(test.input, test.given...)
		if fault != "" || !slices.Equal(got, test.want) {
			t.Errorf("%s %.40q: got %.40q, fault %q", test.input.Type, test.given, got, fault)
		}
	}
}

func TestInput_RefusesWhatItsRulesForbid(t *testing.T) {
	pattern, err := AnchoredPattern(`a|b`)
	if err != nil {
		t.Fatal(err)
	}
	choices := []Choice{{Value: "a"}, {Value: "b"}}
	const control = "must not contain control characters"
	for _, test := range []struct {
		input Input
		given []string
		want  string
	}{
		{Input{Type: TextInput, Required: true}, []string{""}, "is required"},
		{Input{Type: TextInput}, []string{"a", "b"}, "is given more than once"},
		{Input{Type: TextInput}, []string{"", "b"}, "is given more than once"},
		{Input{Type: TextInput}, []string{"a\tb"}, control},
		{Input{Type: TextInput}, []string{"a\nb"}, control},
		{Input{Type: TextInput}, []string{"a\u0085b"}, control},
		{Input{Type: LinesInput}, []string{"a\rb"}, control},
		{Input{Type: TextInput}, []string{"a\u202eb"},
			"must not contain characters that change the direction of text"},
		{Input{Type: TextInput}, []string{"a\xff"}, "must be valid UTF-8"},
		{Input{Type: TextInput, Word: true}, []string{"-x"}, "must not begin with -"},
		{Input{Type: TextInput}, []string{strings.Repeat("ä", 1001)}, "must have at most 1000 characters"},
		{Input{Type: TextInput, Rules: Rules{Min: "2", Max: "3"}}, []string{"a"},
			"must have between 2 and 3 characters"},
		{Input{Type: TextInput, Rules: Rules{Pattern: pattern}}, []string{"ab"}, "must match a|b"},
		{Input{Type: LinesInput}, []string{strings.Repeat("x", 16<<10+1)}, "must have at most 16 KiB"},
		{Input{Type: NumberInput, Rules: Rules{Min: "1", Max: "9"}}, []string{"10"},
			"must be between 1 and 9"},
		{Input{Type: NumberInput, Rules: Rules{Min: "0.1"}}, []string{"0.09"}, "must be at least 0.1"},
		{Input{Type: NumberInput, Rules: Rules{Max: "9007199254740993"}}, []string{"9007199254740994"},
			"must be at most 9007199254740993"},
		{Input{Type: NumberInput, Rules: Rules{Step: "0.1"}}, []string{"0.35"}, "must be a multiple of 0.1"},
		{Input{Type: NumberInput, Rules: Rules{Min: "1", Step: "2"}}, []string{"8"},
			"must be 1 plus a multiple of 2"},
		{Input{Type: FlagInput}, []string{"yes"}, "must be true or false"},
		{Input{Type: ChoiceInput, Choices: choices}, []string{"c"}, "must be one of a, b"},
		{Input{Type: ChoicesInput, Choices: choices}, []string{"a", "c"}, "must be any of a, b"},
		{Input{Type: ChoicesInput, Choices: choices}, []string{"a", "a"}, "contains a more than once"},
		{Input{Type: DateInput}, []string{"2026-02-30"}, "must be a date such as 2026-11-27"},
		{Input{Type: DateInput, Rules: Rules{Max: "2026-11-26"}}, []string{"2026-11-27"},
			"must be at most 2026-11-26"},
	} {
		if _, fault := checkOne(test.input, test.given...); fault != test.want {
			t.Errorf("%s %.40q: fault %q, want %q", test.input.Type, test.given, fault, test.want)
		}
	}
	for _, number := range []string{"01", "1.", ".5", "+1", "1e3", "0x1", "1_0", "NaN", " 1",
		strings.Repeat("1", 31)} {
		if _, fault := checkOne(Input{Type: NumberInput}, number); !strings.HasPrefix(fault,
			"must be a number") {
			t.Errorf("number %q: fault %q", number, fault)
		}
	}
}

func TestCheckInputs_NamesEachFault(t *testing.T) {
	inputs := []Input{{Name: "a", Type: NumberInput}, {Name: "b", Type: TextInput, Required: true},
		{Name: "c", Type: TextInput}}
	_, err := CheckInputs(inputs, map[string][]string{"a": {"x"}, "other": {"1"}, "c": {"fine"}})
	faults, ok := err.(InputErrors)
	if !ok || len(faults) != 3 || faults["b"] != "is required" ||
		faults["other"] != "is not an input of this kind" {
		t.Errorf("faults are %v", err)
	}
}

func TestCheckInputs_LimitsAllValuesTogether(t *testing.T) {
	var inputs []Input
	given := map[string][]string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		inputs = append(inputs, Input{Name: name, Type: LinesInput})
		given[name] = []string{strings.Repeat("x", MaxInputLines)}
	}
	if _, err := CheckInputs(inputs, given); err == nil {
		t.Error("80 KiB are accepted")
	}
	delete(given, "e")
	if _, err := CheckInputs(inputs, given); err != nil {
		t.Errorf("64 KiB are refused: %v", err)
	}
	given["e"] = []string{"x"}
	if _, err := CheckInputs(inputs, given); err == nil {
		t.Error("64 KiB and a byte are accepted")
	}
}

func TestRecheckInputs_AddsNoDefaults(t *testing.T) {
	inputs := []Input{{Name: "a", Type: TextInput, Required: true, Default: []string{"d"}}}
	if _, err := RecheckInputs(inputs, nil); err == nil {
		t.Error("a required input without a value fits")
	}
	if _, err := RecheckInputs(inputs,
		InputValues{{Name: "a", Type: TextInput, Texts: []string{"v"}}}); err != nil {
		t.Errorf("a value does not fit: %v", err)
	}
	inputs[0].Required = false
	if values, err := RecheckInputs(inputs, nil); err != nil || len(values) > 0 {
		t.Errorf("a missing value becomes %v, %v", values, err)
	}
}

func TestRecheckInputs_FollowsTheDeclarations(t *testing.T) {
	inputs := []Input{{Name: "level", Type: NumberInput}, {Name: "token", Type: SecretInput}}
	values := InputValues{
		{Name: "token", Type: TextInput, Texts: []string{"t"}},
		{Name: "level", Type: TextInput, Texts: []string{"6.0"}},
	}
	checked, err := RecheckInputs(inputs, values)
	want := InputValues{
		{Name: "level", Type: NumberInput, Texts: []string{"6.0"}},
		{Name: "token", Type: SecretInput, Texts: []string{"t"}},
	}
	if err != nil || !reflect.DeepEqual(checked, want) {
		t.Errorf("the values are %v, %v, want %v", checked, err, want)
	}
}

func TestRecheckInputs_RefusesToPublishASecret(t *testing.T) {
	values := InputValues{{Name: "token", Type: SecretInput, Texts: []string{"t"}}}
	_, err := RecheckInputs([]Input{{Name: "token", Type: TextInput}}, values)
	if err == nil || err.Error() != "token is no longer a secret" {
		t.Errorf("the error is %v", err)
	}
}

func TestPolicy_WithDefaults(t *testing.T) {
	got := Policy{Timeout: time.Hour, Concurrency: 2}.WithDefaults(time.Minute, 3)
	if got.Timeout != time.Hour || got.Attempts != 3 || got.Concurrency != 2 {
		t.Errorf("the policy is %+v", got)
	}
}

func TestPolicy_ValidateNamesTheWrongLimit(t *testing.T) {
	for _, right := range []Policy{
		{}, {Timeout: MaxTimeout, Attempts: MaxAttempts, Concurrency: MaxConcurrency},
	} {
		if key, err := right.Validate(); err != nil {
			t.Errorf("%+v: %s: %v", right, key, err)
		}
	}
	for want, wrong := range map[string][]Policy{
		"timeout":     {{Timeout: -1}, {Timeout: MaxTimeout + 1}},
		"attempts":    {{Attempts: -1}, {Attempts: MaxAttempts + 1}},
		"concurrency": {{Concurrency: -1}, {Concurrency: MaxConcurrency + 1}, {Concurrency: math.MaxInt}},
	} {
		for _, policy := range wrong {
			if key, err := policy.Validate(); err == nil || key != want {
				t.Errorf("%+v: the wrong limit is %q: %v", policy, key, err)
			}
		}
	}
}

func TestInputKey_IsEqualForEqualNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"6": "#6", "6.0": "#6", "6.50": "#6.5", "-0": "#0", "-0.0": "#0", "100": "#100", "0.10": "#0.1",
	} {
		if got := InputKey(NumberInput, text); got != want {
			t.Errorf("key of %s is %s, want %s", text, got, want)
		}
	}
	if got := InputKey(TextInput, "6.0"); got != "=6.0" {
		t.Errorf("key of a text is %s", got)
	}
}
