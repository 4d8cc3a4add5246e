package query

import (
	"cmp"
	"context"
	"math"
	"slices"

	"runboard/app"
)

// Page implements app.Store.
func (r *Reader) Page(ctx context.Context, query app.Query) (page app.Page, err error) {
	if query.Text != "" {
		ctx = forLong(ctx)
	}
	err = r.db.Read(ctx, func(ctx context.Context, q Queryer) error {
		overview, err := r.overview(ctx, q)
		if err != nil {
			return err
		}
		page = app.Page{Query: query, Runs: []app.ProcessRun{}}
		if !query.Filtered || overview.Counts[query.Status] > 0 {
			page, err = r.readPage(ctx, q, query)
		}
		page.Overview = overview
		return err
	})
	return page, err
}

// Runs implements app.Store.
func (r *Reader) Runs(
	ctx context.Context, filter app.Filter, before int64, limit int,
) (runs []app.ProcessRun, next int64, err error) {
	err = r.db.Read(forLong(ctx), func(ctx context.Context, q Queryer) error {
		l, err := r.newList(ctx, q, filter)
		if err != nil {
			return err
		}
		runs, next, err = l.runs(ctx, l.within(IDRange{Before: before}), false, limit)
		return err
	})
	if len(runs) == limit {
		next = runs[limit-1].ID
	}
	return runs, next, err
}

// RunsByIDSQL returns the query for runs by id, newest first. Its argument is the JSONArray of the ids.
func (d Dialect) RunsByIDSQL() string {
	return "SELECT " + Columns + " FROM process_runs WHERE id IN " + d.IntArray + " ORDER BY id DESC"
}

// RunsByID implements app.Store.
func (r *Reader) RunsByID(ctx context.Context, ids []int64) (runs []app.ProcessRun, err error) {
	err = r.db.Read(ctx, func(ctx context.Context, q Queryer) error {
		runs, err = r.readByID(ctx, q, ids)
		return err
	})
	return runs, err
}

func (r *Reader) readByID(ctx context.Context, q Queryer, ids []int64) ([]app.ProcessRun, error) {
	array, err := JSONArray(ids)
	if err != nil {
		return nil, err
	}
	return ReadRuns(ctx, q, r.dialect.RunsByIDSQL(), array)
}

// readPage reads one page of a list. It starts at the cursor, so that a page deep in the list costs no more
// than the first one. It reads one run more than a page holds, to learn whether there is another page.
func (r *Reader) readPage(ctx context.Context, q Queryer, query app.Query) (page app.Page, err error) {
	l, err := r.newList(ctx, q, query.Filter)
	if err != nil {
		return page, err
	}
	ids, ascending := allIDs, query.Direction == app.After
	switch query.Direction {
	case app.Before:
		ids.Before = query.Cursor
	case app.After:
		ids.After = query.Cursor
	}
	page.Query = query
	if page.Failure, err = r.readFailure(ctx, q, query.Failure); err != nil {
		return page, err
	}
	page.Runs, page.SearchCursor, err = l.runs(ctx, l.within(ids), ascending, app.PageSize+1)
	if err != nil {
		return page, err
	}
	if err := l.addNeighbours(ctx, &page); err != nil || query.StatusOnly() {
		return page, err
	}
	page.MatchCount, page.MatchCountCapped, err = l.count(ctx, app.CountedMatches)
	return page, err
}

// addNeighbours cuts the runs of a page to its size, newest first, and sets whether there are further pages.
func (l *list) addNeighbours(ctx context.Context, page *app.Page) (err error) {
	more := len(page.Runs) > app.PageSize || page.SearchCursor > 0
	page.Runs = page.Runs[:min(len(page.Runs), app.PageSize)]
	switch cursor := page.Query.Cursor; page.Query.Direction {
	case app.Latest:
		page.HasOlder = more
	case app.Before:
		page.HasOlder = more
		page.HasNewer, err = l.any(ctx, l.within(IDRange{After: cursor - 1, Before: math.MaxInt64}))
	case app.After:
		slices.Reverse(page.Runs)
		page.HasNewer = more
		page.HasOlder, err = l.any(ctx, l.within(IDRange{Before: after(cursor)}))
	}
	return err
}

// list is the runs that match a filter, within one read transaction.
type list struct {
	*Reader
	q       Queryer
	scans   []IndexScan
	indexed []IndexScan      // scans without the conditions of require: each is one range of an index
	all     IDRange          // range of ids that can match the filter
	terms   []Term           // words of the search; empty without one
	counted map[string]int64 // index rows by search expression, see lookUp
}

// newList returns the list of the runs that match a filter, optionally only those in some statuses. It fails
// with CodeMalformed if the text contains no words.
func (r *Reader) newList(
	ctx context.Context, q Queryer, filter app.Filter, only ...app.Status,
) (l *list, err error) {
	if filter, err = r.dropRedundantKind(ctx, q, filter); err != nil {
		return nil, err
	}
	scans := r.dialect.Scans(filter, only...)
	l = &list{Reader: r, q: q, scans: scans, indexed: slices.Clone(scans), all: allIDs, counted: map[string]int64{}}
	if filter.Text != "" {
		if err := r.db.CheckSearch(); err != nil {
			return nil, err
		}
		if l.terms, err = ParseTerms(filter.Text); err != nil {
			return nil, err
		}
	}
	return l, l.limitTimes(ctx, filter)
}

