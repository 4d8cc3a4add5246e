package templates

import (
	"slices"
	"time"

	"runboard/app"
)

// row is the view model of a run in the list. The cells that change are apart, because frames carry them
// without the row.
type row struct {
	ElementID, ID string
	Kind          string // title of the kind
	ShowKind      bool
	Cells         rowCells
}

// rowCells are the cells of a row that change.
type rowCells struct {
	Status   statusCell
	Message  messageCell
	Attempt  attemptCell
	Waited   waitedCell
	Duration durationCell
	Started  startedCell
	Actions  actionsCell
}

// cell is what the view models of cells have in common. OutOfBand is for frames: the cell then carries
// hx-swap-oob, so htmx swaps it by its id.
type cell struct {
	ElementID string
	OutOfBand bool
}

// outOfBand returns the cells for a frame.
func (c rowCells) outOfBand() rowCells {
	for _, one := range []*cell{&c.Status.cell, &c.Message.cell, &c.Attempt.cell, &c.Waited.cell,
		&c.Duration.cell, &c.Started.cell, &c.Actions.cell} {
		one.OutOfBand = true
	}
	return c
}

// Row renders a run as a row of the list.
func (t *Templates) Row(run app.ProcessRun) ([]byte, error) {
	return t.render("row", t.row(run, 0, t.now()))
}

// row returns the row of a run whose kind usually takes a time, or 0.
func (t *Templates) row(run app.ProcessRun, usual time.Duration, now time.Time) row {
	return row{
		ElementID: RowID(run.ID), ID: decimal(run.ID), Kind: t.kindLabel(run.Kind), ShowKind: t.showKind(),
		Cells: t.cells(run, usual, now),
	}
}

func (t *Templates) cells(run app.ProcessRun, usual time.Duration, now time.Time) rowCells {
	cells := t.unnamedCells(run, usual, now)
	cells.Message.ElementID = cellID(run.ID, "message")
	cells.Attempt.ElementID = cellID(run.ID, "attempt")
	cells.Waited.ElementID = cellID(run.ID, "waited")
	cells.Duration.ElementID = cellID(run.ID, "duration")
	cells.Started.ElementID = cellID(run.ID, "started")
	cells.Actions.ElementID = cellID(run.ID, "actions")
	return cells
}

// unnamedCells returns the cells of a run, of which only the status cell has an id.
func (t *Templates) unnamedCells(run app.ProcessRun, usual time.Duration, now time.Time) rowCells {
	return rowCells{
		Status: newStatusCell(run), Message: t.messageCell(run, now), Attempt: t.attemptCell(run),
		Waited: newWaitedCell(run, now), Duration: newDurationCell(run, usual, now),
		Started: newStartedCell(run, now), Actions: newActionsCell(run),
	}
}

// rowAction is the view model of a button that changes a run or a kind. It has no Path without a button.
type rowAction struct{ Path, Label string }

func newRowAction(run app.ProcessRun) rowAction {
	switch {
	case run.CancelRequested() || run.Status == app.Completed:
		return rowAction{}
	case run.Status.Final():
		return rowAction{runCommandPath(run.ID, "retry"), "Retry"}
	}
	return rowAction{runCommandPath(run.ID, "cancel"), "Cancel"}
}

// Status renders the status cell of a run.
func (t *Templates) Status(run app.ProcessRun) ([]byte, error) {
	return t.render("status", newStatusCell(run))
}

// RowCells renders the cells of runs that change, for a client that asked for ids. It removes the rows of ids
// that are not among runs: those runs no longer exist.
func (t *Templates) RowCells(ids []int64, runs []app.ProcessRun) ([]byte, error) {
	view := struct {
		Rows        []rowCells
		DeletedRows []string
	}{}
	now := t.now()
	for _, run := range runs {
		view.Rows = append(view.Rows, t.cells(run, 0, now).outOfBand())
	}
	for _, id := range ids {
		if !slices.ContainsFunc(runs, func(run app.ProcessRun) bool { return run.ID == id }) {
			view.DeletedRows = append(view.DeletedRows, RowID(id))
		}
	}
	return t.render("row_cells", view)
}

// CellsFrame renders the difference between two results of a query with the same list of runs, for a socket:
// the cells that differ, the group of running runs, and the numbers around the list.
func (t *Templates) CellsFrame(old, page app.Page) ([]byte, error) {
	view := struct {
		Rows     []changedCells
		Running  *running // nil if only its rows differ, or nothing
		Pinned   []pinnedRow
		Overview overview
	}{Overview: t.listOverview(page)}
	now := t.now()
	for i, run := range page.Runs {
		if before := old.Runs[i]; before.Version != run.Version || before.Waiting != run.Waiting {
			usual := page.Usual[run.Kind]
			view.Rows = append(view.Rows, changes(t.cells(before, usual, now), t.cells(run, usual, now)))
		}
	}
	if sameRunning(old, page) {
		view.Pinned = t.changedPinned(old, page, now)
	} else {
		group := t.running(page, now)
		view.Running = &group
	}
	return t.render("cells_frame", view)
}

// changedCells are the cells of a row that differ from those before. Others are nil. The status cell comes
// always, because it has the version.
type changedCells struct {
	Status   statusCell
	Message  *messageCell
	Attempt  *attemptCell
	Waited   *waitedCell
	Duration *durationCell
	Started  *startedCell
	Actions  *actionsCell
}

func changes(before, after rowCells) changedCells {
	before, after = before.outOfBand(), after.outOfBand()
	return changedCells{
		Status: after.Status, Message: ifChanged(before.Message, after.Message),
		Attempt: ifChanged(before.Attempt, after.Attempt), Waited: ifChanged(before.Waited, after.Waited),
		Duration: ifChanged(before.Duration, after.Duration),
		Started:  ifChanged(before.Started, after.Started), Actions: ifChanged(before.Actions, after.Actions),
	}
}

// ifChanged returns a cell, or nil if it is as before.
func ifChanged[C comparable](before, after C) *C {
	if before == after {
		return nil
	}
	return &after
}
