package dbtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// everyType are values of inputs of all types, in an order that is not that of their names.
func everyType() app.InputValues {
	return app.InputValues{
		{Name: "title", Type: app.TextInput, Texts: []string{
			" Größe \"x\" 'y' \\ 🙂 \u2028 e\u0301 <b>&amp;",
		}},
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
	t.Run("the largest values are kept", func(t *testing.T) { checkLargestInputs(t, open(t, subject)) })
	t.Run("an export reads large ones in parts", func(t *testing.T) {
		checkLargeExport(t, open(t, subject))
	})
	t.Run("a retry keeps them", func(t *testing.T) { checkInputsOfRetry(t, open(t, subject)) })
	t.Run("a bulk retry keeps those of each run", func(t *testing.T) {
		checkInputsOfBulk(t, open(t, subject))
	})
	t.Run("they are deleted with the run", func(t *testing.T) { checkInputsOfDeleted(t, subject) })
	t.Run("an idempotency key covers them", func(t *testing.T) { checkInputsOfKey(t, open(t, subject)) })
	t.Run("a search finds them", func(t *testing.T) { checkInputSearch(t, open(t, subject)) })
}

func checkLargestInputs(t *testing.T, f fixture) {
	t.Parallel()
	var inputs app.InputValues
	for i := range app.MaxInputs {
		text := strings.Repeat(string(rune('a'+i%26))+" é", app.MaxInputBytes/app.MaxInputs/4)
		inputs = append(inputs, app.InputValue{
			Name: fmt.Sprintf("input_%d", i), Type: app.LinesInput, Texts: []string{text},
		})
	}
	f.hasInputs(f.createWith(1, inputs)[0], inputs)
	many := f.createWith(app.MaxCount, everyType())
	f.hasInputs(many[0], everyType())
	f.hasInputs(many[app.MaxCount-1], everyType())
}

func checkLargeExport(t *testing.T, f fixture) {
	t.Parallel()
	var inputs app.InputValues
	for _, name := range []string{"a", "b", "c", "d"} {
		text := strings.Repeat(name+" ", app.MaxInputBytes/8)
		inputs = append(inputs, app.InputValue{Name: name, Type: app.LinesInput, Texts: []string{text}})
	}
	want := f.createWith(150, inputs)
	slices.Reverse(want)
	first, _, err := f.store.Runs(ctx, app.Filter{}, 1<<62, 500)
	f.ok(err)
	if len(first) >= 150 {
		t.Errorf("%d runs are read at once", len(first))
	}
	var runs []app.ProcessRun
	for before := int64(1 << 62); before > 0; {
		some, next, err := f.store.Runs(ctx, app.Filter{}, before, 500)
		f.ok(err)
		runs, before = append(runs, some...), next
	}
	if !slices.Equal(runs, want) {
		t.Errorf("the export has %v", ids(runs))
	}
}

// publicInputs are the values of everyType without the secret.
func publicInputs() app.InputValues { return everyType().Public() }

func checkInputsOfRetry(t *testing.T, f fixture) {
	t.Parallel()
	run := f.start(f.createWith(1, publicInputs())[0])
	f.hasInputs(run, publicInputs())
	run = f.finish(run, app.Outcome{Status: app.Created, Error: "Once more."})
	f.hasInputs(run, publicInputs())
	run = f.finish(f.start(run), app.Outcome{Status: app.Failed, Error: "No."})
	retried, err := f.store.Retry(ctx, run.ID)
	f.ok(err)
	if retried.InputCount != run.InputCount || retried.Inputs != run.Inputs {
		t.Errorf("after a retry the run is %+v", retried)
	}
	f.is(f.get(run.ID), retried)
	f.hasInputs(retried, publicInputs())
	cancelled, err := f.store.Cancel(ctx, run.ID)
	f.ok(err)
	f.is(f.get(run.ID), cancelled)
	f.hasInputs(cancelled, publicInputs())
}

// checkInputsOfBulk retries runs with different inputs, of which one had a secret.
func checkInputsOfBulk(t *testing.T, f fixture) {
	t.Parallel()
	var runs []app.ProcessRun
	var selected []int64
	for _, inputs := range []app.InputValues{publicInputs(), everyType(), publicInputs()[:1], nil} {
		run := f.finish(f.start(f.createWith(1, inputs)[0]), app.Outcome{Status: app.Failed, Error: "No."})
		runs, selected = append(runs, run), append(selected, run.ID)
	}
	retry := app.BulkAction{Operation: app.BulkRetry, IDs: selected}
	progress := f.advanceAll(f.startBulk(retry, app.BulkPreview{Runs: 4}))
	if progress.Done != 3 || progress.Skipped != 1 {
		t.Errorf("the bulk retry is %+v", progress)
	}
	for i, run := range runs {
		after := f.get(run.ID)
		if wanted := i != 1; wanted != (after.Status == app.Created) || after.Inputs != run.Inputs {
			t.Errorf("after the bulk retry, run %d is %+v", i, after)
		}
	}
	f.hasInputs(runs[0], publicInputs())
	f.hasInputs(runs[2], publicInputs()[:1])
}

func checkInputsOfDeleted(t *testing.T, subject Subject) {
	t.Parallel()
	f := open(t, subject)
	kept := f.createWith(1, publicInputs())[0]
	for _, run := range f.createWith(2, everyType()) {
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		f.ok(f.store.Delete(ctx, run.ID))
	}
	deleted := f.createWith(1, everyType())[0]
	_, err := f.store.Cancel(ctx, deleted.ID)
	f.ok(err)
	f.advanceAll(f.startBulk(app.BulkAction{Operation: app.BulkDelete, IDs: []int64{deleted.ID}},
		app.BulkPreview{Runs: 1}))
	if n, want := subject.Rows(t, f.store, "run_inputs"), len(publicInputs())+1; n != want { // two tags
		t.Errorf("there are %d rows of inputs and not %d", n, want)
	}
	f.filtered(map[string]string{"database": "shop"}, kept)
}

func checkInputsOfKey(t *testing.T, f fixture) {
	t.Parallel()
	request := app.CreateRequest{Kind: kind, Count: 2, IdempotencyKey: "the key", Inputs: everyType()}
	first, err := f.store.Create(ctx, request)
	f.ok(err)
	again, err := f.store.Create(ctx, request)
	f.ok(err)
	if again != first {
		t.Errorf("first %+v, then %+v", first, again)
	}
	for i := range everyType() {
		other := everyType()
		other[i].Texts = []string{"1"}
		request.Inputs = other
		f.changesNothing(func() {
			_, err := f.store.Create(ctx, request)
			f.refused(err, app.CodeInvalid)
		})
	}
	for _, other := range []app.InputValues{nil, everyType()[1:], publicInputs()} {
		request.Inputs = other
		_, err := f.store.Create(ctx, request)
		f.refused(err, app.CodeInvalid)
	}
	without := app.CreateRequest{Kind: kind, Count: 2, IdempotencyKey: "another key"}
	_, err = f.store.Create(ctx, without)
	f.ok(err)
	without.Inputs = everyType()
	_, err = f.store.Create(ctx, without)
	f.refused(err, app.CodeInvalid)
}

func checkInputSearch(t *testing.T, f fixture) {
	t.Parallel()
	if _, err := f.store.Page(ctx, app.Query{Filter: app.Filter{Text: "disk"}}); err != nil {
		f.refused(err, app.CodeInvalid) // this store cannot search
		return
	}
	for range 4 { // so that the runs with inputs are in two blocks of the index
		f.create(app.MaxCount)
	}
	runs := f.createWith(200, everyType())
	for _, run := range runs[1:] {
		_, err := f.store.Cancel(ctx, run.ID)
		f.ok(err)
		if run.ID != runs[199].ID {
			f.ok(f.store.Delete(ctx, run.ID))
		}
	}
	first, last := runs[0], runs[199]
	first = f.finish(f.start(first), app.Outcome{Status: app.Created, Error: "disk full"})
	for _, text := range []string{
		"größe", "THIRD", "0.50", "123456789012345678901234567890", "shop", "2026-11-27",
		"third grosse sho",
	} {
		f.inside(t).finds(text, last, first)
	}
	f.finds("disk shop", first) // a word of the error, and one of the inputs
	for _, text := range []string{"hunter2", "token", "database"} {
		f.inside(t).finds(text)
	}
	first = f.finish(f.start(first), app.Outcome{Status: app.Failed, Error: "other"})
	f.finds("disk shop") // the start cleared the error
	f.finds("other shop", first)
	f.ok(f.store.Delete(ctx, last.ID))
	f.finds("shop third", first)
}
