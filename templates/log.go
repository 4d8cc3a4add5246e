package templates

import (
	"strings"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// log is the view model of the log on a run's page.
type log struct {
	Path  string
	End   string // offset of the next line
	Block logBlock
}

// logBlock is the view model of some lines of a log.
type logBlock struct {
	From, To    string // offsets
	Dropped     string // how much of the beginning of the log was trimmed; "" if it can still be loaded
	EarlierPath string // the lines before these
	Lines       []logLine
}

// logLine is the view model of a line. Most lines have one part.
type logLine struct {
	logPart
	Stream string    // "" for standard output
	Parts  []logPart // the parts after the first one
	Open   bool      // the line has not ended
	Empty  bool      // the line needs a line break, for its height and for copying
}

// logPart is the view model of a part of a line.
type logPart struct {
	Offset, Text string
	Replaces     bool // replaces the line so far, as a carriage return does on a terminal
}

// LogLines renders lines of a run's log as its page shows them.
func (t *Templates) LogLines(run int64, part app.Log) ([]byte, error) {
	return t.render("lines", newLog(run, part).Block)
}

func newLog(run int64, part app.Log) log {
	view := log{
		Path: logPath(run), End: decimal(part.End),
		Block: logBlock{From: decimal(part.From()), To: decimal(part.To()), Lines: joinParts(part.Lines)},
	}
	// Without lines, they were trimmed after the client learned of them.
	if first := len(part.Lines) == 0 || part.From() <= part.Start; first && part.Start > 0 {
		view.Block.Dropped = humanize.IBytes(uint64(part.Start))
	} else if len(part.Lines) > 0 && part.From() > 0 {
		view.Block.EarlierPath = view.Path + "?before=" + view.Block.From
	}
	return view
}

// joinParts joins the parts of each line. Lines of different streams may interleave: a part continues the
// open line of its own stream.
func joinParts(parts []app.LogLine) (lines []logLine) {
	open := map[app.Stream]int{} // index of the open line of each stream
	for _, from := range parts {
		text, ended := strings.CutSuffix(from.Text, "\n")
		text, replaces := strings.CutPrefix(text, "\r")
		part := logPart{Offset: decimal(from.At), Text: visible(text), Replaces: replaces}
		if from.Stream == app.ServerLog { // a new attempt does not continue lines of the previous one
			for _, i := range open {
				lines[i].Open = false
			}
			clear(open)
		}
		i, continues := open[from.Stream]
		switch {
		case !continues:
			i = len(lines)
			lines = append(lines, logLine{logPart: part})
			if from.Stream != app.Stdout {
				lines[i].Stream = from.Stream.String()
			}
		case replaces:
			lines[i].Text, lines[i].Parts = "", []logPart{part}
		default:
			lines[i].Parts = append(lines[i].Parts, part)
		}
		lines[i].Empty = lines[i].Text == "" && len(lines[i].Parts) == 0
		lines[i].Open = !ended
		open[from.Stream] = i
		if ended {
			delete(open, from.Stream)
		}
	}
	return lines
}
