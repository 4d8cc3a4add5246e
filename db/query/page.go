package query

import (
	"context"
	"math"
	"slices"

	"runboard/app"
)

// Page implements app.Store.
func (r *Reader) Page(ctx context.Context, query app.Query) (page app.Page, err error) {
	err = r.read(forFilter(ctx, query.Filter), func(s *snapshot) {
		overview := s.overview()
		page = app.Page{Query: query, Runs: []app.ProcessRun{}}
		if !query.Filtered || overview.Counts[query.Status] > 0 {
			page = s.page(query)
		}
		if len(page.Runs) == 0 {
			page.MissingRun = s.missingRun(query.Filter)
		}
		page.Overview = overview
		s.addTabs(&page)
		s.fillInputs(page.Runs)
		s.fillWaiting(page.Runs)
		s.fillQueued(page.Runs)
		s.fillInputs(page.Running)
		s.fillQueued(page.Running)
		page.Usual = s.usualDurations(append(slices.Clone(page.Runs), page.Running...))
	})
	return page, err
}

// page reads one page of a list. It starts at the cursor, so that a page deep in the list costs no more than
// the first one. It reads one run more than a page holds, to learn whether there is another page.
func (s *snapshot) page(query app.Query) app.Page {
	l := s.list(query.Filter)
	page := app.Page{Query: query, Failure: s.failure(query.Failure)}
	ids, ascending := allIDs, query.Direction == app.After
	switch query.Direction {
	case app.Before:
		ids.Before = query.Cursor
	case app.After:
		ids.After = query.Cursor
	}
	size := query.PageSize()
	page.Runs, page.SearchCursor = l.runs(ids, ascending, size+1)
	more := len(page.Runs) > size || page.SearchCursor > 0
	page.Runs = page.Runs[:min(len(page.Runs), size)]
	switch query.Direction {
	case app.Latest:
		page.HasOlder = more
	case app.Before:
		page.HasOlder = more
		page.HasNewer = l.any(IDRange{After: query.Cursor - 1, Before: math.MaxInt64})
	case app.After:
		slices.Reverse(page.Runs)
		page.HasNewer = more
		page.HasOlder = l.any(IDRange{Before: after(query.Cursor)})
	}
	return page
}

// missingRun returns the number of the run that the text of a filter is, if there is no such run, or 0.
func (s *snapshot) missingRun(filter app.Filter) int64 {
	number, named := filter.RunNumber()
	var id int64
	if !named || s.get(&id, "SELECT id FROM process_runs WHERE id = ?", number) {
		return 0
	}
	return number
}

// addTabs adds the numbers of matching runs and the started runs that are older than the page.
func (s *snapshot) addTabs(page *app.Page) {
	rest := page.Query.Filter
	rest.Filtered, rest.Status = false, 0
	tabs := s.list(rest, app.Statuses()...)
	if rest.StatusOnly() {
		page.Tabs.Counts = page.Overview.Counts
	} else {
		s.addCounts(page, tabs)
	}
	newest := page.Query.Direction == app.Latest && !page.Query.Filtered
	if newest && page.HasOlder && len(page.Runs) > 0 && !tabs.walks() && rest.Failure == 0 {
		page.Running = tabs.runningBefore(page.Runs[len(page.Runs)-1].ID)
	}
}

// addCounts adds the numbers of matching runs. tabs is the list without the status of the filter.
func (s *snapshot) addCounts(page *app.Page, tabs *list) {
	now := s.db.Now()
	known := s.capped.fill(page, now)
	if known && tabs.walks() {
		return
	}
	page.Tabs = tabs.countTabs(page.Query.Filter)
	s.addMatchCount(page, known)
	if !known && s.err == nil {
		s.capped.put(*page, now)
	}
}

// addMatchCount adds the number of runs that match the whole filter. It counts only if that does not follow
// from the tabs, and if the page does not have a number that is known to be capped.
func (s *snapshot) addMatchCount(page *app.Page, known bool) {
	query, tabs := page.Query, page.Tabs
	switch {
	case query.Filtered && !tabs.Capped[query.Status]:
		page.MatchCount, page.MatchCountCapped = int(tabs.Counts[query.Status]), false
	case !query.Filtered && !tabs.AnyCapped():
		page.MatchCount, page.MatchCountCapped = int(tabs.Counts.Total()), false
	case !known:
		page.MatchCount, page.MatchCountCapped = s.list(query.Filter).count(app.CountedMatches)
	}
}

// countTabs counts the runs of the list by status. The list must have a scan for each status, unless it is
// that of a failure.
func (l *list) countTabs(filter app.Filter) (tabs app.TabCounts) {
	if l.walks() {
		counts, more := l.countFound(l.searchLimit/10, app.CountedForTabs)
		for status := range tabs.Capped {
			tabs.Counts[status] = min(counts[status], app.CountedForTabs)
			tabs.Capped[status] = more
		}
		return tabs
	}
	for i, scan := range l.scans {
		status := app.Status(i)
		if filter.Failure > 0 {
			status = app.Failed
		}
		var n int64
		l.get(&n, scan.CountSQL(), scan.Args(l.all, app.CountedForTabs+1)...)
		tabs.Counts[status] = min(n, app.CountedForTabs)
		tabs.Capped[status] = n > app.CountedForTabs
	}
	return tabs
}

// runningBefore returns the oldest started runs of the list with ids below before, at most app.MaxRunning.
// The list must have a scan for each status.
func (l *list) runningBefore(before int64) []app.ProcessRun {
	scan := l.scans[app.Started]
	in := l.within(IDRange{Before: before})
	return l.readRuns(scan.RunsSQL(true), scan.Args(in, app.MaxRunning)...)
}
