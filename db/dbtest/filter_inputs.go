package dbtest

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

// anyInputs returns values of a few inputs, of which one has the type text in some runs and number in others.
func anyInputs(t *rapid.T) (inputs app.InputValues) {
	add := func(name string, of app.InputType, texts ...string) {
		if rapid.Bool().Draw(t, name) {
			inputs = append(inputs, app.InputValue{Name: name, Type: of, Texts: texts})
		}
	}
	add("database", app.ChoiceInput, rapid.SampledFrom([]string{"shop", "crm"}).Draw(t, "database"))
	level := rapid.SampledFrom([]string{"1", "1.0", "2", "-0.0", "0"}).Draw(t, "level")
	add("level", rapid.SampledFrom([]app.InputType{app.NumberInput, app.TextInput}).Draw(t, "type"), level)
	add("tags", app.ChoicesInput, rapid.SampledFrom([][]string{
		{"shop"}, {"x", "shop"}, {"x", "y", "z"}, {"1"},
	}).Draw(t, "tags")...)
	add("dry", app.FlagInput, rapid.SampledFrom([]string{"true", "false"}).Draw(t, "dry"))
	return inputs
}

func anyInputFilter(t *rapid.T) app.InputFilter {
	values := map[string]string{}
	names := []string{"database", "level", "tags", "dry", "none"}
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3}).Draw(t, "inputs") {
		values[rapid.SampledFrom(names).Draw(t, "name")] = rapid.SampledFrom([]string{
			"shop", "crm", "x", "1", "1.00", "0", "true", "",
		}).Draw(t, "value")
	}
	return app.NewInputFilter(values)
}

// hasAll reports whether a run with these inputs matches all conditions of a filter.
func hasAll(inputs app.InputValues, matches []app.InputMatch) bool {
	for _, match := range matches {
		matching := func(v app.InputValue) bool { return v.Name == match.Name && hasOne(v, match.Value) }
		if !slices.ContainsFunc(inputs, matching) {
			return false
		}
	}
	return true
}

// hasOne reports whether a value is, or contains, the text of a condition.
func hasOne(value app.InputValue, text string) bool {
	if value.Type != app.NumberInput {
		return slices.Contains(value.Texts, text)
	}
	want, isNumber := new(big.Rat).SetString(text)
	got, _ := new(big.Rat).SetString(value.Texts[0])
	return isNumber && got.Cmp(want) == 0
}

// testInputFilters tests filters by the values of inputs beside those of testFilters.
func testInputFilters(t *testing.T, subject Subject) {
	t.Run("long values, and parts of values", func(t *testing.T) { checkFilteredValues(t, open(t, subject)) })
	t.Run("frequent values that rarely meet", func(t *testing.T) { checkRareMeetings(t, subject) })
	t.Run("together with a text", func(t *testing.T) { checkInputsAndText(t, open(t, subject)) })
	t.Run("a bulk action changes all matches of its preview", func(t *testing.T) {
		checkBulkInputs(t, open(t, subject))
	})
}

func (f fixture) filtered(values map[string]string, want ...app.ProcessRun) {
	f.Helper()
	filter := app.Filter{Inputs: app.NewInputFilter(values)}
	if got := f.found(filter); !slices.Equal(got, ids(want)) && len(got)+len(want) > 0 {
		f.Fatalf("%q finds %v and not %v", values, got, ids(want))
	}
	if n := f.page(app.Query{Filter: filter}).MatchCount; n != len(want) {
		f.Fatalf("%q counts %d and not %d", values, n, len(want))
	}
}

func checkFilteredValues(t *testing.T, f fixture) {
	t.Parallel()
	long := strings.Repeat("é🙂", 8000)
	run := f.createWith(1, append(everyType(),
		app.InputValue{Name: "long", Type: app.LinesInput, Texts: []string{long}}))[0]
	other := f.createWith(1, app.InputValues{
		{Name: "long", Type: app.LinesInput, Texts: []string{long + "."}},
		{Name: "level", Type: app.TextInput, Texts: []string{"#-0.5"}},
	})[0]
	f.filtered(map[string]string{"long": long}, run)
	f.filtered(map[string]string{"long": long + "."}, other)
	f.filtered(map[string]string{"long": long[:len(long)-4]})
	f.filtered(map[string]string{"level": "-0.5"}, run)
	f.filtered(map[string]string{"level": "#-0.5"}, other)
	f.filtered(map[string]string{"level": "-0.500000"}, run)
	f.filtered(map[string]string{"level": "-00.5"})
	f.filtered(map[string]string{"digits": "123456789012345678901234567890"}, run)
	f.filtered(map[string]string{"digits": "123456789012345678901234567891"})
	f.filtered(map[string]string{"tags": "a"}, run)
	f.filtered(map[string]string{
		"tags": "b", "day": "2026-11-27", "database": "shop", "compress": "false",
	}, run)
	f.filtered(map[string]string{"tags": "b", "database": "crm"})
	f.filtered(map[string]string{"title": everyType().Text("title")}, run)
	f.filtered(map[string]string{"title": strings.TrimSpace(everyType().Text("title"))})
	f.filtered(map[string]string{"token": "hunter2 hunter2"}) // no search finds secrets
	f.filtered(map[string]string{"token": ""})
	f.filtered(map[string]string{"body": everyType().Text("body")}, run)
}

