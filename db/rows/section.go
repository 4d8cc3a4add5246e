package rows

import (
	"math"
	"slices"
	"strings"

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
	from   string // the table, and the index where the database would choose another one
	where  string // what else an index asks for, with an AND at its end
	key    []column
	tuples bool // see Dialect
}

// column has the same value in all of a section: a number that is written as it is, or an argument.
type column struct {
	name  string
	value any
}

func (c column) text() string {
	if n, is := c.value.(app.Status); is {
		return string(rune('0' + n)) // so that the database knows the status when it plans
	}
	return "?"
}

// args are the arguments in text.
func (s Section) args() (args []any) {
	for _, c := range s.key {
		if c.text() == "?" {
			args = append(args, c.value)
		}
	}
	return args
}

// conditions are those of the section, each with an AND at its end.
func (s Section) conditions() string {
	text := s.where
	for _, c := range s.key {
		text += c.name + " = " + c.text() + " AND "
	}
	return text
}

// within is the condition that a run is in the section and between two ids.
func (s Section) within() string {
	if !s.tuples || len(s.key) == 0 {
		return s.conditions() + "id > ? AND id < ?"
	}
	names, values := s.tuple()
	return s.where + names + " > " + values + " AND " + names + " < " + values
}

func (s Section) tuple() (names, values string) {
	for _, c := range s.key {
		names += c.name + ", "
		values += c.text() + ", "
	}
	return "(" + names + "id)", "(" + values + "?)"
}

// With are the arguments of a section's texts: for a span, and then more.
func (s Section) With(in Span, more ...any) []any {
	args := append(s.args(), in.After)
	if s.tuples {
		args = append(args, s.args()...)
	}
	return append(append(args, in.Before), more...)
}

// order has the runs of the section in the order of their ids.
func (s Section) order(direction string) string {
	if !s.tuples {
		return " ORDER BY id " + direction
	}
	var by []string
	for _, c := range s.key {
		by = append(by, c.name+" "+direction)
	}
	return " ORDER BY " + strings.Join(append(by, "id "+direction), ", ")
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
	return "SELECT " + columns + " FROM " + s.from + " WHERE " + s.within() + s.order(direction(ascending)) + " LIMIT ?"
}

// AnyText asks whether there is a run in a span. Its arguments are With.
func (s Section) AnyText() string {
	return "SELECT EXISTS (SELECT 1 FROM " + s.from + " WHERE " + s.within() + s.order("ASC") + ")"
}

// CountText counts the runs of a span, up to a limit. Its arguments are With the limit.
func (s Section) CountText() string {
	return "SELECT COUNT(*) FROM (" + s.text("1", true) + ") AS counted"
}

const runsTable = "process_runs"

// SectionsOf are those that a filter looks into, one for each status if it does not want all, or only runs of a kind.
// Of the statuses only some may be wanted.
func (d Dialect) SectionsOf(filter app.Filter, only ...app.Status) (sections []Section) {
	if filter.Kind == "" && filter.Failure == 0 && !filter.Filtered && len(only) == 0 {
		return []Section{{from: runsTable}}
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
			sections = append(sections, d.section("process_runs_by_kind", column{"kind", filter.Kind}, column{"status", status}))
		}
	}
	return sections
}

func (d Dialect) section(index string, key ...column) Section {
	return Section{from: runsTable + d.Indexed(index), key: key, tuples: d.Tuples}
}

// inStatus are the runs in a status.
func (d Dialect) inStatus(status app.Status) Section {
	s := d.section("process_runs_by_status", column{"status", status})
	s.from = runsTable // which the database finds by itself
	return s
}

// ofFailure are the runs that failed alike.
func (d Dialect) ofFailure(failure int64) Section {
	s := d.section("process_runs_by_failure", column{"failure", failure})
	s.where = "failure > 0 AND " // so that the index, which has no others, fits
	return s
}
