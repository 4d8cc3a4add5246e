package templates

import (
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// board is the view model of the list page and of its live region.
type board struct {
	app.Page
	Title string
	Now   time.Time
	Key   string
	Kinds []string
	Count int // default number of runs in the start form

	MaxCount int
}

func (t *Templates) board(page app.Page, key string) board {
	title := "Runs"
	if page.Query.Filtered {
		name := page.Query.Status.String()
		title = strings.ToUpper(name[:1]) + name[1:] + " runs"
	}
	if !page.Query.StatusOnly() {
		title += " (filtered)"
	}
	return board{
		Page: page, Title: title, Now: t.now(), Key: key,
		Kinds: t.kinds, Count: app.DefaultCount, MaxCount: app.MaxCount,
	}
}

// Cells returns the view models of the rows.
func (b board) Cells() []cell {
	cells := make([]cell, len(b.Runs))
	for i, run := range b.Runs {
		cells[i] = cell{ProcessRun: run, Now: b.Now, ShowKind: b.ShowKind()}
	}
	return cells
}

// ShowKind reports whether rows name their kind. With a single kind the column would say nothing.
func (b board) ShowKind() bool { return len(b.Kinds) > 1 }

// Newest reports whether this page begins with the newest runs, as only the first page of a list does.
func (b board) Newest() bool { return b.Query.Direction == app.Latest }

// Onwards returns the label of the link that continues a search that stopped early.
func (b board) Onwards() string {
	if b.Query.Direction == app.After {
		return "Newer"
	}
	return "Older"
}

// Top returns the query for the first page of this list.
func (b board) Top() app.Query { return b.Query.WithCursor(app.Latest, 0) }

// Filter returns the status that the list is limited to, or "".
func (b board) Filter() string {
	if !b.Query.Filtered {
		return ""
	}
	return b.Query.Status.String()
}

// Narrowed reports whether the filter has more than a status.
func (b board) Narrowed() bool { return !b.Query.StatusOnly() }

// Found returns the number of matching runs, as far as the store counted.
func (b board) Found() int64 { return int64(b.MatchCount) }

// In returns the query of this list for another status. Any text that is no status, such as "", stands for
// all of them.
func (b board) In(status string) app.Query {
	query := app.Query{Filter: b.Query.Filter}
	query.Filtered, query.Status = false, 0
	if known, err := app.ParseStatus(status); err == nil {
		query.Filtered, query.Status = true, known
	}
	return query
}

// Everywhere returns the query for all runs that match the filter of this list, from its first page.
func (b board) Everywhere() app.Query { return app.Query{Filter: b.Query.Filter} }

// Everything returns the query for all runs in the status of this list, without its other filters.
func (b board) Everything() app.Query {
	return app.Query{Filter: app.Filter{Filtered: b.Query.Filtered, Status: b.Query.Status}}
}

// choice is an option of a select element.
type choice struct {
	Value, Text string
	Chosen      bool
}

// KindChoices returns the kinds to filter by. It includes the kind of the current filter even if that kind is
// no longer offered.
func (b board) KindChoices() []choice {
	choices := []choice{{Text: "All kinds"}}
	kinds := b.Kinds
	if asked := b.Query.Kind; asked != "" && !slices.Contains(kinds, asked) {
		kinds = append(slices.Clone(kinds), asked)
	}
	for _, kind := range kinds {
		choices = append(choices, choice{kind, kind, kind == b.Query.Kind})
	}
	return choices
}

// SinceChoices returns the lower bounds to filter by. It includes that of the current filter.
func (b board) SinceChoices() []choice {
	return choose(b.Query.Since, "Since ", choice{Text: "Any time"},
		choice{Value: "1h", Text: "Last hour"}, choice{Value: "24h", Text: "Last 24 hours"}, choice{Value: "48h", Text: "Last 2 days"}, choice{Value: "168h", Text: "Last 7 days"})
}

// UntilChoices returns the upper bounds to filter by. Together with SinceChoices they select, for example, a
// day in the past. It includes the bound of the current filter.
func (b board) UntilChoices() []choice {
	return choose(b.Query.Until, "Until ", choice{Text: "Until now"},
		choice{Value: "1h", Text: "Until an hour ago"}, choice{Value: "24h", Text: "Until a day ago"}, choice{Value: "168h", Text: "Until a week ago"})
}

// choose marks the choice that equals moment. If none does, it appends one, labelled before and the moment.
func choose(moment app.TimeBound, before string, choices ...choice) []choice {
	asked := moment.String()
	for i := range choices {
		choices[i].Chosen = choices[i].Value == asked
	}
	if !slices.ContainsFunc(choices, func(c choice) bool { return c.Chosen }) {
		choices = append(choices, choice{asked, before + asked, true})
	}
	return choices
}
