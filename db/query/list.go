package query

import (
	"cmp"
	"context"
	"math"
	"slices"

	"runboard/app"
)

// Page implements app.Store.
func (b *Board) Page(ctx context.Context, query app.Query) (page app.Page, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		overview, err := b.overview(ctx, from)
		if err != nil {
			return err
		}
		if query.Filtered && overview.Counts[query.Status] == 0 {
			page = app.Page{Query: query, Runs: []app.ProcessRun{}}
		} else if page, err = b.readPage(ctx, from, query); err != nil {
			return err
		}
		page.Overview = overview
		return nil
	})
	return page, err
}

// Runs implements app.Store.
func (b *Board) Runs(ctx context.Context, filter app.Filter, before int64, limit int) (runs []app.ProcessRun, next int64, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		l, err := b.newList(ctx, from, filter)
		if err != nil {
			return err
		}
		runs, next, err = l.runs(ctx, l.within(Span{Before: before}), false, limit)
		return err
	})
	if len(runs) == limit {
		next = runs[limit-1].ID
	}
	return runs, next, err
}

// ChosenRuns returns the query for runs by id, newest first. Its argument is the JSONArray of the ids.
func (d Dialect) ChosenRuns() string {
	return "SELECT " + Columns + " FROM process_runs WHERE id IN " + d.Numbers + " ORDER BY id DESC"
}

// RunsByID implements app.Store.
func (b *Board) RunsByID(ctx context.Context, ids []int64) (runs []app.ProcessRun, err error) {
	list, err := JSONArray(ids)
	if err != nil {
		return nil, err
	}
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		runs, err = ReadRuns(ctx, from, b.ChosenRuns(), list)
		return err
	})
	return runs, err
}

// readPage reads one page of a list. It starts at the cursor, so that a page deep in the list costs no more
// than the first one. It reads one run more than a page holds, to learn whether there is another page.
func (b *Board) readPage(ctx context.Context, from Reader, query app.Query) (page app.Page, err error) {
	l, err := b.newList(ctx, from, query.Filter)
	if err != nil {
		return page, err
	}
	page.Query = query
	if page.Failure, err = b.readFailure(ctx, from, query.Failure); err != nil {
		return page, err
	}
	onwards := l.all
	switch query.Direction {
	case app.Before:
		onwards.Before = min(onwards.Before, query.Cursor)
	case app.After:
		onwards.After = max(onwards.After, query.Cursor)
	}
	if page.Runs, page.SearchCursor, err = l.runs(ctx, onwards, query.Direction == app.After, app.PageSize+1); err != nil {
		return page, err
	}
	more := len(page.Runs) > app.PageSize || page.SearchCursor > 0
	page.Runs = page.Runs[:min(len(page.Runs), app.PageSize)]
	switch query.Direction {
	case app.Latest:
		page.HasOlder = more
	case app.Before:
		page.HasOlder = more
		page.HasNewer, err = l.any(ctx, l.within(Span{After: query.Cursor - 1, Before: math.MaxInt64}))
	case app.After:
		slices.Reverse(page.Runs)
		page.HasNewer = more
		page.HasOlder, err = l.any(ctx, l.within(Span{After: 0, Before: beyond(query.Cursor)}))
	}
	if err == nil && !query.StatusOnly() {
		page.MatchCount, page.MatchCountCapped, err = l.count(ctx, app.CountedMatches)
	}
	return page, err
}

// list is the runs that match a filter, within one read transaction.
type list struct {
	Texts
	from     Reader
	sections []Section
	indexed  []Section        // sections without the conditions of require: each is one range of an index
	place    string           // Dialect.Place
	terms    []Term           // words of the search; empty without one
	searched int64            // Board.Searched, or its default
	counted  map[string]int64 // index rows by search expression, see lookUp
	all      Span             // range of ids that can match the filter
}

// newList returns the list of the runs that match a filter, optionally only those in some statuses. It fails
// with CodeMalformed if the text contains no words.
func (b *Board) newList(ctx context.Context, from Reader, filter app.Filter, only ...app.Status) (l *list, err error) {
	if filter, err = b.kindless(ctx, from, filter); err != nil {
		return nil, err
	}
	sections := b.SectionsOf(filter, only...)
	l = &list{
		Texts: b.Texts, from: from, sections: sections, indexed: slices.Clone(sections), place: b.Place,
		searched: cmp.Or(b.Searched, Searched), counted: map[string]int64{}, all: everywhere,
	}
	if filter.Text != "" {
		if l.terms, err = b.parseTerms(filter.Text); err != nil {
			return nil, err
		}
	}
	return l, l.limit(ctx, b, filter)
}

