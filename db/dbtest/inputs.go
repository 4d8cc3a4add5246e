package dbtest

import (
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// everyType are values of inputs of all types, in an order that is not that of their names.
func everyType() app.InputValues {
	return app.InputValues{
		{Name: "title", Type: app.TextInput, Texts: []string{" Größe \"x\" 'y' \\ 🙂 \u2028 e\u0301 <b>&amp;"}},
		{Name: "body", Type: app.LinesInput, Texts: []string{"first\n\n\tthird"}},
		{Name: "level", Type: app.NumberInput, Texts: []string{"-0.50"}},
		{Name: "digits", Type: app.NumberInput, Texts: []string{"123456789012345678901234567890"}},
		{Name: "compress", Type: app.FlagInput, Texts: []string{"false"}},
		{Name: "database", Type: app.ChoiceInput, Texts: []string{"shop"}},
		{Name: "tags", Type: app.ChoicesInput, Texts: []string{"b", "a"}},
		{Name: "day", Type: app.DateInput, Texts: []string{"2026-11-27"}},
		{Name: "token", Type: app.SecretInput, Texts: []string{"hunter2 hunter2"}},
		{Name: "after", Type: app.TextInput, Texts: []string{"null"}},
	}
}

// createWith creates n runs with inputs and returns them.
func (f fixture) createWith(n int, inputs app.InputValues) []app.ProcessRun {
	f.Helper()
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: n, Inputs: inputs})
	f.ok(err)
	return batch.Runs()
}

// hasInputs fails unless a store returns exactly these values to the work on a run.
func (f fixture) hasInputs(run app.ProcessRun, want app.InputValues) {
	f.Helper()
	got, err := f.store.Inputs(ctx, run)
	f.ok(err)
	same := func(a, b app.InputValue) bool {
		return a.Name == b.Name && a.Type == b.Type && slices.Equal(a.Texts, b.Texts)
	}
	if !slices.EqualFunc(got, want, same) {
		f.Fatalf("the inputs are\n%q and not\n%q", got, want)
	}
}

// testInputs tests that the inputs of runs are kept exactly.
func testInputs(t *testing.T, subject Subject) {
	t.Run("every type is kept exactly", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		runs := f.createWith(2, everyType())
		without := f.create(1)[0]
		for _, run := range runs {
			f.hasInputs(run, everyType())
			if run.InputCount != len(everyType()) || run.Inputs != app.NewRunInputs(everyType()) {
				t.Errorf("the new run is %+v", run)
			}
			f.is(f.get(run.ID), run)
		}
		f.hasInputs(without, nil)
		if run := f.get(without.ID); run.InputCount != 0 || run.Inputs != "" {
			t.Errorf("a run without inputs is %+v", run)
		}
		want := []app.ProcessRun{without, runs[1], runs[0]}
		listed, _, err := f.store.Runs(ctx, app.Filter{}, 1<<62, 10)
		f.ok(err)
		chosen, err := f.store.RunsByID(ctx, []int64{runs[0].ID, runs[1].ID, without.ID})
		f.ok(err)
		for _, got := range [][]app.ProcessRun{f.page(app.Query{}).Runs, listed, chosen} {
			if !slices.Equal(got, want) {
				t.Errorf("the list is\n%+v and not\n%+v", got, want)
			}
		}
	})
	t.Run("the largest values are kept", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		var inputs app.InputValues
		for i := range app.MaxInputs {
			text := strings.Repeat(string(rune('a'+i%26))+" é", app.MaxInputBytes/app.MaxInputs/4)
			inputs = append(inputs, app.InputValue{
				Name: "input_" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Type: app.LinesInput,
				Texts: []string{text},
			})
		}
		f.hasInputs(f.createWith(1, inputs)[0], inputs)
	})
}
