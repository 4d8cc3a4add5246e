package app_test

import (
	"encoding/json"
	"slices"
	"testing"

	"runboard/app"
)

func TestInputFilter_IsComparable(t *testing.T) {
	t.Parallel()
	values := map[string]string{"database": "shop & crm=ü", "level": "6", "empty": ""}
	filter := app.NewInputFilter(values)
	if filter != app.NewInputFilter(values) || filter == app.NewInputFilter(map[string]string{"level": "6"}) {
		t.Error("equal filters differ, or different ones are equal")
	}
	if filter.IsZero() || !app.NewInputFilter(nil).IsZero() {
		t.Error("only a filter without values is zero")
	}
	want := []app.InputMatch{
		{Name: "database", Value: "shop & crm=ü"}, {Name: "empty", Value: ""}, {Name: "level", Value: "6"},
	}
	if got := filter.Matches(); !slices.Equal(got, want) {
		t.Errorf("the conditions are %v", got)
	}
}

func TestInputFilter_JSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, filter := range []app.Filter{
		{}, {Inputs: app.NewInputFilter(map[string]string{"a": "x\ny%&=", "b": "\"é\""})},
	} {
		encoded, err := json.Marshal(filter)
		if err != nil {
			t.Fatal(err)
		}
		var again app.Filter
		if err := json.Unmarshal(encoded, &again); err != nil || again != filter {
			t.Errorf("%+v became %s and then %+v: %v", filter, encoded, again, err)
		}
	}
}

func TestInputMatch_KeysOfNumbers(t *testing.T) {
	t.Parallel()
	for value, number := range map[string]string{"6": "6", "6.0": "6.00", "-0": "0", "0.5": "0.50"} {
		keys := app.InputMatch{Name: "level", Value: value}.Keys()
		if !slices.Contains(keys, app.InputKey(app.NumberInput, number)) ||
			!slices.Contains(keys, app.InputKey(app.TextInput, value)) {
			t.Errorf("%s is not found by %v", number, keys)
		}
	}
	if keys := (app.InputMatch{Value: "06"}).Keys(); len(keys) != 1 {
		t.Errorf("a text has the keys %v", keys)
	}
}
