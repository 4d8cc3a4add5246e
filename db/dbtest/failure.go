package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// checkFailures fails unless the groups of Failures are those that follow from the runs.
func (f fixture) checkFailures(runs []app.ProcessRun) {
	f.Helper()
	want := map[[2]string]int64{}
	for _, run := range runs {
		if run.Status == app.Failed {
			pattern := app.Pattern(run.Error)
			if pattern == "" {
				pattern = "no error text"
			}
			want[[2]string{run.Kind, pattern}]++
		}
	}
	all, err := f.store.Failures(ctx, app.MostRuns)
	f.ok(err)
	got, total := map[[2]string]int64{}, int64(0)
	for i, one := range all.Failures {
		got[[2]string{one.Kind, one.Pattern}] = one.Runs
		total += one.Runs
		if i > 0 && one.Runs > all.Failures[i-1].Runs {
			f.Fatalf("the largest group is not first: %+v", all)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || all.Groups != int64(len(want)) || all.Runs != total {
		f.Fatalf("the failures are %v (%d, %d) and not %v", got, all.Groups, all.Runs, want)
	}
}

// fails creates a run that fails with an error.
func (f fixture) fails(text string) app.ProcessRun {
	f.Helper()
	return f.finish(f.in(app.Started), app.Outcome{Status: app.Failed, Error: text})
}

func testFailures(t *testing.T, subject Subject) {
	t.Run("failed runs with the same pattern are one group", func(t *testing.T) {
		groupsByPattern(t, open(t, subject))
	})
	t.Run("automatic retries and cancelled runs are not failures", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "no ink"})
		stopped := f.in(app.Started)
		_, err := f.store.Cancel(ctx, stopped.ID)
		f.ok(err)
		if run := f.finish(stopped, app.Outcome{Status: app.Failed, Error: "no ink"}); run.Failure != 0 {
			t.Errorf("the run is %+v", run)
		}
		f.checkFailures(f.all())
	})
	testFailedLists(t, subject)
	if subject.Reopen != nil {
		t.Run("a run that crashed too often is a failure", func(t *testing.T) {
			t.Parallel()
			f := openWith(t, subject, Settings{MaxCrashes: 1})
			run := f.in(app.Started)
			f.store = subject.Reopen(t, f.store)
			if got := f.get(run.ID); got.Status != app.Failed || got.Failure == 0 {
				t.Errorf("the run is %+v", got)
			}
			f.checkFailures(f.all())
		})
	}
}

func groupsByPattern(t *testing.T, f fixture) {
	t.Parallel()
	first := f.clock.Now()
	a, b := f.fails("no ink for 7"), f.fails("paper jam at 12:30")
	f.clock.Advance(3 * time.Hour)
	c := f.fails("no ink for 9")
	all, err := f.store.Failures(ctx, app.MostRuns)
	f.ok(err)
	f.checkFailures(f.all())
	if len(all.Failures) != 2 || all.Groups != 2 || all.Runs != 3 {
		t.Fatalf("the groups are %+v", all)
	}
	ink := all.Failures[0]
	if ink.ID != a.Failure || c.Failure != a.Failure || b.Failure == a.Failure ||
		ink.Pattern != "no ink for #" || ink.Example != "no ink for 7" ||
		!ink.FirstAt.Equal(first) || !ink.LastAt.Equal(f.clock.Now()) {
		t.Errorf("the first group is %+v", ink)
	}
	if ink.Hours[app.FailureHours-1] != 1 || ink.Hours[app.FailureHours-4] != 1 {
		t.Errorf("the hours are %v", ink.Hours)
	}
	retried, err := f.store.Retry(ctx, a.ID)
	if f.ok(err); retried.Failure != 0 {
		t.Errorf("the retried run is %+v", retried)
	}
	f.ok(f.store.Delete(ctx, b.ID))
	f.checkFailures(f.all())
	f.finish(f.start(retried), app.Outcome{Status: app.Failed, Error: "no ink for 7"})
	f.checkFailures(f.all())
	if page := f.page(app.Query{Filter: app.Filter{Failure: b.Failure}}); len(page.Runs) != 0 ||
		page.Failure.Runs != 0 {
		t.Errorf("the page of an empty group is %+v", page)
	}
}

// testFailedLists tests lists and bulk actions that filter by failure.
func testFailedLists(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("lists by group have pages and further filters", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for i := range 70 {
			f.fails([]string{"no ink for ", "paper jam "}[i%2] + fmt.Sprint(i))
		}
		all := f.all()
		query := app.Query{Filter: app.Filter{Failure: all[0].Failure}}
		for _, cursor := range append(ids(all), 0, all[0].ID+1) {
			f.answers(all, query.WithCursor(app.Before, cursor))
			f.answers(all, query.WithCursor(app.After, cursor))
		}
		page := f.page(query)
		if page.MatchCount != 35 || page.MatchCountCapped || page.Failure.Pattern != "paper jam #" ||
			page.Failure.Runs != 35 {
			t.Errorf("%d runs match of %+v", page.MatchCount, page.Failure)
		}
		for want, filter := range map[int]app.Filter{
			35: {Failure: all[0].Failure, Filtered: true, Status: app.Failed, Kind: kind},
			0:  {Failure: all[0].Failure, Filtered: true, Status: app.Completed},
			1:  {Failure: all[0].Failure, Text: "jam 69"},
		} {
			if page := f.page(app.Query{Filter: filter}); page.MatchCount != want ||
				len(page.Runs) != min(want, app.PageSize) {
				t.Errorf("with %+v, %d runs match", filter, page.MatchCount)
			}
		}
		if page := f.page(app.Query{Filter: app.Filter{Failure: 9999}}); page.MatchCount != 0 ||
			len(page.Runs) != 0 || page.Failure.ID != 0 {
			t.Errorf("the page of an unknown group is %+v", page)
		}
	})
	t.Run("a bulk retry by group retries its runs", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for i := range 9 {
			f.fails([]string{"no ink for ", "paper jam ", "jam "}[i%3] + fmt.Sprint(i))
		}
		ink := f.all()[8]
		f.advanceAll(f.startBulk(app.BulkAction{Operation: app.BulkRetry,
			Filter: app.Filter{Failure: ink.Failure}}, app.BulkPreview{Runs: 3}))
		waiting := ids(f.waiting(99))
		if want := []int64{ink.ID, ink.ID + 3, ink.ID + 6}; !slices.Equal(waiting, want) {
			t.Errorf("the retried runs are %v and not %v", waiting, want)
		}
		f.checkFailures(f.all())
	})
}
