package query

import (
	"math"
	"slices"

	"runboard/app"
)

// Span is the ids above After and below Before.
type Span struct{ After, Before int64 }

// everywhere contains all ids.
var everywhere = Span{After: 0, Before: math.MaxInt64}

// beyond returns id+1, or id if that would overflow.
func beyond(id int64) int64 {
	if id == math.MaxInt64 {
		return id
	}
	return id + 1
}

// Section is a range of the table or of an index in which runs are sorted by id.
type Section struct {
	from  string // table, with a hint if the database would choose another index
	where string // condition on the first columns of the index; ends with AND
	args  []any
	place string // column with the run id, by which the range is sorted
}

// within returns the condition that a run is in the section and in a span.
func (s Section) within() string { return s.where + s.place + " > ? AND " + s.place + " < ?" }

// and returns the section with a further condition.
func (s Section) and(condition string, args ...any) Section {
	s.where += condition + " AND "
	s.args = append(slices.Clone(s.args), args...)
	return s
}

// With returns the arguments of a query of the section: its own, the span, and more.
func (s Section) With(in Span, more ...any) []any {
	return append(append(slices.Clone(s.args), in.After, in.Before), more...)
}

func direction(ascending bool) string {
	if ascending {
		return "ASC"
	}
	return "DESC"
}

// RunsText returns the query for the first runs of a span. Its arguments are With the limit.
func (s Section) RunsText(ascending bool) string { return s.text(Columns, ascending) }

func (s Section) text(columns string, ascending bool) string {
	return "SELECT " + columns + " FROM " + s.from + " WHERE " + s.within() + " ORDER BY " + s.place + " " + direction(ascending) + " LIMIT ?"
}

// AnyText returns the query for whether a span contains a run. Its arguments are With.
func (s Section) AnyText() string {
	return "SELECT EXISTS (SELECT 1 FROM " + s.from + " WHERE " + s.within() + ")"
}

// CountText returns the query for the number of runs of a span, up to a limit. Its arguments are With the
// limit.
func (s Section) CountText() string {
	return "SELECT COUNT(*) FROM (SELECT 1 FROM " + s.from + " WHERE " + s.within() + " LIMIT ?) AS counted"
}

const runsTable = "process_runs"

// statusIs holds the condition for each status. The number is a literal, so that the database knows it when
// it plans.
var statusIs = [app.StatusCount]string{
	app.Created:   "status = 0 AND ",
	app.Started:   "status = 1 AND ",
	app.Completed: "status = 2 AND ",
	app.Failed:    "status = 3 AND ",
	app.Cancelled: "status = 4 AND ",
}

// SectionsOf returns the sections that contain the runs of a filter. There is one for each status, unless the
// filter matches all runs. only restricts the statuses.
func (d Dialect) SectionsOf(filter app.Filter, only ...app.Status) (sections []Section) {
	if filter.Kind == "" && filter.Failure == 0 && !filter.Filtered && len(only) == 0 {
		return []Section{{from: runsTable, place: "id"}}
	}
	for _, status := range app.Statuses() {
		switch {
		case filter.Filtered && status != filter.Status || len(only) > 0 && !slices.Contains(only, status):
		case filter.Failure > 0 && status != app.Failed: // only failed runs have a failure
		case filter.Failure > 0:
			sections = append(sections, d.ofFailure(filter.Failure))
		case filter.Kind == "":
			sections = append(sections, d.inStatus(status))
		default:
			sections = append(sections, d.ofKind(filter.Kind, status))
		}
	}
	return sections
}

// inStatus returns the section of a status. It needs no hint: every database chooses its index.
func (d Dialect) inStatus(status app.Status) Section {
	return Section{from: runsTable, where: statusIs[status], place: d.Place}
}

// ofKind returns the section of a kind in a status.
func (d Dialect) ofKind(kind string, status app.Status) Section {
	return Section{from: runsTable + d.Indexed("process_runs_by_kind"), where: "kind = ? AND " + statusIs[status], args: []any{kind}, place: d.Place}
}

// ofFailure returns the section of a failure. The first condition repeats that of the partial index.
func (d Dialect) ofFailure(failure int64) Section {
	return Section{from: runsTable + d.Indexed("process_runs_by_failure"), where: "failure > 0 AND failure = ? AND ", args: []any{failure}, place: d.Place}
}
