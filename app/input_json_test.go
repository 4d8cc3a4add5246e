package app

import (
	"encoding/json"
	"reflect"
	"testing"
)

var jsonInputs = []Input{
	{Name: "database", Type: TextInput}, {Name: "level", Type: NumberInput},
	{Name: "compress", Type: FlagInput},
	{Name: "tags", Type: ChoicesInput, Choices: []Choice{{Value: "a"}, {Value: "b"}}},
	{Name: "token", Type: SecretInput},
}

func TestInputValues_MarshalWithTheirTypes(t *testing.T) {
	values := InputValues{
		{"database", TextInput, []string{`a"<b>`}}, {"level", NumberInput, []string{"6.50"}},
		{"compress", FlagInput, []string{"false"}}, {"tags", ChoicesInput, []string{"a"}},
		{"token", SecretInput, []string{"s"}},
	}
	text, err := values.MarshalJSON()
	if want := `{"database":"a\"<b>","level":6.50,"compress":false,"tags":["a"]}`; err != nil ||
		string(text) != want {
		t.Errorf("JSON is %s, %v, want %s", text, err, want)
	}
	if text, _ := json.Marshal(InputValues{}); string(text) != "{}" {
		t.Errorf("without values it is %s", text)
	}
	want := `{"database":null,"level":6.50,"compress":null,"tags":null,"token":"s"}`
	if text := InputFile(jsonInputs, InputValues{values[1], values[4]}); string(text) != want {
		t.Errorf("the file is %s, want %s", text, want)
	}
}

func TestTextsOfJSON_TakesValuesOfTheirTypes(t *testing.T) {
	given, err := TextsOfJSON(jsonInputs,
		[]byte(`{"database":"shop","level":6.0,"compress":true,"tags":["b","a"],"token":null,"other":1}`))
	want := map[string][]string{
		"database": {"shop"}, "level": {"6.0"}, "compress": {"true"}, "tags": {"b", "a"},
		"token": nil, "other": nil,
	}
	if err != nil || !reflect.DeepEqual(given, want) {
		t.Errorf("got %v, %v, want %v", given, err, want)
	}
}

func TestTextsOfJSON_RefusesOtherTypes(t *testing.T) {
	_, err := TextsOfJSON(jsonInputs,
		[]byte(`{"database":1,"level":"6","compress":"true","tags":"a","token":[]}`))
	want := InputErrors{
		"database": "must be a string", "level": "must be a JSON number", "compress": "must be true or false",
		"tags": "must be an array of strings", "token": "must be a string",
	}
	if !reflect.DeepEqual(err, want) {
		t.Errorf("faults are %v, want %v", err, want)
	}
	if _, err := TextsOfJSON(jsonInputs, []byte(`{"level":1,"level":2}`)); err == nil {
		t.Error("a double key is accepted")
	}
	for _, text := range []string{`[]`, `"x"`, `{`, `{"level":}`, ``} {
		if _, err := TextsOfJSON(jsonInputs, []byte(text)); CodeOf(err) == "" {
			t.Errorf("%s is accepted", text)
		}
	}
}
