package dbtest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// checkAround compares what the page of the newest runs that match a filter has beside its list with a check
// of every run.
func (f fixture) checkAround(t *rapid.T, all []app.ProcessRun, page app.Page) {
	filter := page.Query.Filter
	rest := filter
	rest.Filtered = false
	var counts app.Counts
	var running []int64
	for _, run := range slices.Backward(all) {
		if !wanted(rest, run, f.clock.Now()) {
			continue
		}
		counts[run.Status]++
		older := len(page.Runs) > 0 && run.ID < page.Runs[len(page.Runs)-1].ID
		if run.Status == app.Started && older && len(running) < app.MaxRunning {
			running = append(running, run.ID)
		}
	}
	if filter.Filtered || !filter.Inputs.IsZero() {
		running = nil
	}
	if got := ids(page.Running); !slices.Equal(got, running) {
		t.Fatalf("with %+v the running runs are %v and not %v", filter, got, running)
	}
	for _, status := range app.Statuses() {
		got, capped := page.Tabs.Counts[status], page.Tabs.Capped[status]
		if capped && got <= counts[status] && !filter.Inputs.IsZero() {
			continue
		}
		if got != counts[status] || capped {
			t.Fatalf("with %+v, %d runs are %s and not %d", filter, got, status, counts[status])
		}
	}
}

// testAround tests what a page has beside its list.
func testAround(t *testing.T, subject Subject) {
	t.Run("a page has as many rows as asked for", func(t *testing.T) {
		f := open(t, subject)
		f.create(130)
		for _, size := range app.PageSizes() {
			page := f.page(app.Query{Rows: size})
			if len(page.Runs) != size || !page.HasOlder {
				t.Errorf("of %d rows there are %d", size, len(page.Runs))
			}
			older := f.page(page.Older())
			if want := min(size, 130-size); len(older.Runs) != want || older.Runs[0].ID != int64(130-size) {
				t.Errorf("the page before has %d rows and not %d", len(older.Runs), want)
			}
			if newer := f.page(older.Newer()); !slices.Equal(ids(newer.Runs), ids(page.Runs)) {
				t.Errorf("the way back leads to %v", ids(newer.Runs))
			}
		}
	})
	t.Run("the oldest started runs stay in sight", func(t *testing.T) { keepsRunning(t, open(t, subject)) })
	t.Run("tabs count up to a limit", func(t *testing.T) { countsTabs(t, open(t, subject)) })
	t.Run("the usual duration is that of the kinds of the page", func(t *testing.T) {
		knowsUsual(t, open(t, subject))
	})
}

func keepsRunning(t *testing.T, f fixture) {
	runs := f.create(40)
	for _, run := range runs[:2] {
		f.start(run)
	}
	f.start(runs[39]) // on the page
	if got := ids(f.page(app.Query{}).Running); !slices.Equal(got, ids(runs[:2])) {
		t.Errorf("running are %v", got)
	}
	for _, run := range runs[2:12] {
		f.start(run)
	}
	page := f.page(app.Query{})
	if got := ids(page.Running); !slices.Equal(got, ids(runs[:app.MaxRunning])) {
		t.Errorf("running are %v", got)
	}
	if got := f.page(page.Older()).Running; got != nil {
		t.Errorf("an older page has the running runs %v", ids(got))
	}
	for _, status := range app.Statuses() {
		if got := f.page(app.ByStatus(status)).Running; got != nil {
			t.Errorf("the list of %s runs has the running runs %v", status, ids(got))
		}
	}
	if got := f.page(app.Query{Rows: 50}).Running; got != nil {
		t.Errorf("a page of all runs has the running runs %v", ids(got))
	}
}

func countsTabs(t *testing.T, f fixture) {
	f.create(app.CountedForTabs)
	f.create(1)
	tabs := f.page(app.Query{Filter: app.Filter{Kind: kind}}).Tabs
	created, capped := tabs.Counts[app.Created], tabs.Capped[app.Created]
	if created != app.CountedForTabs || !capped || tabs.Capped[app.Failed] {
		t.Errorf("the tabs are %+v", tabs)
	}
	all := f.page(app.Query{}).Tabs
	if all.Counts[app.Created] != app.CountedForTabs+1 || all.AnyCapped() {
		t.Errorf("without a filter the tabs are %+v", all)
	}
}

func knowsUsual(t *testing.T, f fixture) {
	if usual := f.page(app.Query{}).Usual; len(usual) != 0 {
		t.Errorf("without runs, the usual durations are %v", usual)
	}
	for _, took := range []time.Duration{9 * time.Second, 3 * time.Second, 4 * time.Second} {
		run := f.start(f.create(1)[0])
		f.clock.Advance(took)
		f.finish(run, app.Outcome{Status: app.Completed})
		f.clock.Advance(time.Minute) // until it is read again
	}
	if got := f.page(app.Query{}).Usual[kind]; got != 4*time.Second {
		t.Errorf("the usual duration is %s", got)
	}
	f.finish(f.start(f.create(1)[0]), app.Outcome{Status: app.Completed})
	f.finish(f.start(f.create(1)[0]), app.Outcome{Status: app.Completed})
	if got := f.page(app.Query{}).Usual[kind]; got != 4*time.Second {
		t.Errorf("it is read again at once: %s", got)
	}
	f.clock.Advance(time.Minute)
	if got := f.page(app.Query{}).Usual[kind]; got != 3*time.Second {
		t.Errorf("later the usual duration is %s", got)
	}
}
