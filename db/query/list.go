package query

import (
	"cmp"
	"context"
	"math"
	"slices"

	"runboard/app"
)

// Runs implements app.Store.
func (r *Reader) Runs(ctx context.Context, filter app.Filter, before int64, limit int) (
	runs []app.ProcessRun, next int64, err error,
) {
	err = r.read(forLong(ctx), func(s *snapshot) {
		runs, next = s.list(filter).runs(IDRange{Before: before}, false, limit)
		filled := s.fillSome(runs)
		if n := len(filled); n > 0 && (n == limit || n < len(runs)) {
			next = filled[n-1].ID
		}
		runs = filled
	})
	return runs, next, err
}

// forFilter returns a context for the read of a list with a filter: searches take long.
func forFilter(ctx context.Context, filter app.Filter) context.Context {
	if filter.Text != "" || !filter.Inputs.IsZero() {
		return forLong(ctx)
	}
	return ctx
}

// Neighbours implements app.Store.
func (r *Reader) Neighbours(
	ctx context.Context, filter app.Filter, run int64,
) (found app.Neighbours, err error) {
	err = r.read(forFilter(ctx, filter), func(s *snapshot) {
		l := s.list(filter)
		if older, _ := l.runs(IDRange{Before: run}, false, 1); len(older) > 0 {
			found.Older = older[0].ID
		}
		if newer, _ := l.runs(IDRange{After: run, Before: math.MaxInt64}, true, 1); len(newer) > 0 {
			found.Newer = newer[0].ID
		}
	})
	return found, err
}

// RunsByIDSQL returns the query for runs by id, newest first. Its argument is the JSONArray of the ids.
func (d Dialect) RunsByIDSQL() string {
	return "SELECT " + Columns + " FROM process_runs WHERE id IN " + d.IntArray + " ORDER BY id DESC"
}

// RunsByID implements app.Store.
func (r *Reader) RunsByID(ctx context.Context, ids []int64) (runs []app.ProcessRun, err error) {
	err = r.read(ctx, func(s *snapshot) {
		runs = s.readRuns(r.dialect.RunsByIDSQL(), JSONArray(ids))
		s.fillInputs(runs)
		s.fillWaiting(runs)
		s.fillQueued(runs)
	})
	return runs, err
}

// list is the runs of a snapshot that match a filter.
type list struct {
	*snapshot
	scans   []IndexScan
	indexed []IndexScan      // scans without further conditions: each is one range of an index
	inputs  [][]IndexScan    // for each input of the filter, the scans of the runs that have the value
	limited bool             // whether there are conditions from require
	all     IDRange          // range of ids that can match the filter
	terms   []Term           // words of the search; empty without one
	counted map[string]int64 // index rows by search expression, see countRows
}

// list returns the list of the runs that match a filter, optionally only those in some statuses. It fails
// with CodeMalformed if the text contains no words.
func (s *snapshot) list(filter app.Filter, only ...app.Status) *list {
	filter = s.dropRedundantKind(filter)
	scans := s.dialect.Scans(filter, only...)
	l := &list{snapshot: s, scans: scans, indexed: slices.Clone(scans), all: allIDs}
	l.counted = map[string]int64{}
	if filter.Text != "" {
		s.fail(s.db.CheckSearch())
		terms, err := ParseTerms(filter.Text)
		s.fail(err)
		l.terms = terms
	}
	for _, match := range filter.Inputs.Matches() {
		condition, args := s.dialect.hasInput(match)
		l.restrict(condition, args...)
		l.inputs = append(l.inputs, s.dialect.scanInput(match))
	}
	l.limitTimes(filter)
	return l
}

// limitTimes restricts the list to runs created within the times of the filter. The times of each run are
// checked, and the ids only narrow the range: creation times do not always rise with ids, because clocks are
// set back and differ between nodes.
func (l *list) limitTimes(filter app.Filter) {
	if filter.Since.IsZero() && filter.Until.IsZero() {
		return
	}
	slack, known := l.skew.slack(l.snapshot)
	if !filter.Since.IsZero() {
		since := filter.Since.Time(l.db.Now()).UnixMilli()
		l.require("created_at >= ?", since)
		if known {
			l.all.After = l.firstIDSince(wholeSecond(since-slack)) - 1
		}
	}
	if !filter.Until.IsZero() {
		until := filter.Until.Time(l.db.Now()).UnixMilli()
		l.require("created_at < ?", until)
		if known {
			l.all.Before = l.firstIDSince(wholeSecond(until + slack + 999))
		}
	}
}

