package app

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

var parsedInputs = []Input{
	{Name: "database", Type: TextInput}, {Name: "level", Type: NumberInput, Rules: Rules{Min: "1", Max: "9"}},
	{Name: "compress", Type: FlagInput, Default: []string{"true"}},
	{Name: "tags", Type: ChoicesInput, Choices: []Choice{{Value: "a"}, {Value: "b"}}},
	{Name: "token", Type: SecretInput, Required: true},
}

func TestInputsOfForm_AcceptsWhatAPageSends(t *testing.T) {
	for _, test := range []struct {
		form map[string][]string
		want map[string][]string
	}{
		{
			map[string][]string{"compress": {"false"}, "database": {""}},
			map[string][]string{"compress": {"false"}},
		},
		{map[string][]string{"compress": {"false", "true"}}, map[string][]string{"compress": {"true"}}},
		{map[string][]string{"compress": {"true"}}, map[string][]string{"compress": {"true"}}},
		{map[string][]string{"compress": {""}}, map[string][]string{"compress": {"true"}}},
		{map[string][]string{}, map[string][]string{"compress": {"true"}}},
		{
			map[string][]string{"tags": {"b", "a"}, "level": {"5"}},
			map[string][]string{"compress": {"true"}, "tags": {"a", "b"}, "level": {"5"}},
		},
		{
			map[string][]string{"tags": {"", "b"}},
			map[string][]string{"compress": {"true"}, "tags": {"b"}},
		},
	} {
		test.form["token"], test.want["token"] = []string{"s"}, []string{"s"}
		values, err := InputsOfForm(parsedInputs, test.form)
		if err != nil {
			t.Errorf("%v: %v", test.form, err)
			continue
		}
		got := map[string][]string{}
		for _, value := range values {
			got[value.Name] = value.Texts
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v is %v, want %v", test.form, got, test.want)
		}
	}
}

func TestInputsOfForm_RefusesDoubledFields(t *testing.T) {
	const twice = "is given more than once"
	for _, test := range []struct {
		name  string
		given []string
		want  string
	}{
		{"compress", []string{"true", "false"}, twice},
		{"compress", []string{"false", "false"}, twice},
		{"compress", []string{"true", "true"}, twice},
		{"compress", []string{"false", "true", "true"}, twice},
		{"compress", []string{"", "true"}, twice},
		{"compress", []string{"on"}, "must be true or false"},
		{"database", []string{"x", "x"}, twice},
		{"database", []string{"", "x"}, twice},
		{"database", []string{"", ""}, twice},
		{"level", []string{"1", "2"}, twice},
		{"level", []string{"10"}, "must be between 1 and 9"},
		{"token", []string{"s", "s"}, twice},
		{"tags", []string{"a", "a"}, "contains a more than once"},
		{"other", []string{"x"}, "is not an input of this kind"},
		{"other", []string{""}, "is not an input of this kind"},
	} {
		form := map[string][]string{"token": {"s"}, test.name: test.given}
		_, err := InputsOfForm(parsedInputs, form)
		if want := (InputErrors{test.name: test.want}); !reflect.DeepEqual(err, want) {
			t.Errorf("%s %q: the error is %v, want %v", test.name, test.given, err, want)
		}
	}
}

func TestInputsOfForm_LeavesTheFormAlone(t *testing.T) {
	form := map[string][]string{"database": {"x", "y"}, "compress": {"false", "true"}}
	if _, err := InputsOfForm(parsedInputs, form); err == nil {
		t.Error("a doubled field is accepted")
	}
	want := map[string][]string{"database": {"x", "y"}, "compress": {"false", "true"}}
	if !reflect.DeepEqual(form, want) {
		t.Errorf("the form has become %v", form)
	}
}

func TestInputsOfJSON_ReportsAllFaults(t *testing.T) {
	_, err := InputsOfJSON(parsedInputs, []byte(`{"level":"5","compress":1,"tags":["c"],"other":1}`))
	want := InputErrors{
		"level": "must be a JSON number", "compress": "must be true or false", "tags": "must be any of a, b",
		"other": "is not an input of this kind", "token": "is required",
	}
	if !reflect.DeepEqual(err, want) {
		t.Errorf("the faults are %v, want %v", err, want)
	}
	for object, code := range map[string]Code{
		`{"level":`: CodeMalformed, `[]`: CodeInvalid, `"x"`: CodeInvalid,
	} {
		if _, err := InputsOfJSON(parsedInputs, []byte(object)); CodeOf(err) != code {
			t.Errorf("%s fails with %v", object, err)
		}
	}
}

