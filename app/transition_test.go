package app_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

const testMaxCrashes = 3

// change is a call of a transition function.
type change struct {
	name string
	// from are the statuses in which the transition is allowed.
	from []app.Status
	do   func(t *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error)
}

func transitions() []change {
	return []change{
		{"start", []app.Status{app.Created},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.Start(run, at)
			}},
		{"finish", []app.Status{app.Started},
			func(t *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.Finish(run, drawOutcome(t), at)
			}},
		{"requeue", []app.Status{app.Started},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.Requeue(run, at)
			}},
		{"crash", []app.Status{app.Started},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.Crash(run, testMaxCrashes, at)
			}},
		{"request cancel", []app.Status{app.Created, app.Started},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.RequestCancel(run, at)
			}},
		{"cancel snoozed", []app.Status{app.Started},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.CancelSnoozed(run, at)
			}},
		{"retry", []app.Status{app.Failed, app.Cancelled},
			func(_ *rapid.T, run app.ProcessRun, at time.Time) (app.ProcessRun, app.Event, error) {
				return app.Retry(run, time.Time{}, at)
			}},
	}
}

func drawOutcome(t *rapid.T) app.Outcome {
	outcome := app.Outcome{
		Status: rapid.SampledFrom([]app.Status{app.Completed, app.Failed, app.Cancelled, app.Created}).
			Draw(t, "outcome"),
	}
	if outcome.Status != app.Completed {
		outcome.Error = "exit status 1"
	}
	if outcome.Status == app.Created {
		outcome.RetryIn = time.Duration(rapid.IntRange(0, 5000).Draw(t, "retry in ms")) * time.Millisecond
	}
	return outcome
}

// Random histories of a run use only allowed changes, and keep the run consistent.
func TestTransitions_AllowedOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
		run := app.ProcessRun{
			ID: 42, Kind: "backup", Version: 1, CreatedAt: at, UpdatedAt: at,
			Progress: app.Progress{Percent: app.NoPercent},
		}
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			at = at.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms")) * time.Millisecond)
			call := rapid.SampledFrom(transitions()).Draw(t, "change")
			next, event, err := call.do(t, run, at)
			checkChange(t, call, run, next, event, err)
			run = next
		}
	})
}

func checkChange(t *rapid.T, call change, before, after app.ProcessRun, event app.Event, err error) {
	t.Helper()
	permitted := false
	for _, status := range call.from {
		permitted = permitted || status == before.Status
	}
	if !permitted {
		if app.CodeOf(err) != app.CodeConflict || after != before || event != (app.Event{}) {
			t.Fatalf("%s of a %s run: got %+v, %v; want a conflict and no change", call.name, before.Status,
				after, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s of a %s run: %v", call.name, before.Status, err)
	}
	if event == (app.Event{}) {
		if after != before || !before.CancelRequested() || call.name != "request cancel" {
			t.Fatalf("%s of %+v: no event", call.name, before)
		}
		return
	}
	if after.Version != before.Version+1 {
		t.Fatalf("%s: version %d after %d", call.name, after.Version, before.Version)
	}
	if after.Status != before.Status && !allowed[before.Status.String()+"→"+after.Status.String()] {
		t.Fatalf("%s: %s became %s", call.name, before.Status, after.Status)
	}
	if before.CancelRequested() && after.Status != app.Cancelled {
		t.Fatalf("%s: %s although cancellation was requested", call.name, after.Status)
	}
	want := app.Event{
		Version: after.Version, At: after.UpdatedAt, Status: after.Status, Attempt: after.Attempt,
		Note: event.Note,
	}
	if event != want {
		t.Fatalf("%s: event is %+v, want %+v", call.name, event, want)
	}
	checkConsistent(t, call, before, after)
}

// checkConsistent checks the invariants of a stored run.
func checkConsistent(t *rapid.T, call change, before, run app.ProcessRun) {
	t.Helper()
	wantToken := before.FencingToken
	if call.name == "start" {
		wantToken++
	}
	switch {
	case run.FencingToken != wantToken:
		t.Fatalf("%s: fencing token is %d, want %d", call.name, run.FencingToken, wantToken)
	case run.Status.Final() == run.FinishedAt.IsZero():
		t.Fatalf("%s: a %s run finished at %v", call.name, run.Status, run.FinishedAt)
	case run.Status != app.Created && !run.ScheduledAt.IsZero():
		t.Fatalf("%s: a %s run is scheduled at %v", call.name, run.Status, run.ScheduledAt)
	case run.Status == app.Created && !run.CancelRequestedAt.IsZero():
		t.Fatalf("%s: a created run keeps a cancel request", call.name)
	case run.Attempt < 0, run.Status == app.Started && run.Attempt < 1:
		t.Fatalf("%s: a %s run is in attempt %d", call.name, run.Status, run.Attempt)
	case run.Crashes > testMaxCrashes, run.Status == app.Created && run.Crashes >= testMaxCrashes:
		t.Fatalf("%s: a %s run has %d crashes", call.name, run.Status, run.Crashes)
	}
}

func TestFinish_RejectsStartedAsOutcome(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 42, Status: app.Started, Version: 2, Attempt: 1}
	after, event, err := app.Finish(run, app.Outcome{Status: app.Started}, time.Now())
	if app.CodeOf(err) != app.CodeInternal || after != run || event != (app.Event{}) {
		t.Errorf("got %+v, %+v, %v; want an internal error and no change", after, event, err)
	}
}

func TestCrash_ErrorCountsTheCrashes(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 42, Status: app.Started, Version: 2, Attempt: 1}
	once, _, err := app.Crash(run, 1, time.Now())
	if err != nil || once.Error != "crashed: the process died during this run" {
		t.Errorf("after one crash: %q, %v", once.Error, err)
	}
	run.Crashes = 1
	twice, _, err := app.Crash(run, 2, time.Now())
	if err != nil || twice.Error != "crashed: the process died 2 times during this run" {
		t.Errorf("after two crashes: %q, %v", twice.Error, err)
	}
}
