package templates

import (
	"github.com/dustin/go-humanize"

	"runboard/app"
)

// comparedLogs is the view model of two logs side by side.
type comparedLogs struct {
	Verdict string // what is the same
	Notes   []string
	Names   [2]string
	Paths   [2]string // of the logs
	Rows    []comparedRow
	More    bool // the logs go on
}

// comparedRow is the view model of a line of each log, or of Skipped lines that are alike.
type comparedRow struct {
	Left, Right comparedLine
	Differs     bool
	Skipped     string
}

// comparedLine is the view model of a line. The zero value is none.
type comparedLine struct {
	Exists bool
	Number string // in its log, or ""
	Text   string
	Path   string // the line in its log, for the first one of several that differ
}

const (
	// maxComparedRows is the number of rows of a comparison.
	maxComparedRows = 400
	// aroundChange is the number of alike lines that are shown before and after lines that differ.
	aroundChange = 3
	// maxComparedText is the number of characters of a line. The log has the whole line.
	maxComparedText = 500
)

func newComparedLogs(comparison Comparison) comparedLogs {
	left, right, logs := comparison.Left.Run.ID, comparison.Right.Run.ID, comparison.Logs
	view := comparedLogs{
		Verdict: logVerdict(logs), Names: [2]string{"#" + decimal(left), "#" + decimal(right)},
		Paths: [2]string{logPath(left), logPath(right)},
	}
	for i, one := range []app.ComparedLog{logs.Left, logs.Right} {
		switch {
		case one.Dropped:
			view.Notes = append(view.Notes, "The first part of the log of "+view.Names[i]+" was dropped.")
		case one.Empty:
			view.Notes = append(view.Notes, view.Names[i]+" has written nothing.")
		}
	}
	if logs.Same() || logs.Stopped {
		return view
	}
	aligner := newAligner(logs.Left.Lines, logs.Right.Lines)
	rows := collapse(append(alikeRows(logs), aligner.rows()...), logs.Left.More || logs.Right.More)
	view.More = logs.Left.More || logs.Right.More || len(rows) > maxComparedRows
	linked := false
	for _, row := range rows[:min(len(rows), maxComparedRows)] {
		shown := newComparedRow(row)
		if shown.Differs && !linked {
			shown.Left.link(row.left, left)
			shown.Right.link(row.right, right)
		}
		linked = shown.Differs
		view.Rows = append(view.Rows, shown)
	}
	return view
}

// logVerdict says what of the logs is the same.
func logVerdict(logs app.LogComparison) string {
	const ignored = " Numbers, IDs, times and paths do not count."
	switch {
	case logs.Stopped:
		size := humanize.IBytes(uint64(logs.Bytes))
		return "The first " + size + " are alike; the rest was not compared." + ignored
	case logs.Same() && logs.Alike == 0:
		return "Neither run has written anything."
	case logs.Same() && (logs.Left.Dropped || logs.Right.Dropped):
		return "What is kept of the logs is alike." + ignored
	case logs.Same():
		return "The logs are alike." + ignored
	case logs.Alike == 0:
		return "The logs differ from the first line." + ignored
	case logs.Alike == 1:
		return "The first line is alike." + ignored
	}
	return "The first " + grouped(logs.Alike) + " lines are alike." + ignored
}

// alikeRows returns the last lines before the first difference, after the number of those before them.
func alikeRows(logs app.LogComparison) (rows []alignedRow) {
	if earlier := logs.Alike - int64(len(logs.Left.Before)); earlier > 0 {
		rows = append(rows, alignedRow{skipped: int(earlier)})
	}
	for i := range logs.Left.Before {
		rows = append(rows, alignedRow{left: &logs.Left.Before[i], right: &logs.Right.Before[i], alike: true})
	}
	return rows
}

func newComparedRow(row alignedRow) comparedRow {
	if row.skipped > 0 {
		return comparedRow{Skipped: plural(int64(row.skipped), "alike line", "alike lines")}
	}
	return comparedRow{
		Left: newComparedLine(row.left), Right: newComparedLine(row.right), Differs: !row.alike,
	}
}

func newComparedLine(line *app.LogLine) comparedLine {
	if line == nil {
		return comparedLine{}
	}
	text := []rune(visible(line.Text))
	if len(text) > maxComparedText {
		text = append(text[:maxComparedText-1], '…')
	}
	view := comparedLine{Exists: true, Text: string(text)}
	if line.Number > 0 {
		view.Number = decimal(line.Number)
	}
	return view
}

// link makes a line that exists a link to its place in the log of a run.
func (l *comparedLine) link(line *app.LogLine, run int64) {
	if line != nil {
		l.Path = logLinePath(run, *line)
	}
}
