package query

import (
	"fmt"
	"math"
	"strings"

	"runboard/app"
)

const (
	firstPart = 100  // runs of the first part of an intersection
	maxPart   = 4000 // the largest number of runs of a part
)

// intersection walks through the runs that are in all sets of a list. Each part is as long as the set with
// the fewest runs there allows, and only the runs of this set are looked up. So one part is enough for the
// matches of a rare value among any number of others, and a few if all conditions match frequently. If
// frequent values rarely meet, the walk stops at its limit.
type intersection struct {
	progress
	size int64       // runs of the next part
	from []IndexScan // the set with the fewest runs in the part
}

// next implements walk.
func (w *intersection) next() bool {
	if w.err != nil || len(w.indexed) == 0 || w.left.After >= w.left.Before-1 {
		return false
	}
	if w.limit <= 0 {
		w.stopped = true
		return false
	}
	var end int64
	w.from = nil
	for _, set := range w.sets() {
		if set[0].where == "" { // all runs
			continue
		}
		last := w.last(set)
		if w.from == nil || w.follows(last, end) {
			w.from, end = set, last
		}
	}
	w.limit -= w.size
	w.size = min(2*w.size, maxPart)
	w.part = w.left
	if w.ascending {
		w.left.After = end
		w.part.Before = end + 1
	} else {
		w.left.Before = end
		w.part.After = end - 1
	}
	return true
}

// last returns the id up to which the unsearched runs have at most w.size runs in each scan of a set.
func (w *intersection) last(set []IndexScan) int64 {
	last := w.left.After + 1
	if w.ascending {
		last = w.left.Before - 1
	}
	for _, scan := range set {
		var id int64
		nth := scan.selectSQL(scan.sortKey, w.ascending) + " OFFSET ?"
		if !w.get(&id, nth, scan.Args(w.left, 1, w.size-1)...) {
			continue // it has fewer runs
		}
		w.limit -= w.size
		if w.follows(last, id) {
			last = id
		}
	}
	return last
}

// follows reports whether a comes after b in the direction of the walk.
func (w *intersection) follows(a, b int64) bool {
	if w.ascending {
		return a > b
	}
	return a < b
}

// matches implements walk. The LIMIT, which excludes nothing, makes the database look up the runs by id
// before it applies the conditions: it might otherwise read all runs in a status.
func (w *intersection) matches() (from string, args []any) {
	ids := make([]string, len(w.from))
	for i, scan := range w.from {
		ids[i] = "SELECT * FROM (" + scan.selectSQL(scan.sortKey, w.ascending) + ") AS part"
		args = append(args, scan.Args(w.part, maxPart)...)
	}
	condition, more := w.anyScan()
	from = fmt.Sprintf("(SELECT %s FROM process_runs WHERE id IN (%s) LIMIT ?) AS process_runs WHERE %s",
		Columns, fmt.Sprintf(w.dialect.SearchFirst, strings.Join(ids, " UNION ALL ")), condition)
	args = append(args, int64(math.MaxInt64))
	return from, append(args, more...)
}

// scanInput returns the scans of an input with a value. Each run is in at most one of them.
func (d Dialect) scanInput(match app.InputMatch) (scans []IndexScan) {
	for _, key := range match.Keys() {
		scan := IndexScan{table: d.indexed("run_inputs", "run_inputs_by_value"), sortKey: d.InputSortKey}
		scans = append(scans, scan.and("name = ?", match.Name).and("match_key = ?", key))
	}
	return scans
}

// hasInput returns the condition that an input of a run has a value. It is no EXISTS, which PostgreSQL might
// turn into a join that reads all runs with the value.
func (d Dialect) hasInput(match app.InputMatch) (condition string, args []any) {
	keys := match.Keys()
	args = []any{match.Name}
	for _, key := range keys {
		args = append(args, key)
	}
	condition = fmt.Sprintf("(SELECT 1 FROM run_inputs WHERE %s = process_runs.id AND name = ? "+
		"AND match_key IN (?%s) LIMIT 1) IS NOT NULL", d.InputSortKey, strings.Repeat(", ?", len(keys)-1))
	return condition, args
}
