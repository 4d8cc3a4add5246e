package dbtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

// testPosition tests the places of created runs in the queue.
func testPosition(t *testing.T, subject Subject) {
	settings := Settings{
		Kinds: []string{"free", "other", "whole", "keyed"},
		Definitions: kinds{
			{Name: "free"}, {Name: "other"}, {Name: "gone"},
			{Name: "whole", Policy: app.Policy{Concurrency: 2}},
			{Name: "keyed", Policy: app.Policy{Concurrency: 1, ConcurrencyKey: []string{"database"}}},
		},
	}
	for name, check := range map[string]func(fixture){
		"runs are counted from the oldest":            checkPlaces,
		"runs that cannot start have no place":        checkWithoutPlace,
		"runs of full kinds wait for their own kind":  checkPlaceInKind,
		"runs of full keys wait for their own key":    checkPlaceInKey,
		"runs of limited kinds hold up only so many":  checkLimitedAhead,
		"runs that are not due are not before others": checkNotDueAhead,
		"a thousand runs are counted":                 checkManyAhead,
		"the wait follows the recent rate":            checkWait,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(openWith(t, subject, settings))
		})
	}
	t.Run("runs that a crash interrupted have no place", func(t *testing.T) {
		t.Parallel()
		if subject.Reopen == nil {
			t.Skip("this store cannot be reopened")
		}
		f := openWith(t, subject, settings)
		run := f.start(f.createOf("free", 1, nil)[0])
		f.store = subject.Reopen(t, f.store)
		f.wantPlace(run, 0)
		f.wantPlace(f.createOf("free", 1, nil)[0], 2)
	})
	t.Run("without known kinds all runs are before others", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.createOf("free", 2, nil)
		f.wantPlace(f.createOf("other", 1, nil)[0], 3)
	})
}

func (f fixture) position(run app.ProcessRun) app.Position {
	f.Helper()
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	return page.Position
}

func (f fixture) wantPlace(run app.ProcessRun, want int) {
	f.Helper()
	if got := f.position(run); got.Place != want || got.More {
		f.Fatalf("run %d of the kind %s has the position %+v and not %d", run.ID, run.Kind, got, want)
	}
}

func checkPlaces(f fixture) {
	free, other := f.createOf("free", 3, nil), f.createOf("other", 2, nil)
	f.wantPlace(free[0], 1)
	f.wantPlace(free[2], 3)
	f.wantPlace(other[1], 5)
	started := f.start(free[0])
	f.wantPlace(free[0], 0)
	f.wantPlace(other[1], 4)
	f.finish(started, app.Outcome{Status: app.Failed, Error: "It did not work."})
	f.wantPlace(free[0], 0)
	_, err := f.store.Retry(ctx, free[0].ID)
	f.ok(err)
	f.wantPlace(free[0], 1)
	f.wantPlace(other[1], 5)
}

func checkWithoutPlace(f fixture) {
	gone, free := f.createOf("gone", 2, nil), f.createOf("free", 2, nil)
	f.wantPlace(gone[1], 0)
	f.wantPlace(free[1], 2)
	other := f.createOf("other", 1, nil)[0]
	f.ok(f.store.PauseKind(ctx, "free", true))
	f.wantPlace(free[1], 0)
	f.wantPlace(other, 1)
	f.ok(f.store.PauseKind(ctx, "free", false))
	f.wantPlace(other, 3)
}

func checkPlaceInKind(f fixture) {
	f.createOf("free", 3, nil)
	runs := f.createOf("whole", 7, nil)
	first, second := f.start(runs[0]), f.start(runs[1])
	f.wantPlace(runs[2], 1)
	f.wantPlace(runs[6], 5)
	if wait := f.position(runs[6]).Wait; wait != 0 {
		f.Fatalf("before a run of the kind has completed, the wait is %v", wait)
	}
	f.clock.Advance(time.Minute)
	f.finish(first, app.Outcome{Status: app.Completed})
	f.start(runs[2])
	if got, want := f.position(runs[6]), (app.Position{Place: 4, Wait: 2 * time.Minute}); got != want {
		f.Fatalf("the position is %+v and not %+v", got, want)
	}
	f.finish(second, app.Outcome{Status: app.Completed})
}

func checkPlaceInKey(f fixture) {
	shop, crm := f.createOf("keyed", 3, forDatabase("shop")), f.createOf("keyed", 3, forDatabase("crm"))
	f.start(shop[0])
	f.start(crm[0])
	f.wantPlace(shop[2], 2)
	f.wantPlace(crm[1], 1)
}

func checkLimitedAhead(f fixture) {
	f.createOf("whole", 10, nil)
	f.createOf("keyed", 5, forDatabase("shop"))
	f.createOf("keyed", 5, forDatabase("crm"))
	f.wantPlace(f.createOf("free", 1, nil)[0], 2+2+1)
}

func checkNotDueAhead(f fixture) {
	runs := f.createOf("free", 3, nil)
	f.finish(f.start(runs[0]), app.Outcome{Status: app.Created, Error: "Again.", RetryIn: time.Minute})
	f.wantPlace(runs[0], 0)
	f.wantPlace(runs[2], 2)
	f.clock.Advance(time.Minute)
	f.wantPlace(runs[0], 1)
	f.wantPlace(runs[2], 3)
}

func checkManyAhead(f fixture) {
	f.createOf("free", app.CountedAhead-1, nil)
	runs := f.createOf("free", 3, nil)
	f.wantPlace(runs[1], app.CountedAhead+1)
	want := app.Position{Place: app.CountedAhead + 1, More: true}
	if got := f.position(runs[2]); got != want {
		f.Fatalf("the position is %+v and not %+v", got, want)
	}
}

// checkWait starts and completes two runs in each of ten seconds, with free workers only for two.
func checkWait(f fixture) {
	runs := f.createOf("free", 60, nil)
	last := runs[len(runs)-1]
	for len(runs) > 20 {
		first, second := f.start(runs[0]), f.start(runs[1])
		f.clock.Advance(app.Last15Minutes.Step() / 2)
		f.finish(first, app.Outcome{Status: app.Completed})
		f.finish(second, app.Outcome{Status: app.Completed})
		runs = runs[2:]
	}
	f.clock.Advance(app.Last15Minutes.Step())
	f.eventually(func() error {
		position := f.position(last)
		if position.Place != 20 {
			return fmt.Errorf("the place is %d", position.Place)
		}
		if wait := position.Wait; wait < 45*time.Second || wait > 60*time.Second {
			return errors.New("the wait is " + wait.String())
		}
		return nil
	})
}
