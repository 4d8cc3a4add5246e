package query

import (
	"fmt"
	"strings"

	"runboard/app"
)

// walk goes through the runs of a list part by part, and ends when it has looked at too much. It is for
// filters whose matches are in no single range of an index: a plain query would read all runs if matches are
// rare.
type walk interface {
	// next moves to the next part in which there may be matches. It returns false at the end, and at the
	// limit.
	next() bool
	// matches returns the table and the condition of a query for the matches in the part, and its arguments.
	matches() (from string, args []any)
	// cursor returns the id to continue from if the walk has stopped at its limit, else 0.
	cursor() int64
}

// progress is how far a walk has come.
type progress struct {
	*list
	ascending bool
	left      IDRange // ids that are not searched yet
	limit     int64   // number of index rows that the walk may still look at
	stopped   bool    // whether the limit ended it
	part      IDRange // ids of the current part
}

// cursor implements walk.
func (p *progress) cursor() int64 {
	switch {
	case !p.stopped:
		return 0
	case p.ascending:
		return p.left.After
	}
	return p.left.Before
}

// stopAt ends the walk before a run.
func (p *progress) stopAt(run int64) {
	p.stopped = true
	if p.ascending {
		p.left.After = run - 1
	} else {
		p.left.Before = after(run)
	}
}

// walks reports whether the matches of the list are found by a walk.
func (l *list) walks() bool { return len(l.terms) > 0 || len(l.inputs) > 0 }

// walk returns a walk through the runs of a range that looks at about limit index rows.
func (l *list) walk(in IDRange, ascending bool, limit int64) walk {
	progress := progress{list: l, left: in, ascending: ascending, limit: limit}
	if len(l.terms) > 0 {
		return &search{progress: progress, size: 1}
	}
	return &intersection{progress: progress, size: firstPart}
}

// found returns the first limit matches of a range. It stops early if it has looked at too many index rows:
// cursor is then the id to continue from, and 0 otherwise.
func (l *list) found(in IDRange, ascending bool, limit int) (runs []app.ProcessRun, cursor int64) {
	runs = []app.ProcessRun{}
	w := l.walk(in, ascending, l.searchLimit)
	for len(runs) < limit {
		if !w.next() {
			return runs, w.cursor()
		}
		from, args := w.matches()
		statement := fmt.Sprintf("SELECT %s FROM %s ORDER BY id %s LIMIT ?",
			Columns, from, direction(ascending))
		runs = append(runs, l.readRuns(statement, append(args, limit-len(runs))...)...)
	}
	return runs, 0
}

// countFound counts the matches by status until it has looked at about limit index rows, or found enough of
// them. more reports whether there may be others.
func (l *list) countFound(limit, enough int64) (counts app.Counts, more bool) {
	w := l.walk(l.all, false, limit)
	for counts.Total() <= enough {
		if !w.next() {
			return counts, w.cursor() > 0
		}
		from, args := w.matches()
		statement := "SELECT status, COUNT(*) AS n FROM " + from + " GROUP BY status"
		for status, n := range l.countBy(statement, args...) {
			counts[status] += n
		}
	}
	return counts, true
}

// sets returns sets of runs, each sorted by id in some index scans. All matches are in every set.
func (l *list) sets() [][]IndexScan { return append([][]IndexScan{l.indexed}, l.inputs...) }

// anyScan returns the condition that a run matches the filter, apart from the text. It joins the conditions
// of all scans with OR. That is cheap for runs that are looked up by id.
func (l *list) anyScan() (condition string, args []any) {
	scans := make([]string, len(l.scans))
	for i, scan := range l.scans {
		scans[i] = scan.where + "TRUE"
		args = append(args, scan.args...)
	}
	return "(" + strings.Join(scans, " OR ") + ")", args
}
