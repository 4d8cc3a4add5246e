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

// ChosenRuns reads those runs that are among some.
func (d Dialect) ChosenRuns() string {
	return "SELECT " + Columns + " FROM process_runs WHERE id IN " + d.Numbers + " ORDER BY id DESC"
}

// Chosen implements app.Store.
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

// readPage goes from a known id in one direction, so that a page deep in the list costs what the
// first one does. It asks for one run more than it shows, to learn whether the list goes on.
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

// list is the runs that a filter finds, as they are in one transaction.
type list struct {
	Texts
	from     Reader
	sections []Section
	indexed  []Section        // the same without further conditions: their runs stand together
	place    string           // see Dialect
	terms    []Term           // of the search, or none
	searched int64            // see Board
	counted  map[string]int64 // how many rows of the index have what was asked for
	all      Span             // the ids that the filter's runs can have
}

// newList returns the list of all runs that a filter finds, or of those in some statuses.
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

// limit leaves only the runs that were created between the times of a filter. Each run is checked. Where the ids of
// these runs are is only narrowed: a clock that is set back, or two that differ, give times that do not rise with ids.
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

// require leaves only the runs that meet a condition.
func (l *list) require(condition string, args ...any) {
	for i := range l.sections {
		l.sections[i] = l.sections[i].and(condition, args...)
	}
}

// kindless is a filter without its kind where that says nothing new: runs that failed alike are all of one kind. When
// another one is asked for, it asks for a failure that nobody has.
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

// firstSince returns an id whose run was created at a time or later, while the run before it was created earlier. It
// takes a few dozen looks among any number of runs, without an index.
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

// within is the part of a span that the filter allows.
func (l *list) within(s Span) Span {
	return Span{After: max(s.After, l.all.After), Before: min(s.Before, l.all.Before)}
}

// searching reports whether the texts of runs are looked through, and not the runs.
func (l *list) searching() bool { return len(l.terms) > 0 }

// runs returns the first limit runs of a span, from either end of it. For searchedTo see search.
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

// any reports whether there is a run in a span.
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

// count returns how many runs the filter finds, up to a limit, and whether there are more. Of a search it counts
// those among the matches that are looked at.
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
