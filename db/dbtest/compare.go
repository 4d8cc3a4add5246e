package dbtest

import (
	"testing"

	"runboard/app"
)

func testLastSuccess(t *testing.T, subject Subject) {
	f := open(t, subject)
	none := f.in(app.Failed)
	f.hasLastSuccess(none, 0)
	first := f.in(app.Completed)
	second := f.in(app.Completed)
	failed := f.in(app.Failed)
	other := f.finish(f.start(f.createFor("other", "a")), app.Outcome{Status: app.Completed})
	later := f.in(app.Completed)
	f.hasLastSuccess(none, 0)
	f.hasLastSuccess(failed, second.ID)
	for _, run := range []app.ProcessRun{first, other, later, f.in(app.Created), f.in(app.Started)} {
		f.hasLastSuccess(run, 0)
	}
}

func testLastSuccessWithInputs(t *testing.T, subject Subject) {
	f := open(t, subject)
	completed := func(target string) app.ProcessRun {
		return f.finish(f.start(f.createFor(kind, target)), app.Outcome{Status: app.Completed})
	}
	failed := func(target string) app.ProcessRun {
		return f.finish(f.start(f.createFor(kind, target)), app.Outcome{Status: app.Failed, Error: "no"})
	}
	shop := completed("shop")
	f.in(app.Completed)
	crm := completed("crm")
	f.hasLastSuccess(failed("shop"), shop.ID)
	f.hasLastSuccess(failed("crm"), crm.ID)
	f.hasLastSuccess(failed("unknown"), crm.ID)
	for range 30 {
		crm = completed("crm")
	}
	f.hasLastSuccess(failed("shop"), crm.ID) // the equal one is too far away
}

// createFor creates a run of a kind with an input.
func (f fixture) createFor(kind, target string) app.ProcessRun {
	f.Helper()
	inputs := app.InputValues{{Name: "target", Type: app.TextInput, Texts: []string{target}}}
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1, Inputs: inputs})
	f.ok(err)
	return batch.Runs()[0]
}

func (f fixture) hasLastSuccess(run app.ProcessRun, want int64) {
	f.Helper()
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	if page.LastSuccess != want {
		f.Fatalf("the last success before run %d is %d and not %d", run.ID, page.LastSuccess, want)
	}
}
