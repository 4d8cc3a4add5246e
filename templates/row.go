package templates

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"runboard/app"
)

// row is the view model of a run in the list.
type row struct {
	ElementID, ID  string
	Kind, Summary  string // title of the kind, and the inputs in short
	ShowKind       bool
	CreatedAt, Age string
	Status         statusCell
}

// Row renders a run as a row of the list.
func (t *Templates) Row(run app.ProcessRun) ([]byte, error) {
	return t.render("row", t.row(run, t.now()))
}

func (t *Templates) row(run app.ProcessRun, now time.Time) row {
	return row{
		ElementID: RowID(run.ID), ID: decimal(run.ID), Kind: t.kindLabel(run.Kind), Summary: t.summary(run),
		ShowKind: t.showKind(), CreatedAt: second(run.CreatedAt), Age: ago(run.CreatedAt, now),
		Status: newStatusCell(run, now),
	}
}

// statusCell is the view model of a status cell.
type statusCell struct {
	ElementID, Status  string
	Version, UpdatedAt string
	OutOfBand          bool   // for a frame: the cell carries hx-swap-oob, so htmx swaps it by its id
	Percent            string // of the progress bar; "" without one
	HasNote            bool
	Note               string
	Time               relative // after Note
	Action             rowAction
}

// rowAction is the view model of a button that changes a run or a kind. It has no Path without a button.
type rowAction struct{ Path, Label string }

// Status renders the status cell of a run.
func (t *Templates) Status(run app.ProcessRun) ([]byte, error) {
	return t.render("status", newStatusCell(run, t.now()))
}

// StatusCells renders the status cells of runs for a client that asked for ids. It removes the rows of ids
// that are not among runs: those runs no longer exist.
func (t *Templates) StatusCells(ids []int64, runs []app.ProcessRun) ([]byte, error) {
	view := struct {
		Cells       []statusCell
		DeletedRows []string
	}{Cells: t.outOfBand(runs)}
	for _, id := range ids {
		if !slices.ContainsFunc(runs, func(run app.ProcessRun) bool { return run.ID == id }) {
			view.DeletedRows = append(view.DeletedRows, RowID(id))
		}
	}
	return t.render("status_cells", view)
}

// CellsFrame renders the status cells of runs and the numbers around the list for a socket.
func (t *Templates) CellsFrame(runs []app.ProcessRun, around app.Overview) ([]byte, error) {
	return t.render("cells_frame", struct {
		Cells    []statusCell
		Overview overview
	}{t.outOfBand(runs), t.overview(around)})
}

func (t *Templates) outOfBand(runs []app.ProcessRun) []statusCell {
	cells, now := make([]statusCell, len(runs)), t.now()
	for i, run := range runs {
		cells[i] = newStatusCell(run, now)
		cells[i].OutOfBand = true
	}
	return cells
}

func newStatusCell(run app.ProcessRun, now time.Time) statusCell {
	cell := statusCell{
		ElementID: StatusID(run.ID), Status: run.Status.String(),
		Version: decimal(run.Version), UpdatedAt: millis(run.UpdatedAt), Action: newRowAction(run),
	}
	cell.HasNote = true
	switch {
	case run.CancelRequested():
		cell.Time = cancelling(run.CancelRequestedAt, now)
	case run.Status == app.Started && run.Percent.Known():
		cell.Percent = decimal(int64(run.Percent))
		cell.Note = cell.Percent + "% " + clip(run.Message)
	case run.Status == app.Started:
		cell.Note, cell.Time = "running ", elapsed(run.StartedAt, now)
	case isBulk(run) && (run.Status.Final() || run.Error == ""):
		cell.Note = clip(cmp.Or(run.Error, run.Message, run.Kind))
	case run.Status == app.Completed:
		cell.Note = "took " + between(run.FinishedAt.Sub(run.StartedAt))
	case run.Status != app.Created: // failed or cancelled
		cell.Note = clip(run.Error)
	case run.Waiting != app.Waiting{}:
		cell.Note = waitingFor(run.Waiting)
	case run.ScheduledAt.IsZero():
		cell.HasNote = false
	case run.Attempt > 0:
		cell.Note, cell.Time = "next try ", until(run.ScheduledAt, now)
	default:
		cell.Note, cell.Time = "starts ", until(run.ScheduledAt, now)
	}
	return cell
}

// waitingFor says what a created run waits for.
func waitingFor(waiting app.Waiting) string {
	if waiting.Paused {
		return "waiting: the kind is paused"
	}
	text := fmt.Sprintf("waiting: %d of %d running", waiting.Limit, waiting.Limit)
	if waiting.By > 0 {
		text += fmt.Sprintf(" (#%d)", waiting.By)
	}
	return text
}

// bulkKinds are the kinds of runs that perform bulk actions.
var bulkKinds = app.BulkKinds()

// isBulk reports whether the run performs a bulk action.
func isBulk(run app.ProcessRun) bool { return slices.Contains(bulkKinds, run.Kind) }

func newRowAction(run app.ProcessRun) rowAction {
	switch {
	case run.CancelRequested() || run.Status == app.Completed:
		return rowAction{}
	case run.Status.Final():
		return rowAction{runCommandPath(run.ID, "retry"), "Retry"}
	}
	return rowAction{runCommandPath(run.ID, "cancel"), "Cancel"}
}
