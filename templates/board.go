package templates

import (
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// board is the list with all around it, or the live region of it.
type board struct {
	app.Page
	Title string
	Now   time.Time
	Key   string
	Kinds []string
	Count int // how many runs the button starts, at first

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

// Cells are the rows of the list, ready to be drawn.
func (b board) Cells() []cell {
	cells := make([]cell, len(b.Runs))
	for i, run := range b.Runs {
		cells[i] = cell{ProcessRun: run, Now: b.Now, ShowKind: b.ShowKind()}
	}
	return cells
}

// ShowKind says whether rows name their kind: not when all have the same.
func (b board) ShowKind() bool { return len(b.Kinds) > 1 }

// Newest reports whether the list begins with the newest runs, as pages that lead on do not.
func (b board) Newest() bool { return b.Query.Direction == app.Latest }

// Onwards is the link by which a search goes on that has stopped.
func (b board) Onwards() string {
	if b.Query.Direction == app.After {
		return "Newer"
	}
	return "Older"
}

// Top is the query for the newest runs of the same list.
func (b board) Top() app.Query { return b.Query.WithCursor(app.Latest, 0) }

// Filter is the status that the list is limited to, or "".
func (b board) Filter() string {
	if !b.Query.Filtered {
		return ""
	}
	return b.Query.Status.String()
}

// Narrowed reports whether more than a status is asked for.
func (b board) Narrowed() bool { return !b.Query.StatusOnly() }

// Found is how many runs are found, as far as they are counted.
func (b board) Found() int64 { return int64(b.MatchCount) }

// In is the query for the runs in a status, or in all of them for "", that are otherwise those of this list.
func (b board) In(status string) app.Query {
	query := app.Query{Filter: b.Query.Filter}
	query.Filtered, query.Status = false, 0
	if known, err := app.ParseStatus(status); err == nil {
		query.Filtered, query.Status = true, known
	}
	return query
}

// Everywhere is the query for all runs of this list, from its beginning.
func (b board) Everywhere() app.Query { return app.Query{Filter: b.Query.Filter} }

// Everything is the query for all runs in the status of this list.
func (b board) Everything() app.Query {
	return app.Query{Filter: app.Filter{Filtered: b.Query.Filtered, Status: b.Query.Status}}
}

// choice is one that a person has.
type choice struct {
	Value, Text string
	Chosen      bool
}

// KindChoices are the kinds that one can look for. One that is not offered any more is among them while it is asked for.
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

// SinceChoices are the times that one can look back. Another one is among them while it is asked for.
func (b board) SinceChoices() []choice {
	return choose(b.Query.Since, "Since ", choice{Text: "Any time"},
		choice{Value: "1h", Text: "Last hour"}, choice{Value: "24h", Text: "Last 24 hours"}, choice{Value: "48h", Text: "Last 2 days"}, choice{Value: "168h", Text: "Last 7 days"})
}

// UntilChoices are the times that one can look back beyond, which with SinceChoices makes a day of the past.
func (b board) UntilChoices() []choice {
	return choose(b.Query.Until, "Until ", choice{Text: "Until now"},
		choice{Value: "1h", Text: "Until an hour ago"}, choice{Value: "24h", Text: "Until a day ago"}, choice{Value: "168h", Text: "Until a week ago"})
}

// choose marks the choice that is asked for. When it is none of them, it becomes one.
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
