package templates

import (
	"runboard/app"
)

// maxTimelineRows is the number of rows of the table.
const maxTimelineRows = 100

// timelineTable is the view model of the table with what the picture shows, the newest first.
type timelineTable struct {
	Caption, BinCaption string
	Rows                []timelineRow
	Bins                []binRow
}

// timelineRow is the view model of a bar.
type timelineRow struct {
	Run, Path, Kind   string
	Status, Word      string // its look, and how it is called
	Attempt           string // if it is not the only one
	Start             clockTime
	Waited, Ran, Note string
}

// binRow is the view model of a bin.
type binRow struct {
	At                           clockTime
	Kind                         string
	Completed, Failed, Cancelled string
}

func (t *Templates) timelineTable(timeline app.Timeline) (view timelineTable) {
	bars, bins := timeline.Bars, timeline.Bins
	view.Caption = firstOf(len(bars), "Runs in this window, the last to start first")
	view.BinCaption = firstOf(len(bins), "Finished runs every "+lasting(timeline.Bin)+", the last first")
	for i := len(bins) - 1; i >= 0 && len(view.Bins) < maxTimelineRows; i-- {
		bin := bins[i]
		view.Bins = append(view.Bins, binRow{
			At: dateTime(bin.At), Kind: t.kindLabel(bin.Kind), Completed: grouped(bin.Completed),
			Failed: grouped(bin.Failed), Cancelled: grouped(bin.Cancelled),
		})
	}
	for i := len(bars) - 1; i >= 0 && len(view.Rows) < maxTimelineRows; i-- {
		view.Rows = append(view.Rows, t.timelineRow(bars[i]))
	}
	return view
}

// firstOf returns a caption, which says so if the table has only the first of n rows.
func firstOf(n int, caption string) string {
	if n > maxTimelineRows {
		caption += ": the first " + decimal(maxTimelineRows) + " of " + grouped(int64(n))
	}
	return caption
}

func (t *Templates) timelineRow(bar app.Bar) timelineRow {
	row := timelineRow{
		Run: "#" + decimal(bar.Run.ID), Path: RunPath(bar.Run.ID), Kind: t.kindLabel(bar.Run.Kind),
		Status: bar.Status.String(), Word: barState(bar), Start: dateTime(bar.StartedAt),
		Note: clip(bar.Note), Ran: "still running",
	}
	if bar.Number > 1 || !bar.Last {
		row.Attempt = "attempt " + decimal(int64(bar.Number))
	}
	if !bar.Queued.IsZero() {
		row.Waited = between(bar.Waited())
	}
	if !bar.EndedAt.IsZero() {
		row.Ran = between(bar.EndedAt.Sub(bar.StartedAt))
	}
	return row
}
