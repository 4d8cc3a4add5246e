package db

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// Page implements app.Store.
func (s *Store) Page(ctx context.Context, query app.Query) (page app.Page, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		overview, err := s.readOverview(ctx, tx)
		if err != nil {
			return err
		}
		if query.Filtered && overview.Counts[query.Status] == 0 {
			page = app.Page{Query: query, Runs: []app.ProcessRun{}}
		} else if page, err = s.readPage(ctx, tx, query); err != nil {
			return err
		}
		page.Overview = overview
		return nil
	})
	return page, err
}

// Runs implements app.Store.
func (s *Store) Runs(ctx context.Context, filter app.Filter, before int64, limit int) (runs []app.ProcessRun, next int64, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		l, err := s.newList(ctx, tx, filter)
		if err != nil {
			return err
		}
		runs, next, err = l.runs(ctx, l.within(span{before: before}), false, limit)
		return err
	})
	if len(runs) == limit {
		next = runs[limit-1].ID
	}
	return runs, next, err
}

const chosenRuns = "SELECT " + columns + " FROM process_runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC"

// Chosen implements app.Store.
func (s *Store) Chosen(ctx context.Context, ids []int64) (runs []app.ProcessRun, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		runs, err = readRuns(ctx, tx, chosenRuns, string(list))
		return err
	})
	return runs, err
}

// readPage goes from a known id in one direction, so that a page deep in the list costs what the
// first one does. It asks for one run more than it shows, to learn whether the list goes on.
func (s *Store) readPage(ctx context.Context, tx *sqlx.Tx, query app.Query) (page app.Page, err error) {
	l, err := s.newList(ctx, tx, query.Filter)
	if err != nil {
		return page, err
	}
	page.Query = query
	if page.Failure, err = readFailure(ctx, tx, query.Failure); err != nil {
		return page, err
	}
	onwards := l.within(span{after: l.all.after, before: l.all.before})
	switch query.Turn {
	case app.Before:
		onwards.before = min(onwards.before, query.Cursor)
	case app.After:
		onwards.after = max(onwards.after, query.Cursor)
	}
	if page.Runs, page.SearchedTo, err = l.runs(ctx, onwards, query.Turn == app.After, app.PageSize+1); err != nil {
		return page, err
	}
	more := len(page.Runs) > app.PageSize || page.SearchedTo > 0
	page.Runs = page.Runs[:min(len(page.Runs), app.PageSize)]
	switch query.Turn {
	case app.Newest:
		page.HasOlder = more
	case app.Before:
		page.HasOlder = more
		page.HasNewer, err = l.any(ctx, l.within(span{after: query.Cursor - 1, before: math.MaxInt64}))
	case app.After:
		slices.Reverse(page.Runs)
		page.HasNewer = more
		page.HasOlder, err = l.any(ctx, l.within(span{after: 0, before: beyond(query.Cursor)}))
	}
	if err == nil && !query.Plain() {
		page.Matches, page.More, err = l.count(ctx, app.CountedMatches)
	}
	return page, err
}

// beyond is the next id.
func beyond(id int64) int64 {
	if id == math.MaxInt64 {
		return id
	}
	return id + 1
}

// span is the ids between two.
type span struct{ after, before int64 }

// list is the runs that a filter finds, as they are in one transaction.
type list struct {
	tx       *sqlx.Tx
	sections []section
	match    string // of the search, or ""
	all      span   // the ids that the times of the filter allow
}

// section is a part of the table in which runs stand in the order of their ids, by the table itself or by an index.
type section struct {
	from  string // the table, and the index where SQLite would choose another one
	where string // with an AND at its end
	args  []any
}

const (
	runsTable  = "process_runs"
	runsByKind = "process_runs INDEXED BY process_runs_by_kind"

	runsByFailure = "process_runs INDEXED BY process_runs_by_failure"
)

// inStatus are the conditions for each status, as the index by status needs them.
var inStatus = [app.StatusCount]string{
	app.Created:   "status = 0 AND ",
	app.Started:   "status = 1 AND ",
	app.Completed: "status = 2 AND ",
	app.Failed:    "status = 3 AND ",
	app.Cancelled: "status = 4 AND ",
}

// sectionsOf are those that a filter looks into, one for each status if it does not want all, or only runs of a kind.
// Of the statuses only some may be wanted.
func sectionsOf(filter app.Filter, only ...app.Status) (sections []section) {
	if filter.Kind == "" && filter.Failure == 0 && !filter.Filtered && len(only) == 0 {
		return []section{{from: runsTable}}
	}
	for _, status := range app.Statuses() {
		switch {
		case filter.Filtered && status != filter.Status || len(only) > 0 && !slices.Contains(only, status):
		case filter.Failure > 0 && status != app.Failed: // no such run has failed
		case filter.Failure > 0:
			sections = append(sections, ofFailure(filter.Failure))
		case filter.Kind == "":
			sections = append(sections, section{from: runsTable, where: inStatus[status]})
		default:
			sections = append(sections, section{from: runsByKind, where: "kind = ? AND " + inStatus[status], args: []any{filter.Kind}})
		}
	}
	return sections
}

