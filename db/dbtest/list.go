package dbtest

import (
	"math"
	"slices"
	"sync"
	"testing"

	"runboard/app"
)

// filters returns the unfiltered list and the list of each status.
func filters() []app.Query {
	lists := []app.Query{{}}
	for _, status := range app.Statuses() {
		lists = append(lists, app.ByStatus(status))
	}
	return lists
}

// mixed creates n runs, in all statuses in turn.
func (f fixture) mixed(n int) []app.ProcessRun {
	f.Helper()
	for i, run := range f.create(n) {
		if status := app.Status(i % app.StatusCount); status != app.Created {
			started := f.start(run)
			if status != app.Started {
				f.finish(started, app.Outcome{Status: status})
			}
		}
	}
	return f.all()
}

// expected computes the page of a query from all runs, which are sorted newest first.
func expected(all []app.ProcessRun, query app.Query) app.Page {
	page := app.Page{Query: query}
	var newer, older int
	for _, run := range all {
		if query.Filtered && run.Status != query.Status || query.Failure > 0 && run.Failure != query.Failure {
			continue
		}
		switch {
		case query.Direction == app.Before && run.ID >= query.Cursor:
			newer++
		case query.Direction == app.After && run.ID <= query.Cursor:
			older++
		default:
			page.Runs = append(page.Runs, run)
		}
	}
	if over := len(page.Runs) - app.PageSize; over > 0 && query.Direction == app.After {
		newer, page.Runs = over, page.Runs[over:]
	} else if over > 0 {
		older, page.Runs = over, page.Runs[:app.PageSize]
	}
	page.HasNewer, page.HasOlder = newer > 0, older > 0
	return page
}

func (f fixture) answers(all []app.ProcessRun, query app.Query) {
	f.Helper()
	got, want := f.page(query), expected(all, query)
	if got.Query != query || got.HasNewer != want.HasNewer || got.HasOlder != want.HasOlder ||
		!slices.Equal(got.Runs, want.Runs) {
		f.Fatalf("the page of %+v has %v (newer %t, older %t) and not %v (newer %t, older %t)", query,
			ids(got.Runs), got.HasNewer, got.HasOlder, ids(want.Runs), want.HasNewer, want.HasOlder)
	}
}

func testPages(t *testing.T, subject Subject) {
	t.Run("every list of an empty store has one empty page", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for _, list := range filters() {
			for _, direction := range []app.Direction{app.Latest, app.Before, app.After} {
				for _, cursor := range []int64{0, 1, math.MaxInt64} {
					f.answers(nil, list.WithCursor(direction, cursor))
				}
			}
		}
	})
	t.Run("RunsByID returns the runs that exist", func(t *testing.T) {
		f := open(t, subject)
		all := f.mixed(5)
		got, err := f.store.RunsByID(ctx, []int64{all[3].ID, 1 << 60, all[0].ID, all[3].ID})
		if err != nil || !slices.Equal(got, []app.ProcessRun{all[0], all[3]}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("every cursor of every list has the right pages", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		all := f.mixed(app.StatusCount * 11) // more than two pages in all, but less than one for each status
		cursors := append(ids(all), 0, -1, all[0].ID+1, math.MaxInt64)
		for _, list := range filters() {
			f.answers(all, list)
			for _, cursor := range cursors {
				f.answers(all, list.WithCursor(app.Before, cursor))
				f.answers(all, list.WithCursor(app.After, cursor))
			}
		}
	})
	t.Run("a page and its counts are one snapshot", func(t *testing.T) { readsOneState(t, open(t, subject)) })
}

// readsOneState reads pages while all their runs change: the counts must always fit the runs.
func readsOneState(t *testing.T, f fixture) {
	t.Parallel()
	done := make(chan struct{})
	runs := f.create(app.PageSize)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(done)
		for range 4 {
			for i, run := range runs {
				started, err := f.store.Start(ctx, run)
				if err == nil {
					err = f.store.Requeue(ctx, started)
				}
				runs[i].Version = started.Version + 1
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		if page := f.page(app.Query{}); page.Counts != count(page.Runs) {
			t.Errorf("the counts are %v, the rows are %v", page.Counts, count(page.Runs))
			writing = false
		}
	}
	group.Wait()
}

func testPageByPage(t *testing.T, subject Subject) {
	for _, n := range []int{0, 1, app.PageSize, app.PageSize + 1, 2 * app.PageSize, 2*app.PageSize + 1} {
		f := open(t, subject)
		want := []int64{}
		if n > 0 {
			f.create(n)
			want = ids(f.all())
		}
		for _, list := range []app.Query{{}, {Filter: app.Filter{Filtered: true, Status: app.Created}}} {
			down, last := f.older(list)
			up := f.newer(last)
			if !slices.Equal(down, want) || !slices.Equal(up, want) {
				t.Errorf("of %d runs, the way down has %v and the way up %v", n, down, up)
			}
		}
	}
	t.Run("cursors beyond both ends lead back", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		all := f.mixed(app.PageSize + 3)
		for _, list := range filters() {
			newest, oldest := list, list.WithCursor(app.After, 0)
			if got := f.page(list.WithCursor(app.After,
				math.MaxInt64)).Older(); !slices.Equal(f.page(got).Runs, expected(all, newest).Runs) {
				t.Errorf("from above the newest run, older is %+v", got)
			}
			if got := f.page(list.WithCursor(app.Before,
				all[len(all)-1].ID)).Newer(); !slices.Equal(f.page(got).Runs, expected(all, oldest).Runs) {
				t.Errorf("from below the oldest run, newer is %+v", got)
			}
		}
	})
}

// older reads a list down to its end. It returns the ids in order, and the last page.
func (f fixture) older(query app.Query) (way []int64, last app.Page) {
	f.Helper()
	last = f.page(query)
	way = ids(last.Runs)
	for last.HasOlder {
		last = f.page(last.Older())
		way = append(way, ids(last.Runs)...)
	}
	return way, last
}

// newer reads a list up to its start. It returns the ids in the same order as older.
func (f fixture) newer(page app.Page) (way []int64) {
	f.Helper()
	way = ids(page.Runs)
	for page.HasNewer {
		page = f.page(page.Newer())
		way = append(ids(page.Runs), way...)
	}
	return way
}

func testRun(t *testing.T, subject Subject) {
	f := open(t, subject)
	last := f.create(2)[1].ID
	for _, id := range []int64{0, -1, last + 1, math.MaxInt64, math.MinInt64} {
		_, err := f.store.Run(ctx, id)
		f.refused(err, app.CodeNotFound)
	}
	f.ok(f.store.Ready()) // unknown ids do not make the store unhealthy
}

func testOverview(t *testing.T, subject Subject) {
	f := open(t, subject)
	check := func(want app.Overview) {
		t.Helper()
		if got := f.page(app.Query{}).Overview; got != want {
			t.Errorf("the overview is %+v and not %+v", got, want)
		}
	}
	check(app.Overview{})
	run := f.in(app.Failed)
	check(app.Overview{Counts: app.Counts{app.Failed: 1}})
	f.in(app.Completed)
	f.in(app.Cancelled)
	f.in(app.Started)
	counts := app.Counts{app.Failed: 1, app.Completed: 1, app.Cancelled: 1, app.Started: 1}
	check(app.Overview{Counts: counts})
	counts[app.Created] = 8
	f.create(8)
	check(app.Overview{Counts: counts})
	page, err := f.store.Run(ctx, run.ID)
	f.ok(err)
	if page.Overview != f.page(app.Query{}).Overview {
		t.Errorf("the run's page has another overview: %+v", page.Overview)
	}
}