// checkRareMeetings tests two values that half of the runs have each, but only two runs have both.
func checkRareMeetings(t *testing.T, subject Subject) {
	t.Parallel()
	f := openWith(t, subject, Settings{Searched: 2000})
	text := func(name, value string) app.InputValue {
		return app.InputValue{Name: name, Type: app.TextInput, Texts: []string{value}}
	}
	first := f.createWith(1, app.InputValues{text("a", "x"), text("b", "x")})[0]
	for i := range 80 {
		f.createWith(50, app.InputValues{text("a", "x"), text("b", fmt.Sprint(i))})
		f.createWith(50, app.InputValues{text("a", fmt.Sprint(i)), text("b", "x")})
	}
	last := f.createWith(1, app.InputValues{text("a", "x"), text("b", "x")})[0]
	filter := app.Filter{Inputs: app.NewInputFilter(map[string]string{"a": "x", "b": "x"})}
	if page := f.page(app.Query{Filter: filter}); page.SearchCursor == 0 || !page.MatchCountCapped {
		t.Errorf("a page looked at all runs: %+v", page)
	}
	if got := f.found(filter); !slices.Equal(got, []int64{last.ID, first.ID}) {
		t.Errorf("the filter finds %v and not %v", got, []int64{last.ID, first.ID})
	}
	filter = app.Filter{Inputs: app.NewInputFilter(map[string]string{"a": "x", "b": "7"})}
	page := f.page(app.Query{Filter: filter}) // a rare value takes one step
	if len(page.Runs) != app.PageSize || page.MatchCount != 50 || page.MatchCountCapped {
		t.Errorf("the page has %d runs and %d matches", len(page.Runs), page.MatchCount)
	}
}

func checkInputsAndText(t *testing.T, f fixture) {
	t.Parallel()
	shop := app.InputValues{{Name: "database", Type: app.ChoiceInput, Texts: []string{"shop"}}}
	failed := f.finish(f.start(f.createWith(1, shop)[0]), app.Outcome{Status: app.Failed, Error: "disk full"})
	f.failedWith("disk full")
	f.createWith(1, shop)
	filter := app.Filter{Text: "disk", Inputs: app.NewInputFilter(map[string]string{"database": "shop"})}
	if _, err := f.store.Page(ctx, app.Query{Filter: filter}); err != nil {
		f.refused(err, app.CodeInvalid) // this store cannot search
		return
	}
	if got := f.found(filter); !slices.Equal(got, []int64{failed.ID}) {
		t.Errorf("the search finds %v", got)
	}
	filter.Inputs = app.NewInputFilter(map[string]string{"database": "crm"})
	if got := f.found(filter); len(got) > 0 {
		t.Errorf("the search finds %v", got)
	}
}

// checkBulkInputs performs a bulk action with a filter by input.
func checkBulkInputs(t *testing.T, f fixture) {
	t.Parallel()
	shop := app.InputValues{{Name: "database", Type: app.ChoiceInput, Texts: []string{"shop"}}}
	wanted := f.createWith(30, shop)
	others := f.create(3)
	action := app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{
		Inputs: app.NewInputFilter(map[string]string{"database": "shop"}),
	}}
	f.advanceAll(f.confirm(f.preview(action, 30)))
	for _, run := range wanted {
		if got := f.get(run.ID); got.Status != app.Cancelled || got.Inputs != app.NewRunInputs(shop) {
			t.Errorf("run %+v was not cancelled", got)
		}
	}
	for _, run := range others {
		if got := f.get(run.ID); got.Status != app.Created {
			t.Errorf("run %+v was changed", got)
		}
	}
}
