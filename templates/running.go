package templates

import (
	"slices"
	"time"

	"runboard/app"
)

// running is the view model of the group of started runs that are older than the rows of the list. Without
// Rows it is hidden.
type running struct {
	Rows    []pinnedRow
	Head    runningHead
	Columns string
}

// runningHead is the view model of what the group says beside its rows.
type runningHead struct {
	Count  string // of all started runs that match
	InList string // how many of them the list shows: "10 in the list below", or ""
	More   string // how many are shown nowhere, or ""
	Path   string // of the list of all of them
}

// pinnedRow is the view model of a row of the group. Its run has no other row on the page.
type pinnedRow struct {
	ElementID, ID, Path string
	Kind, Status        string
	ShowKind            bool
	Cells               rowCells
}

func (t *Templates) running(page app.Page, now time.Time) running {
	if len(page.Running) == 0 {
		return running{}
	}
	view := running{Head: newRunningHead(page), Columns: t.columns()}
	for _, run := range page.Running {
		view.Rows = append(view.Rows, t.pinnedRow(run, page.Usual[run.Kind], now))
	}
	return view
}

func newRunningHead(page app.Page) runningHead {
	filter := page.Query.Filter
	filter.Filtered, filter.Status = true, app.Started
	counts := tabCounts(page)
	total, more := counts.Counts[app.Started], counts.Capped[app.Started]
	head := runningHead{Count: grouped(total), Path: QueryPath(page.Query.WithFilter(filter))}
	if more {
		head.Count += "+"
	}
	inList := int64(0)
	for _, run := range page.Runs {
		if run.Status == app.Started {
			inList++
		}
	}
	if inList > 0 {
		head.InList = grouped(inList) + " in the list below"
	}
	switch others := total - inList - int64(len(page.Running)); {
	case more:
		head.More = "and more"
	case others > 0:
		head.More = "and " + grouped(others) + " more"
	}
	return head
}

func (t *Templates) pinnedRow(run app.ProcessRun, usual time.Duration, now time.Time) pinnedRow {
	return pinnedRow{
		ElementID: runningID(run.ID), ID: decimal(run.ID), Path: RunPath(run.ID), Kind: t.kindLabel(run.Kind),
		Status: run.Status.String(), ShowKind: t.showKind(), Cells: t.unnamedCells(run, usual, now),
	}
}

// sameRunning reports whether the groups of two pages differ at most in the cells of their rows.
func sameRunning(a, b app.Page) bool {
	sameRun := func(a, b app.ProcessRun) bool { return a.ID == b.ID }
	return slices.EqualFunc(a.Running, b.Running, sameRun) &&
		(len(a.Running) == 0 || newRunningHead(a) == newRunningHead(b))
}

// changedPinned returns the rows of the group that differ from those of an old page with the same group.
func (t *Templates) changedPinned(old, page app.Page, now time.Time) (rows []pinnedRow) {
	for i, run := range page.Running {
		if run.Version != old.Running[i].Version {
			rows = append(rows, t.pinnedRow(run, page.Usual[run.Kind], now))
		}
	}
	return rows
}
