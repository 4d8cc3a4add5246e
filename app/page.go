package app

import (
	"cmp"
	"slices"
	"time"
)

// PageSize is the number of runs on a page of the list, unless the query asks for another.
const PageSize = 25

// PageSizes returns the sizes that a page can have.
func PageSizes() []int { return []int{PageSize, 50, 100} }

// Query asks for a page of runs. It is comparable, so that equal queries can share a result. The zero Query
// asks for the newest runs.
type Query struct {
	Filter
	// Direction says on which side of Cursor, the id of a run, the page lies.
	Direction Direction
	Cursor    int64
	// Rows is the size of the page, one of PageSizes; 0: PageSize.
	Rows int
}

// PageSize returns the size of the page.
func (q Query) PageSize() int { return cmp.Or(q.Rows, PageSize) }

// WithFilter returns the query for the newest runs that match another filter, on pages of the same size.
func (q Query) WithFilter(filter Filter) Query { return Query{Filter: filter, Rows: q.Rows} }

// Direction is a direction in the list.
type Direction int8

// The directions.
const (
	Latest Direction = iota // the newest runs, without a cursor
	Before                  // the newest runs with ids below the cursor
	After                   // the oldest runs with ids above the cursor
)

// ByStatus returns the query for the newest runs in a status.
func ByStatus(status Status) Query { return Query{Filter: Filter{Filtered: true, Status: status}} }

// WithCursor returns the query for another page of the same list.
func (q Query) WithCursor(direction Direction, cursor int64) Query {
	q.Direction, q.Cursor = direction, cursor
	return q
}

// Page is the result of a Query, read from one state of the database.
type Page struct {
	Query              Query
	Runs               []ProcessRun // newest first, at most Query.PageSize
	HasOlder, HasNewer bool         // whether there are further pages
	// MatchCount is the number of matching runs if the filter has more than a status. MatchCountCapped says
	// that there are more, which were not counted.
	MatchCount       int
	MatchCountCapped bool
	// SearchCursor is not 0 if a search stopped before the page was full: it continues below this run or, if
	// Query.Direction is After, above it.
	SearchCursor int64
	// Failure is that of the filter; the zero Failure without one, or if it no longer exists.
	Failure Failure
	// MissingRun is the number that the search text is, as in Filter.RunNumber, if neither a run has it nor
	// another one matches; else 0.
	MissingRun int64
	// Running are the oldest started runs that match and are older than the page, at most MaxRunning. Only
	// the page of the newest runs has them.
	Running []ProcessRun
	// Tabs has the number of runs in each status that match the rest of the filter.
	Tabs TabCounts
	// Usual has the usual duration of the kinds of Runs and Running, if it is known.
	Usual map[string]time.Duration
	Overview
}

// MaxRunning is the largest number of Page.Running.
const MaxRunning = 10

// CountedForTabs is the largest number of runs that TabCounts counts, if the number is not stored.
const CountedForTabs = 1000

// TabCounts are numbers of runs by status. It is comparable.
type TabCounts struct {
	Counts Counts
	// Capped says that there are more runs in a status, which were not counted.
	Capped [StatusCount]bool
}

// AnyCapped reports whether there are more runs than Counts.Total.
func (t TabCounts) AnyCapped() bool { return slices.Contains(t.Capped[:], true) }

// CountedMatches is the largest MatchCount: the cost of a page must not depend on the number of matches.
const CountedMatches = 10_000

// Older returns the query for the next older page. It is for pages with HasOlder.
func (p Page) Older() Query {
	if p.SearchCursor > 0 && p.Query.Direction != After {
		return p.Query.WithCursor(Before, p.SearchCursor)
	}
	if n := len(p.Runs); n > 0 {
		return p.Query.WithCursor(Before, p.Runs[n-1].ID)
	}
	return p.Query.WithCursor(Latest, 0) // the cursor was above all runs
}

// Newer returns the query for the next newer page. It is for pages with HasNewer.
func (p Page) Newer() Query {
	if p.SearchCursor > 0 && p.Query.Direction == After {
		return p.Query.WithCursor(After, p.SearchCursor)
	}
	if len(p.Runs) > 0 {
		return p.Query.WithCursor(After, p.Runs[0].ID)
	}
	return p.Query.WithCursor(After, max(0, p.Query.Cursor-1))
}