// limit restricts the list to runs created within the times of the filter. The times of each run are checked,
// and the ids only narrow the range: creation times do not always rise with ids, because clocks are set back
// and differ between nodes.
func (l *list) limit(ctx context.Context, b *Board, filter app.Filter) error {
	if filter.Since.IsZero() && filter.Until.IsZero() {
		return nil
	}
	slack, known, err := b.Clock.slack(ctx, l.from)
	if err != nil {
		return err
	}
	if !filter.Since.IsZero() {
		since := filter.Since.Time(b.Now()).UnixMilli()
		l.require("created_at >= ?", since)
		if known {
			first, err := l.firstSince(ctx, since-slack)
			if err != nil {
				return err
			}
			l.all.After = first - 1
		}
	}
	if !filter.Until.IsZero() {
		until := filter.Until.Time(b.Now()).UnixMilli()
		l.require("created_at < ?", until)
		if known {
			l.all.Before, err = l.firstSince(ctx, until+slack)
		}
	}
	return err
}

// require adds a condition to all sections.
func (l *list) require(condition string, args ...any) {
	for i := range l.sections {
		l.sections[i] = l.sections[i].and(condition, args...)
	}
}

// kindless drops the kind of a filter that also has a failure, because all runs of a failure are of one kind.
// If the kinds differ, the filter it returns matches no run.
func (b *Board) kindless(ctx context.Context, from Reader, filter app.Filter) (app.Filter, error) {
	if filter.Failure == 0 || filter.Kind == "" {
		return filter, nil
	}
	failure, err := b.readFailure(ctx, from, filter.Failure)
	if failure.Kind != filter.Kind {
		filter.Failure = math.MaxInt64
	}
	filter.Kind = ""
	return filter, err
}

// firstSince returns an id whose run was created at or after a time in milliseconds, while the run before it
// was created earlier. It is a binary search by id: a few dozen reads, whatever the number of runs, and no
// index on times.
func (l *list) firstSince(ctx context.Context, millis int64) (int64, error) {
	var low, high int64 = 1, 1
	if err := Get(ctx, l.from, &high, "SELECT coalesce(max(id), 0) + 1 FROM process_runs"); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		var next struct {
			ID        int64 `db:"id"`
			CreatedAt int64 `db:"created_at"`
		}
		if err := Get(ctx, l.from, &next, "SELECT id, created_at FROM process_runs WHERE id >= ? ORDER BY id LIMIT 1", middle); err != nil {
			return 0, err
		}
		if next.CreatedAt >= millis {
			high = middle
		} else {
			low = next.ID + 1
		}
	}
	return high, nil
}

// within returns the part of a span that can match the filter.
func (l *list) within(s Span) Span {
	return Span{After: max(s.After, l.all.After), Before: min(s.Before, l.all.Before)}
}

// searching reports whether the list has a text search.
func (l *list) searching() bool { return len(l.terms) > 0 }

// runs returns at most limit runs of a span, from its lower end if ascending, else from its upper end. For
// searchedTo see search.
func (l *list) runs(ctx context.Context, in Span, ascending bool, limit int) (runs []app.ProcessRun, searchedTo int64, err error) {
	runs = []app.ProcessRun{}
	if l.searching() {
		return l.search(ctx, in, ascending, limit)
	}
	for _, section := range l.sections {
		some, err := ReadRuns(ctx, l.from, section.RunsText(ascending), section.With(in, limit)...)
		if err != nil {
			return nil, 0, err
		}
		runs = append(runs, some...)
	}
	if len(l.sections) > 1 {
		slices.SortFunc(runs, func(a, b app.ProcessRun) int {
			if ascending {
				return cmp.Compare(a.ID, b.ID)
			}
			return cmp.Compare(b.ID, a.ID)
		})
	}
	return runs[:min(len(runs), limit)], 0, nil
}

// any reports whether a span contains a run. A search that stops early counts as one.
func (l *list) any(ctx context.Context, in Span) (found bool, err error) {
	if l.searching() {
		runs, searchedTo, err := l.search(ctx, in, false, 1)
		return len(runs) > 0 || searchedTo > 0, err
	}
	for _, section := range l.sections {
		if err := Get(ctx, l.from, &found, section.AnyText(), section.With(in)...); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// count returns the number of matching runs, at most limit, and whether there are more. A search counts only
// the matches within a tenth of its usual effort.
func (l *list) count(ctx context.Context, limit int) (n int, more bool, err error) {
	if l.searching() {
		counts, more, err := l.countFound(ctx, l.searched/10)
		n = int(counts.Total())
		return min(n, limit), more || n > limit, err
	}
	for _, section := range l.sections {
		var some int
		if err := Get(ctx, l.from, &some, section.CountText(), section.With(l.all, limit+1-n)...); err != nil {
			return 0, false, err
		}
		n += some
	}
	return min(n, limit), n > limit, nil
}
