package query

import (
	"math"
	"slices"

	"runboard/app"
)

// Span is the ids between two.
type Span struct{ After, Before int64 }

// everywhere is all ids.
var everywhere = Span{After: 0, Before: math.MaxInt64}

// beyond is the next id.
func beyond(id int64) int64 {
	if id == math.MaxInt64 {
		return id
	}
	return id + 1
}

// Section is a part of the table in which runs stand in the order of their ids: by the table itself, or by an index
// that begins with other columns.
type Section struct {
	from  string // the table, and the index where the database would choose another one
	where string // what the index begins with, with an AND at its end
	args  []any
	place string // the column by which runs stand there, with the id in it
}

// within is the condition that a run is in the section and between two ids.
func (s Section) within() string { return s.where + s.place + " > ? AND " + s.place + " < ?" }

// and is the section without the runs that do not meet a further condition.
func (s Section) and(condition string, args ...any) Section {
	s.where += condition + " AND "
	s.args = append(slices.Clone(s.args), args...)
	return s
}

// With are the arguments of a section's texts: for a span, and then more.
func (s Section) With(in Span, more ...any) []any {
	return append(append(slices.Clone(s.args), in.After, in.Before), more...)
}

func direction(ascending bool) string {
	if ascending {
		return "ASC"
	}
	return "DESC"
}

// RunsText reads the first runs of a span. Its arguments are With the limit.
func (s Section) RunsText(ascending bool) string { return s.text(Columns, ascending) }

func (s Section) text(columns string, ascending bool) string {
	return "SELECT " + columns + " FROM " + s.from + " WHERE " + s.within() + " ORDER BY " + s.place + " " + direction(ascending) + " LIMIT ?"
}

// AnyText asks whether there is a run in a span. Its arguments are With.
func (s Section) AnyText() string {
	return "SELECT EXISTS (SELECT 1 FROM " + s.from + " WHERE " + s.within() + ")"
}

// CountText counts the runs of a span, up to a limit. Its arguments are With the limit.
func (s Section) CountText() string {
	return "SELECT COUNT(*) FROM (SELECT 1 FROM " + s.from + " WHERE " + s.within() + " LIMIT ?) AS counted"
}

const runsTable = "process_runs"

// statusIs are the conditions for each status: with the number, so that the database knows it when it plans.
var statusIs = [app.StatusCount]string{
	app.Created:   "status = 0 AND ",
	app.Started:   "status = 1 AND ",
	app.Completed: "status = 2 AND ",
	app.Failed:    "status = 3 AND ",
	app.Cancelled: "status = 4 AND ",
}

// SectionsOf are those that a filter looks into, one for each status if it does not want all, or only runs of a kind.
// Of the statuses only some may be wanted.
func (d Dialect) SectionsOf(filter app.Filter, only ...app.Status) (sections []Section) {
	if filter.Kind == "" && filter.Failure == 0 && !filter.Filtered && len(only) == 0 {
		return []Section{{from: runsTable, place: "id"}}
	}
	for _, status := range app.Statuses() {
		switch {
		case filter.Filtered && status != filter.Status || len(only) > 0 && !slices.Contains(only, status):
		case filter.Failure > 0 && status != app.Failed: // no such run has failed
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

// inStatus are the runs in a status, whose index every database finds by itself.
func (d Dialect) inStatus(status app.Status) Section {
	return Section{from: runsTable, where: statusIs[status], place: d.Place}
}

// ofKind are the runs of a kind in a status.
func (d Dialect) ofKind(kind string, status app.Status) Section {
	return Section{from: runsTable + d.Indexed("process_runs_by_kind"), where: "kind = ? AND " + statusIs[status], args: []any{kind}, place: d.Place}
}

// ofFailure are the runs that failed alike. The first condition is that of the index, which has no others.
func (d Dialect) ofFailure(failure int64) Section {
	return Section{from: runsTable + d.Indexed("process_runs_by_failure"), where: "failure > 0 AND failure = ? AND ", args: []any{failure}, place: d.Place}
}
