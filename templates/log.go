package templates

import (
	"strings"

	"runboard/app"
)

// logRow is the view model of a line of a log. Most lines have one part.
type logRow struct {
	logPart
	Stream app.Stream
	Parts  []logPart // the parts after the first one
	Open   bool      // the line has not ended
}

// logPart is a part of a line.
type logPart struct {
	At       int64
	Text     string
	Replaces bool // replaces the line so far, as a carriage return does on a terminal
}

// Rows joins the parts of each line. Lines of different streams may interleave: a part continues the open
// line of its own stream.
func (l lines) Rows() (rows []logRow) {
	open := map[app.Stream]int{} // index of the open row of each stream
	for _, line := range l.Lines {
		text, ended := strings.CutSuffix(line.Text, "\n")
		text, replaces := strings.CutPrefix(text, "\r")
		part := logPart{At: line.At, Text: text, Replaces: replaces}
		if line.Stream == app.Notes { // a new attempt does not continue lines of the previous one
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

// Empty reports whether the row has no text. Such a row needs a line break, for its height and for copying.
func (r logRow) Empty() bool {
	return r.Text == "" && len(r.Parts) == 0
}
