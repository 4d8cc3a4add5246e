package templates

import (
	"strings"

	"runboard/app"
)

// logRow is a line of a log as the page shows it. Most lines have one part.
type logRow struct {
	logPart
	Stream app.Stream
	Parts  []logPart // the parts that follow the first one
	Open   bool      // the line has not ended
}

// logPart is a part of a line.
type logPart struct {
	At       int64
	Text     string
	Replaces bool // what the line was before
}

// Rows puts the parts of lines together.
func (l lines) Rows() (rows []logRow) {
	open := map[app.Stream]int{} // the row of each stream that goes on
	for _, line := range l.Lines {
		text, ended := strings.CutSuffix(line.Text, "\n")
		text, replaces := strings.CutPrefix(text, "\r")
		part := logPart{At: line.At, Text: text, Replaces: replaces}
		if line.Stream == app.Notes { // another attempt: a line of the one before does not go on
			for _, i := range open {
				rows[i].Open = false
			}
			clear(open)
		}
		i, goesOn := open[line.Stream]
		switch {
		case !goesOn:
			i = len(rows)
			rows = append(rows, logRow{logPart: part, Stream: line.Stream})
		case replaces:
			rows[i].Text, rows[i].Parts = "", []logPart{part}
		default:
			rows[i].Parts = append(rows[i].Parts, part)
		}
		rows[i].Open = !ended
		open[line.Stream] = i
		if ended {
			delete(open, line.Stream)
		}
	}
	return rows
}

// Empty reports whether the row shows nothing: it still needs its height, and a newline when it is copied.
func (r logRow) Empty() bool {
	return r.Text == "" && len(r.Parts) == 0
}
