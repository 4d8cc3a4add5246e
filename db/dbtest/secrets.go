package dbtest

import (
	"errors"
	"testing"

	"runboard/app"
)

// testSecrets tests that secrets are there while a run waits or works, and gone when it has finished.
func testSecrets(t *testing.T, subject Subject) {
	for name, end := range endings(subject) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openWith(t, subject, Settings{MaxCrashes: 1})
			ends, stays := f.createWith(1, everyType())[0], f.createWith(1, everyType())[0]
			end(&f, ends)
			after := f.get(ends.ID)
			if !after.Status.Final() || after.Inputs != ends.Inputs || after.InputCount != ends.InputCount {
				t.Errorf("the run is %+v", after)
			}
			if _, err := f.store.Inputs(ctx, after); !errors.Is(err, app.ErrSecretUnknown) {
				t.Errorf("the inputs of a finished run: %v", err)
			}
			if n := subject.Rows(t, f.store, "run_secrets"); n != 1 {
				t.Errorf("%d secrets are stored", n)
			}
			f.hasInputs(stays, everyType())
			f.changesNothing(func() {
				_, err := f.store.Retry(ctx, ends.ID)
				f.refused(err, app.CodeConflict)
			})
		})
	}
	t.Run("they stay while the run is not final", func(t *testing.T) { checkSecretsStay(t, subject) })
	t.Run("without a key they are refused", func(t *testing.T) { checkWithoutKey(t, subject) })
}

// endings are the ways in which a created run can become final.
func endings(subject Subject) map[string]func(f *fixture, run app.ProcessRun) {
	ends := map[string]func(*fixture, app.ProcessRun){
		"completed": func(f *fixture, run app.ProcessRun) {
			f.finish(f.start(run), app.Outcome{Status: app.Completed})
		},
		"failed": func(f *fixture, run app.ProcessRun) {
			f.finish(f.start(run), app.Outcome{Status: app.Failed, Error: "It did not work."})
		},
		"cancelled before the start": func(f *fixture, run app.ProcessRun) {
			_, err := f.store.Cancel(ctx, run.ID)
			f.ok(err)
		},
		"cancelled while it was started": func(f *fixture, run app.ProcessRun) {
			started := f.start(run)
			_, err := f.store.Cancel(ctx, run.ID)
			f.ok(err)
			f.hasInputs(run, everyType())
			f.ok(f.store.Requeue(ctx, started))
		},
		"cancelled by a bulk action": func(f *fixture, run app.ProcessRun) {
			f.advanceAll(f.startBulk(app.BulkAction{Operation: app.BulkCancel, IDs: []int64{run.ID}},
				app.BulkPreview{Runs: 1}))
		},
		"completed with others": func(f *fixture, run app.ProcessRun) {
			queue, ok := f.store.(app.QueueStore)
			if !ok {
				f.finish(f.start(run), app.Outcome{Status: app.Completed})
				return
			}
			started, err := queue.StartMany(ctx, []app.ProcessRun{run})
			f.ok(err)
			f.hasInputs(started[0], everyType())
			_, err = queue.CompleteMany(ctx, started)
			f.ok(err)
		},
	}
	if subject.Reopen != nil {
		ends["crashed"] = func(f *fixture, run app.ProcessRun) {
			f.start(run)
			f.store = subject.Reopen(f, f.store)
		}
	}
	return ends
}

func checkSecretsStay(t *testing.T, subject Subject) {
	t.Parallel()
	f := openWith(t, subject, Settings{MaxCrashes: 5})
	run := f.createWith(1, everyType())[0]
	f.hasInputs(f.start(run), everyType())
	if subject.Reopen != nil {
		f.store = subject.Reopen(t, f.store)
		f.hasInputs(f.get(run.ID), everyType())
		f.start(run)
	}
	started := f.get(run.ID)
	f.ok(f.store.Requeue(ctx, started))
	f.hasInputs(f.get(run.ID), everyType())
	f.finish(f.start(run), app.Outcome{Status: app.Created, Error: "Once more."})
	f.hasInputs(f.get(run.ID), everyType())
}

func checkWithoutKey(t *testing.T, subject Subject) {
	t.Parallel()
	clock := NewClock()
	f := fixture{TB: t, store: subject.Open(t, Settings{Now: clock.Now}), clock: clock}
	request := app.CreateRequest{Kind: kind, Count: 1, IdempotencyKey: "the key", Inputs: everyType()}
	f.changesNothing(func() {
		_, err := f.store.Create(ctx, request)
		f.refused(err, app.CodeInvalid)
	})
	request.Inputs = publicInputs()
	_, err := f.store.Create(ctx, request) // the refused request has not used the key
	f.ok(err)
}
