package app_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"runboard/app"
)

func TestRunInputs_KeepOrderAndTypes(t *testing.T) {
	t.Parallel()
	values := app.InputValues{
		{Name: "zone", Type: app.TextInput, Texts: []string{"<b> \"quoted\""}},
		{Name: "level", Type: app.NumberInput, Texts: []string{"1.50"}},
		{Name: "password", Type: app.SecretInput, Texts: []string{"hunter2"}},
		{Name: "compress", Type: app.FlagInput, Texts: []string{"false"}},
		{Name: "tags", Type: app.ChoicesInput, Texts: []string{"b", "a"}},
	}
	inputs := app.NewRunInputs(values)
	const want = `{"zone":"<b> \"quoted\"","level":1.50,"compress":false,"tags":["b","a"]}`
	if string(inputs) != want {
		t.Errorf("the inputs are %s, want %s", inputs, want)
	}
	if got := inputs.Values(); !reflect.DeepEqual(got, values.Public()) {
		t.Errorf("they decode as %v", got)
	}
	if encoded, err := json.Marshal(app.RunInputs("")); err != nil || string(encoded) != "{}" {
		t.Errorf("no inputs encode as %s, %v", encoded, err)
	}
}

func TestRunInputs_OmitSecrets(t *testing.T) {
	t.Parallel()
	secret := app.InputValues{{Name: "password", Type: app.SecretInput, Texts: []string{"hunter2"}}}
	if inputs := app.NewRunInputs(secret); inputs != "" {
		t.Errorf("the inputs are %s", inputs)
	}
}

func TestInputFilter_IsEqualForEqualSets(t *testing.T) {
	t.Parallel()
	one := app.NewInputFilter(map[string]string{"b": "x&y=z", "a": "1"})
	two := app.NewInputFilter(map[string]string{"a": "1", "b": "x&y=z"})
	if one != two {
		t.Error("equal filters differ")
	}
	want := []app.InputMatch{{Name: "a", Value: "1"}, {Name: "b", Value: "x&y=z"}}
	if got := one.Matches(); !reflect.DeepEqual(got, want) {
		t.Errorf("it matches %v", got)
	}
}

func TestInputMatch_FindsNumbersByValue(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][]string{
		"6": {"=6", "#6"}, "6.0": {"=6.0", "#6"}, "shop": {"=shop"}, "-0.0": {"=-0.0", "#0"},
	} {
		if got := (app.InputMatch{Name: "a", Value: value}).Keys(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s has the keys %v", value, got)
		}
	}
}

func TestConcurrencyKey_SeparatesValues(t *testing.T) {
	t.Parallel()
	policy := app.Policy{ConcurrencyKey: []string{"a", "b"}}
	key := func(a, b string) string {
		return policy.ConcurrencyKeyOf(app.InputValues{
			{Name: "a", Type: app.NumberInput, Texts: []string{a}},
			{Name: "b", Type: app.TextInput, Texts: []string{b}},
		})
	}
	if key("1", "x") != key("1.0", "x") {
		t.Error("equal numbers have different keys")
	}
	if key("1", `x";b="y`) == key("1", "x") || key("1", "x") == key("2", "x") {
		t.Error("different values have one key")
	}
	long := make([]byte, 5000)
	if got := key("1", string(long)); len(got) > 100 {
		t.Errorf("a long key has %d bytes", len(got))
	}
	if got := (app.Policy{}).ConcurrencyKeyOf(nil); got != "" {
		t.Errorf("without inputs the key is %q", got)
	}
}