// wholeSecond rounds a time in milliseconds down, so that the lists of a page, which are made one after the
// other, ask firstIDSince for the same times.
func wholeSecond(millis int64) int64 { return millis - millis%1000 }

// require adds a condition to all scans that the fields of the list do not imply.
func (l *list) require(condition string, args ...any) {
	l.limited = true
	l.restrict(condition, args...)
}

// restrict adds a condition to all scans.
func (l *list) restrict(condition string, args ...any) {
	for i := range l.scans {
		l.scans[i] = l.scans[i].and(condition, args...)
	}
}

// dropRedundantKind drops the kind of a filter that also has a failure, because all runs of a failure are of
// one kind. If the kinds differ, the filter it returns matches no run.
func (s *snapshot) dropRedundantKind(filter app.Filter) app.Filter {
	if filter.Failure == 0 || filter.Kind == "" {
		return filter
	}
	if s.failure(filter.Failure).Kind != filter.Kind {
		filter.Failure = math.MaxInt64
	}
	filter.Kind = ""
	return filter
}

// firstIDSince returns an id whose run was created at or after a time in milliseconds, while the run before
// it was created earlier. It is a binary search by id: a few dozen reads, whatever the number of runs, and no
// index on times.
func (s *snapshot) firstIDSince(millis int64) int64 {
	if id, known := s.firstIDs[millis]; known {
		return id
	}
	low, high := int64(1), s.newestID()+1
	for low < high {
		middle := low + (high-low)/2
		var run struct {
			ID        int64 `db:"id"`
			CreatedAt int64 `db:"created_at"`
		}
		if !s.get(&run, "SELECT id, created_at FROM process_runs WHERE id >= ? ORDER BY id LIMIT 1", middle) {
			break // only after an error
		}
		if run.CreatedAt >= millis {
			high = middle
		} else {
			low = run.ID + 1
		}
	}
	s.firstIDs[millis] = high
	return high
}

// newestID returns the highest id of a run, or 0.
func (s *snapshot) newestID() (id int64) {
	s.get(&id, "SELECT coalesce(max(id), 0) FROM process_runs")
	return id
}

// within returns the part of a range that can match the filter.
func (l *list) within(r IDRange) IDRange {
	return IDRange{After: max(r.After, l.all.After), Before: min(r.Before, l.all.Before)}
}

// runs returns at most limit runs of a range, from its lower end if ascending, else from its upper end. For
// cursor see found.
func (l *list) runs(in IDRange, ascending bool, limit int) (runs []app.ProcessRun, cursor int64) {
	in = l.within(in)
	if l.walks() {
		return l.found(in, ascending, limit)
	}
	runs = []app.ProcessRun{}
	for _, scan := range l.scans {
		runs = append(runs, l.readRuns(scan.RunsSQL(ascending), scan.Args(in, limit)...)...)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int {
		if ascending {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Compare(b.ID, a.ID)
	})
	return runs[:min(len(runs), limit)], 0
}

// any reports whether a range contains a run. A search that stops early counts as one.
func (l *list) any(in IDRange) bool {
	in = l.within(in)
	if l.walks() {
		runs, cursor := l.found(in, false, 1)
		return len(runs) > 0 || cursor > 0
	}
	for _, scan := range l.scans {
		var id int64
		if l.get(&id, scan.IDsSQL(false), scan.Args(in, 1)...) {
			return true
		}
	}
	return false
}

// count returns the number of matching runs, at most limit, and whether there are more. A search for text
// counts only the matches within a tenth of its usual effort.
func (l *list) count(limit int) (n int, more bool) {
	scans := l.scans
	switch {
	case l.hasOneInput():
		scans = l.inputs[0]
	case l.walks():
		effort := l.searchLimit
		if len(l.terms) > 0 {
			effort /= 10
		}
		counts, more := l.countFound(effort, int64(limit))
		n = int(counts.Total())
		return min(n, limit), more || n > limit
	}
	for _, scan := range scans {
		var some int
		l.get(&some, scan.CountSQL(), scan.Args(l.all, limit+1-n)...)
		n += some
	}
	return min(n, limit), n > limit
}

// hasOneInput reports whether the value of one input is the only condition of the list.
func (l *list) hasOneInput() bool {
	all := len(l.indexed) == 1 && l.indexed[0].where == ""
	return all && len(l.inputs) == 1 && len(l.terms) == 0 && !l.limited
}
