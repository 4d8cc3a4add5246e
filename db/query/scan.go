package query

import (
	"fmt"
	"math"
	"slices"

	"runboard/app"
)

// IDRange is the ids above After and below Before.
type IDRange struct{ After, Before int64 }

// allIDs contains every id.
var allIDs = IDRange{After: 0, Before: math.MaxInt64}

// after returns the first id after another one, or the same id if that would overflow.
func after(id int64) int64 {
	if id == math.MaxInt64 {
		return id
	}
	return id + 1
}

// IndexScan is a part of the table or of an index in which runs are sorted by id.
type IndexScan struct {
	table   string // with a hint if the database would choose another index
	where   string // conditions on the first columns of the index; ends with AND
	args    []any
	sortKey string // column with the run id, by which the part is sorted
}

// and returns the scan with a further condition.
func (s IndexScan) and(condition string, args ...any) IndexScan {
	s.where += condition + " AND "
	s.args = append(slices.Clone(s.args), args...)
	return s
}

// Args returns the arguments of a query of the scan: its own, the range, and more.
func (s IndexScan) Args(in IDRange, more ...any) []any {
	return append(append(slices.Clone(s.args), in.After, in.Before), more...)
}

// RunsSQL returns the query for the first runs of a range. Its arguments are Args with the limit.
func (s IndexScan) RunsSQL(ascending bool) string { return s.selectSQL(Columns, ascending) }

// IDsSQL returns the query for the ids of the first runs of a range. Its arguments are Args with the limit.
func (s IndexScan) IDsSQL(ascending bool) string { return s.selectSQL("id", ascending) }

// CountSQL returns the query for the number of runs of a range, up to a limit. Its arguments are Args with
// the limit.
func (s IndexScan) CountSQL() string {
	return fmt.Sprintf("SELECT COUNT(*) FROM (%s) AS counted", s.selectSQL("1", false))
}

// selectSQL returns the query for columns of the first runs of a range. It is always ordered: without that,
// PostgreSQL reads all of another index if it expects to find enough runs early.
func (s IndexScan) selectSQL(columns string, ascending bool) string {
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s%s > ? AND %s < ? ORDER BY %s %s LIMIT ?",
		columns, s.table, s.where, s.sortKey, s.sortKey, s.sortKey, direction(ascending))
}

func direction(ascending bool) string {
	if ascending {
		return "ASC"
	}
	return "DESC"
}

const runsTable = "process_runs"

// Scans returns the scans that contain the runs of a filter. There is one for each status, unless the filter
// matches all runs. only restricts the statuses.
func (d Dialect) Scans(filter app.Filter, only ...app.Status) (scans []IndexScan) {
	if filter.Kind == "" && filter.Failure == 0 && !filter.Filtered && len(only) == 0 {
		return []IndexScan{{table: runsTable, sortKey: "id"}}
	}
	for _, status := range app.Statuses() {
		switch {
		case filter.Filtered && status != filter.Status:
		case len(only) > 0 && !slices.Contains(only, status):
		case filter.Failure > 0 && status != app.Failed: // only failed runs have a failure
		case filter.Failure > 0:
			scans = append(scans, d.scanFailure(filter.Failure))
		case filter.Kind == "":
			scans = append(scans, d.scanStatus(status))
		default:
			scans = append(scans, d.scanKind(filter.Kind, status))
		}
	}
	return scans
}

// scanStatus returns the scan of a status. It needs no hint: every database chooses its index. The status is
// part of the text, so that the database knows it when it plans.
func (d Dialect) scanStatus(status app.Status) IndexScan {
	return IndexScan{table: runsTable, sortKey: d.SortKey}.and(statusIs(status))
}

// scanKind returns the scan of a kind in a status.
func (d Dialect) scanKind(kind string, status app.Status) IndexScan {
	scan := IndexScan{table: d.runsBy("process_runs_by_kind"), sortKey: d.SortKey}
	return scan.and("kind = ?", kind).and(statusIs(status))
}

// scanKey returns the scan of the created runs of a kind with a concurrency key. It repeats the conditions of
// the partial index.
func (d Dialect) scanKey(kind, key string) IndexScan {
	scan := IndexScan{table: d.runsBy("process_runs_by_key"), sortKey: d.SortKey}
	return scan.and("concurrency_key <> ''").and("kind = ?", kind).and("concurrency_key = ?", key).
		and(statusIs(app.Created))
}

// scanFailure returns the scan of a failure. The first condition repeats that of the partial index.
func (d Dialect) scanFailure(failure int64) IndexScan {
	scan := IndexScan{table: d.runsBy("process_runs_by_failure"), sortKey: d.SortKey}
	return scan.and("failure > 0").and("failure = ?", failure)
}

func statusIs(status app.Status) string { return fmt.Sprintf("status = %d", status) }

// runsBy returns the table of runs with the hint to use an index.
func (d Dialect) runsBy(index string) string { return d.indexed(runsTable, index) }

// indexed returns a table with the hint to use an index.
func (d Dialect) indexed(table, index string) string {
	if d.IndexHint == "" {
		return table
	}
	return table + " " + d.IndexHint + " " + index
}
