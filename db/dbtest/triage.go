package dbtest

import (
	"fmt"
	"testing"
	"time"

	"runboard/app"
)

func testTriage(t *testing.T, subject Subject) {
	t.Run("a note is on all pages of its group", func(t *testing.T) { notesGroups(t, open(t, subject)) })
	t.Run("a muted group comes last and does not count", func(t *testing.T) {
		mutesGroups(t, open(t, subject))
	})
	t.Run("notes and mutes outlive the runs", func(t *testing.T) { keepsTriage(t, open(t, subject)) })
	t.Run("a group that does not exist is not found", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		_, err := f.store.Failure(ctx, 7)
		f.refused(err, app.CodeNotFound)
		_, err = f.store.AnnotateFailure(ctx, 7, "note")
		f.refused(err, app.CodeNotFound)
		_, err = f.store.MuteFailure(ctx, 7, f.clock.Now().Add(time.Hour))
		f.refused(err, app.CodeNotFound)
	})
	t.Run("groups come in the order that was asked for", func(t *testing.T) {
		sortsGroups(t, open(t, subject))
	})
	t.Run("each group has its latest run", func(t *testing.T) { findsLatestRuns(t, open(t, subject)) })
}

// failures returns the groups in an order.
func (f fixture) failures(sort app.FailureSort) app.Failures {
	f.Helper()
	all, err := f.store.Failures(ctx, sort)
	f.ok(err)
	return all
}

// group returns a group.
func (f fixture) group(id int64) app.Failure {
	f.Helper()
	group, err := f.store.Failure(ctx, id)
	f.ok(err)
	return group
}

// hasTriage fails unless a group has a triage wherever it is read. run is one of its failed runs.
func (f fixture) hasTriage(run app.ProcessRun, want app.Triage) {
	f.Helper()
	if got := f.group(run.Failure).Triage; got != want {
		f.Fatalf("the group has %+v, want %+v", got, want)
	}
	for _, group := range f.failures(app.MostRuns).Failures {
		if group.ID == run.Failure && group.Triage != want {
			f.Fatalf("the list of groups has %+v, want %+v", group.Triage, want)
		}
	}
	if got := f.page(app.Query{Filter: app.Filter{Failure: run.Failure}}).Failure.Triage; got != want {
		f.Fatalf("the list of runs has %+v, want %+v", got, want)
	}
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	revisions, err := f.store.Revisions(ctx, []int64{run.ID})
	f.ok(err)
	if page.Failure.Triage != want || revisions[run.ID] != page.Revision() {
		f.Fatalf("the run has %+v and %+v, want %+v", page.Failure.Triage, revisions[run.ID], want)
	}
}

func notesGroups(t *testing.T, f fixture) {
	t.Parallel()
	ink, jam := f.fails("no ink for 7"), f.fails("paper jam")
	const note = `supplier is down on Sundays, "INC-42" – 日曜`
	var group app.Failure
	f.heard(t, func() (err error) {
		group, err = f.store.AnnotateFailure(ctx, ink.Failure, note)
		return err
	})
	if group.Note != note || group.ID != ink.Failure || group.Runs != 1 || group.LatestRun != ink.ID {
		t.Errorf("the answer is %+v", group)
	}
	f.hasTriage(ink, app.Triage{Note: note})
	f.hasTriage(jam, app.Triage{})
	f.hasTriage(f.fails("no ink for 9"), app.Triage{Note: note})
	if completed, err := f.store.Run(ctx, f.in(app.Completed).ID); err != nil || completed.Failure.ID != 0 {
		t.Errorf("a completed run has the failure %+v: %v", completed.Failure, err)
	}
	_, err := f.store.AnnotateFailure(ctx, ink.Failure, "")
	f.ok(err)
	f.hasTriage(ink, app.Triage{})
}