func TestInputsOfJSON_AcceptsTypedValues(t *testing.T) {
	values, err := InputsOfJSON(parsedInputs,
		[]byte(`{"database":"","level":null,"compress":false,"tags":["b","a"],"token":"s"}`))
	want := InputValues{
		{"compress", FlagInput, []string{"false"}}, {"tags", ChoicesInput, []string{"a", "b"}},
		{"token", SecretInput, []string{"s"}},
	}
	if err != nil || !reflect.DeepEqual(values, want) {
		t.Errorf("the values are %v, %v, want %v", values, err, want)
	}
}

func TestInputErrors_SentenceNamesTheFirst(t *testing.T) {
	many := InputErrors{}
	for n := range 12 {
		many[fmt.Sprintf("a%02d", n)] = "is required"
	}
	for _, test := range []struct {
		faults InputErrors
		want   string
	}{
		{InputErrors{"level": "must be at most 9"}, "The input level must be at most 9."},
		{
			InputErrors{"b": "is required", "a": "must be a string"},
			"2 inputs are wrong: a must be a string; b is required.",
		},
		{InputErrors{"": "is wrong"}, `The input "" is wrong.`},
		{
			InputErrors{"<a>\n" + strings.Repeat("b", 50): "is wrong"},
			`The input "<a>\n` + strings.Repeat("b", 36) + `" is wrong.`,
		},
		{many, "12 inputs are wrong: a00 is required; a01 is required; a02 is required; a03 is required; " +
			"a04 is required; a05 is required; a06 is required; a07 is required; a08 is required; " +
			"a09 is required; …."},
	} {
		if got := test.faults.Sentence(); got != test.want {
			t.Errorf("the sentence is %s, want %s", got, test.want)
		}
	}
}

func TestCheckInputs_NamesAtMost32UndeclaredInputs(t *testing.T) {
	given := map[string][]string{}
	for n := range 1000 {
		given[fmt.Sprintf("a%d", n)] = []string{"x"}
	}
	_, err := CheckInputs(parsedInputs, given)
	faults, ok := err.(InputErrors)
	if !ok || len(faults) != MaxInputs+1 || faults["token"] != "is required" {
		t.Errorf("there are %d faults: %v", len(faults), err)
	}
}

func TestParseInputFilter_TakesWhatInputsCanHave(t *testing.T) {
	filter, err := ParseInputFilter(map[string]string{"a": "x\r\ny", "Other": "ä&="})
	want := []InputMatch{{"Other", "ä&="}, {"a", "x\ny"}}
	if err != nil || !reflect.DeepEqual(filter.Matches(), want) {
		t.Errorf("the conditions are %q: %v", filter.Matches(), err)
	}
	if filter, err := ParseInputFilter(nil); err != nil || !filter.IsZero() {
		t.Errorf("without values the filter is %v: %v", filter, err)
	}
	many := map[string]string{}
	for n := range MaxInputs + 1 {
		many[fmt.Sprint("a", n)] = "x"
	}
	for _, given := range []map[string]string{
		{"a": "\x00"}, {"a": "\t"}, {"a": "\xff"}, {"a": "\r"}, {"a\x00": "x"}, {"a\n": "x"}, {"\xff": "x"},
		many,
	} {
		if _, err := ParseInputFilter(given); CodeOf(err) != CodeMalformed {
			t.Errorf("%q: the error is %v", given, err)
		}
	}
}

func TestInput_DefaultHasItsTypeInJSON(t *testing.T) {
	choices := []Choice{{Value: "a"}, {Value: "b"}}
	for want, input := range map[string]Input{
		`null`:      {Type: TextInput},
		`"1.10"`:    {Type: TextInput, Default: []string{"1.10"}},
		`1.10`:      {Type: NumberInput, Default: []string{"1.10"}},
		`false`:     {Type: FlagInput, Default: []string{"false"}},
		`["a","b"]`: {Type: ChoicesInput, Choices: choices, Default: []string{"b", "a"}},
	} {
		if got, err := json.Marshal(input.DefaultJSON()); err != nil || string(got) != want {
			t.Errorf("the default is %s, %v, want %s", got, err, want)
		}
	}
}