// limitTimes restricts the list to runs created within the times of the filter. The times of each run are
// checked, and the ids only narrow the range: creation times do not always rise with ids, because clocks are
// set back and differ between nodes.
func (l *list) limitTimes(ctx context.Context, filter app.Filter) error {
	if filter.Since.IsZero() && filter.Until.IsZero() {
		return nil
	}
	slack, known, err := l.clock.slack(ctx, l.q)
	if err != nil {
		return err
	}
	if !filter.Since.IsZero() {
		since := filter.Since.Time(l.db.Now()).UnixMilli()
		l.require("created_at >= ?", since)
		if known {
			first, err := l.firstIDSince(ctx, since-slack)
			if err != nil {
				return err
			}
			l.all.After = first - 1
		}
	}
	if !filter.Until.IsZero() {
		until := filter.Until.Time(l.db.Now()).UnixMilli()
		l.require("created_at < ?", until)
		if known {
			l.all.Before, err = l.firstIDSince(ctx, until+slack)
		}
	}
	return err
}

// require adds a condition to all scans.
func (l *list) require(condition string, args ...any) {
	for i := range l.scans {
		l.scans[i] = l.scans[i].and(condition, args...)
	}
}

// dropRedundantKind drops the kind of a filter that also has a failure, because all runs of a failure are of
// one kind. If the kinds differ, the filter it returns matches no run.
func (r *Reader) dropRedundantKind(ctx context.Context, q Queryer, filter app.Filter) (app.Filter, error) {
	if filter.Failure == 0 || filter.Kind == "" {
		return filter, nil
	}
	failure, err := r.readFailure(ctx, q, filter.Failure)
	if failure.Kind != filter.Kind {
		filter.Failure = math.MaxInt64
	}
	filter.Kind = ""
	return filter, err
}

// firstIDSince returns an id whose run was created at or after a time in milliseconds, while the run before
// it was created earlier. It is a binary search by id: a few dozen reads, whatever the number of runs, and no
// index on times.
func (l *list) firstIDSince(ctx context.Context, millis int64) (int64, error) {
	var low, high int64 = 1, 1
	if err := Get(ctx, l.q, &high, "SELECT coalesce(max(id), 0) + 1 FROM process_runs"); err != nil {
		return 0, err
	}
	const next = "SELECT id, created_at FROM process_runs WHERE id >= ? ORDER BY id LIMIT 1"
	for low < high {
		middle := low + (high-low)/2
		var run struct {
			ID        int64 `db:"id"`
			CreatedAt int64 `db:"created_at"`
		}
		if err := Get(ctx, l.q, &run, next, middle); err != nil {
			return 0, err
		}
		if run.CreatedAt >= millis {
			high = middle
		} else {
			low = run.ID + 1
		}
	}
	return high, nil
}

// within returns the part of a range that can match the filter.
func (l *list) within(r IDRange) IDRange {
	return IDRange{After: max(r.After, l.all.After), Before: min(r.Before, l.all.Before)}
}

// runs returns at most limit runs of a range, from its lower end if ascending, else from its upper end. For
// cursor see search.
func (l *list) runs(
	ctx context.Context, in IDRange, ascending bool, limit int,
) (runs []app.ProcessRun, cursor int64, err error) {
	if len(l.terms) > 0 {
		return l.search(ctx, in, ascending, limit)
	}
	runs = []app.ProcessRun{}
	for _, scan := range l.scans {
		some, err := ReadRuns(ctx, l.q, scan.RunsSQL(ascending), scan.Args(in, limit)...)
		if err != nil {
			return nil, 0, err
		}
		runs = append(runs, some...)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int {
		if ascending {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Compare(b.ID, a.ID)
	})
	return runs[:min(len(runs), limit)], 0, nil
}

// any reports whether a range contains a run. A search that stops early counts as one.
func (l *list) any(ctx context.Context, in IDRange) (found bool, err error) {
	if len(l.terms) > 0 {
		runs, cursor, err := l.search(ctx, in, false, 1)
		return len(runs) > 0 || cursor > 0, err
	}
	for _, scan := range l.scans {
		if err := Get(ctx, l.q, &found, scan.ExistsSQL(), scan.Args(in)...); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// count returns the number of matching runs, at most limit, and whether there are more. A search counts only
// the matches within a tenth of its usual effort.
func (l *list) count(ctx context.Context, limit int) (n int, more bool, err error) {
	if len(l.terms) > 0 {
		counts, more, err := l.countFound(ctx, l.searchLimit/10)
		n = int(counts.Total())
		return min(n, limit), more || n > limit, err
	}
	for _, scan := range l.scans {
		var some int
		if err := Get(ctx, l.q, &some, scan.CountSQL(), scan.Args(l.all, limit+1-n)...); err != nil {
			return 0, false, err
		}
		n += some
	}
	return min(n, limit), n > limit, nil
}