func mutesGroups(t *testing.T, f fixture) {
	t.Parallel()
	for i := range 3 {
		f.fails(fmt.Sprintf("no ink for %d", i))
	}
	ink, jam := f.fails("no ink for 7"), f.fails("paper jam")
	check := func(muted, first int64, mutedRuns int64) {
		t.Helper()
		all := f.failures(app.MostRuns)
		want := app.FailureTotals{Groups: muted, Runs: mutedRuns}
		if len(all.Failures) != 2 || all.Failures[0].ID != first || all.Muted != want ||
			all.FailureTotals != (app.FailureTotals{Groups: 2, Runs: 5}) {
			t.Errorf("the groups are %+v", all)
		}
		overview := f.page(app.Query{}).Overview
		if overview.Muted != mutedRuns || overview.Failed() != 5-mutedRuns {
			t.Errorf("%d failed runs are muted, want %d", overview.Muted, mutedRuns)
		}
	}
	check(0, ink.Failure, 0)
	until := f.clock.Now().Add(time.Hour)
	group, err := f.store.MuteFailure(ctx, ink.Failure, until)
	f.ok(err)
	if !group.MutedUntil.Equal(until) || group.Runs != 4 {
		t.Errorf("the answer is %+v", group)
	}
	f.hasTriage(ink, app.Triage{MutedUntil: until})
	check(1, jam.Failure, 4)
	f.clock.Advance(time.Hour - time.Millisecond)
	check(1, jam.Failure, 4)
	f.clock.Advance(time.Millisecond)
	f.hasTriage(ink, app.Triage{})
	check(0, ink.Failure, 0)

	_, err = f.store.MuteFailure(ctx, ink.Failure, f.clock.Now().Add(time.Hour))
	f.ok(err)
	check(1, jam.Failure, 4)
	_, err = f.store.MuteFailure(ctx, ink.Failure, time.Time{})
	f.ok(err)
	check(0, ink.Failure, 0)
}

func keepsTriage(t *testing.T, f fixture) {
	t.Parallel()
	run := f.fails("no ink for 7")
	until := f.clock.Now().Add(10 * 24 * time.Hour)
	_, err := f.store.AnnotateFailure(ctx, run.Failure, "INC-42")
	f.ok(err)
	_, err = f.store.MuteFailure(ctx, run.Failure, until)
	f.ok(err)
	f.ok(f.store.Delete(ctx, run.ID))
	if all := f.failures(app.MostRuns); len(all.Failures) != 0 || all.Muted.Groups != 0 {
		t.Errorf("without runs there are %+v", all)
	}
	if group := f.group(run.Failure); group.Note != "INC-42" || group.Runs != 0 || group.LatestRun != 0 {
		t.Errorf("the group without runs is %+v", group)
	}
	f.clock.Advance(24 * time.Hour)
	again := f.fails("no ink for 8")
	f.hasTriage(again, app.Triage{Note: "INC-42", MutedUntil: until})
}

func sortsGroups(t *testing.T, f fixture) {
	t.Parallel()
	var groups []int64
	for _, text := range []string{"a", "b", "b", "c"} {
		groups = append(groups, f.fails(text).Failure)
		f.clock.Advance(time.Minute)
	}
	a, b, c := groups[0], groups[1], groups[3]
	check := func(sort app.FailureSort, want ...int64) {
		t.Helper()
		var got []int64
		for _, group := range f.failures(sort).Failures {
			got = append(got, group.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("sorted by %s, the groups are %v, want %v", sort, got, want)
		}
	}
	check(app.MostRuns, b, c, a)
	check(app.LatestRuns, c, b, a)
	for _, group := range []int64{b, c} {
		_, err := f.store.MuteFailure(ctx, group, f.clock.Now().Add(time.Hour))
		f.ok(err)
	}
	check(app.MostRuns, a, b, c)
	check(app.LatestRuns, a, c, b)
	if _, err := f.store.Failures(ctx, "oldest"); err == nil {
		t.Error("there is an unknown order")
	}
}

func findsLatestRuns(t *testing.T, f fixture) {
	t.Parallel()
	var runs []app.ProcessRun
	for i := range 6 {
		runs = append(runs, f.fails([]string{"no ink for ", "paper jam "}[i%2]+fmt.Sprint(i)))
	}
	check := func(ink, jam int64) {
		t.Helper()
		got := [2]int64{f.group(runs[0].Failure).LatestRun, f.group(runs[1].Failure).LatestRun}
		if got != [2]int64{ink, jam} {
			t.Errorf("the latest runs are %v, want %d and %d", got, ink, jam)
		}
		for _, group := range f.failures(app.LatestRuns).Failures {
			if group.LatestRun != got[0] && group.LatestRun != got[1] {
				t.Errorf("in the list, the latest run is %d, want one of %v", group.LatestRun, got)
			}
		}
	}
	check(runs[4].ID, runs[5].ID)
	f.ok(f.store.Delete(ctx, runs[4].ID))
	_, err := f.store.Retry(ctx, runs[5].ID)
	f.ok(err)
	check(runs[2].ID, runs[3].ID)
}