// ofFailure are the runs that failed alike.
func ofFailure(failure int64) section {
	return section{from: runsByFailure, where: "failure > 0 AND failure = ? AND ", args: []any{failure}}
}

// kindless is a filter without its kind where that says nothing new: runs that failed alike are all of one kind. When
// another one is asked for, it asks for a failure that nobody has.
func kindless(ctx context.Context, tx *sqlx.Tx, filter app.Filter) (app.Filter, error) {
	if filter.Failure == 0 || filter.Kind == "" {
		return filter, nil
	}
	failure, err := readFailure(ctx, tx, filter.Failure)
	if failure.Kind != filter.Kind {
		filter.Failure = math.MaxInt64
	}
	filter.Kind = ""
	return filter, err
}

// newList returns the list of all runs that a filter finds, or of those in some statuses.
func (s *Store) newList(ctx context.Context, tx *sqlx.Tx, filter app.Filter, only ...app.Status) (l *list, err error) {
	if filter, err = kindless(ctx, tx, filter); err != nil {
		return nil, err
	}
	l = &list{tx: tx, sections: sectionsOf(filter, only...), all: span{after: 0, before: math.MaxInt64}}
	if filter.Text != "" {
		if !s.options.searchable {
			return nil, app.Errorf(app.CodeInvalid, "This server cannot search in texts: it was built without SQLite's FTS5.")
		}
		if l.match, err = matchOf(ctx, tx, filter.Text); err != nil {
			return nil, err
		}
	}
	now := s.options.Now()
	if !filter.Since.IsZero() {
		first, err := l.firstSince(ctx, filter.Since.Time(now).UnixMilli())
		if err != nil {
			return nil, err
		}
		l.all.after = first - 1
	}
	if !filter.Until.IsZero() {
		if l.all.before, err = l.firstSince(ctx, filter.Until.Time(now).UnixMilli()); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// firstSince is the first id that a run could have that was created at a time or later: ids and times rise
// together, so a few dozen looks find it among any number of runs, without an index.
func (l *list) firstSince(ctx context.Context, millis int64) (int64, error) {
	var low, high int64 = 1, 1
	if err := l.tx.GetContext(ctx, &high, "SELECT ifnull(max(id), 0) + 1 FROM process_runs"); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		var next struct {
			ID        int64 `db:"id"`
			CreatedAt int64 `db:"created_at"`
		}
		if err := l.tx.GetContext(ctx, &next, "SELECT id, created_at FROM process_runs WHERE id >= ? ORDER BY id LIMIT 1", middle); err != nil {
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
func (l *list) within(s span) span {
	return span{after: max(s.after, l.all.after), before: min(s.before, l.all.before)}
}

const between = "id > ? AND id < ?"

func runsText(s section, ascending bool) string {
	order := "DESC"
	if ascending {
		order = "ASC"
	}
	return "SELECT " + columns + " FROM " + s.from + " WHERE " + s.where + between + " ORDER BY id " + order + " LIMIT ?"
}

func anyText(s section) string {
	return "SELECT EXISTS (SELECT 1 FROM " + s.from + " WHERE " + s.where + between + ")"
}

func countText(s section) string {
	return "SELECT COUNT(*) FROM (SELECT 1 FROM " + s.from + " WHERE " + s.where + between + " LIMIT ?)"
}

// with are the arguments of a section's texts.
func (s section) with(more ...any) []any { return append(slices.Clone(s.args), more...) }

// runs returns the first limit runs of a span, from either end of it. For searchedTo see search.
func (l *list) runs(ctx context.Context, in span, ascending bool, limit int) (runs []app.ProcessRun, searchedTo int64, err error) {
	runs = []app.ProcessRun{}
	if l.match != "" && len(l.sections) > 0 {
		return l.search(ctx, in, ascending, limit)
	}
	for _, section := range l.sections {
		some, err := readRuns(ctx, l.tx, runsText(section, ascending), section.with(in.after, in.before, limit)...)
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
func (l *list) any(ctx context.Context, in span) (found bool, err error) {
	if l.match != "" && len(l.sections) > 0 {
		runs, searchedTo, err := l.search(ctx, in, false, 1)
		return len(runs) > 0 || searchedTo > 0, err
	}
	for _, section := range l.sections {
		if err := l.tx.GetContext(ctx, &found, anyText(section), section.with(in.after, in.before)...); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// count returns how many runs the filter finds, up to a limit, and whether there are more. Of a search it counts
// those among the matches that are looked at.
func (l *list) count(ctx context.Context, limit int) (n int, more bool, err error) {
	if l.match != "" && len(l.sections) > 0 {
		return l.countSearch(ctx, searched*max(1, limit/app.CountedMatches))
	}
	for _, section := range l.sections {
		var some int
		args := section.with(l.all.after, l.all.before, limit+1-n)
		if err := l.tx.GetContext(ctx, &some, countText(section), args...); err != nil {
			return 0, false, err
		}
		n += some
	}
	return min(n, limit), n > limit, nil
}
