package app

import (
	"reflect"
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
	for object, code := range map[string]Code{`{"level":`: CodeMalformed, `[]`: CodeInvalid, `"x"`: CodeInvalid} {
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
