package templates

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// log is the view model of the log on a run's page.
type log struct {
	PagePath, Path, RawPath, DownloadPath string
	To, End                               string // offsets after the lines here, and after the log
	Digits                                string // of the largest line number, at least minDigits
	Search                                logSearch
	Block                                 logBlock
}

// logSearch is the view model of the search within a log, as it is without scripts.
type logSearch struct {
	Text, Result        string
	Hit                 string // offset of the line that is shown
	NextPath, NextLabel string
}

// logBlock is the view model of some lines of a log.
type logBlock struct {
	From, To    string // offsets
	Dropped     string // how much of the beginning of the log was trimmed; "" if it can still be loaded
	EarlierPath string // the lines before these
	LaterPath   string // the lines after these
	Lines       []logLine
}

// logLine is the view model of a line. Most lines have one part.
type logLine struct {
	logPart
	ID, Path, Number string    // "" if the number of the line is not known
	Written          string    // in ms since 1970, or ""
	Stream           string    // "" for standard output
	Parts            []logPart // the parts after the first one
	Open             bool      // the line has not ended
	Empty            bool      // the line needs a line break, for its height and for copying
	Marked           bool
}

// logPart is the view model of a part of a line.
type logPart struct {
	Offset, Text string
	Spans        []logSpan // instead of Text if the part is not all plain
	Replaces     bool      // replaces the line so far, as a carriage return does on a terminal
}

// HasColors reports whether a line has a color of terminals.
func (b logBlock) HasColors() bool {
	return slices.ContainsFunc(b.Lines, func(line logLine) bool {
		return slices.ContainsFunc(append(line.Parts, line.logPart), func(part logPart) bool {
			return slices.ContainsFunc(part.Spans, logSpan.hasColor)
		})
	})
}

// LogLines renders lines of a run's log as its page shows them.
func (t *Templates) LogLines(run int64, part app.Log, focus app.LogFocus) ([]byte, error) {
	return t.render("lines", newLog(run, part, focus).Block)
}

func newLog(run int64, part app.Log, focus app.LogFocus) log {
	path := logPath(run)
	view := log{
		PagePath: RunPath(run), Path: path, RawPath: path + "?plain=1",
		DownloadPath: path + "?plain=1&download=1", To: decimal(part.To()), End: decimal(part.End),
		Digits: decimal(digits(part.Lines)), Search: newLogSearch(focus),
		Block: logBlock{
			From: decimal(part.From()), To: decimal(part.To()), Lines: newLogLines(part.Lines, focus),
		},
	}
	// Without lines, they were trimmed after the client learned of them.
	if first := len(part.Lines) == 0 || part.From() <= part.Start; first && part.Start > 0 {
		view.Block.Dropped = humanize.IBytes(uint64(part.Start))
	} else if len(part.Lines) > 0 && part.From() > 0 {
		view.Block.EarlierPath = "?before=" + view.Block.From + "#log"
	}
	if part.To() < part.End {
		view.Block.LaterPath = "?offset=" + view.Block.To + "#log"
	}
	return view
}

// minDigits is the smallest width of the column of line numbers.
const minDigits = 4

// digits returns how many digits the line numbers have.
func digits(lines []app.LogLine) int64 {
	largest := int64(0)
	for _, line := range lines {
		largest = max(largest, line.Number)
	}
	return max(minDigits, int64(len(decimal(largest))))
}

// newLogSearch returns the result of a search that found focus.Hit, if any.
func newLogSearch(focus app.LogFocus) logSearch {
	view := logSearch{Text: focus.Text}
	if focus.Text == "" {
		return view
	}
	path := "?find=" + url.QueryEscape(focus.Text)
	switch {
	case focus.Hit != nil && focus.Hit.Number > 0:
		view.Result = "Line " + decimal(focus.Hit.Number)
	case focus.Hit != nil:
		view.Result = "Found"
	case focus.Next > 0:
		view.Result = "Not found in the part that was searched"
	default:
		view.Result = "Not found"
	}
	if focus.Hit != nil {
		view.Hit = decimal(focus.Hit.At)
	}
	switch {
	case focus.Next > 0:
		view.NextLabel, view.NextPath = "Next", path+"&at="+decimal(focus.Next)+"#log"
	case focus.Hit != nil:
		view.NextLabel, view.NextPath = "First", path+"#log"
	}
	return view
}

// newLogLines joins the parts of each line. Lines of different streams may interleave: a part continues the
// open line of its own stream.
func newLogLines(parts []app.LogLine, focus app.LogFocus) (lines []logLine) {
	search := newMarker(focus.Text)
	open := map[app.Stream]int{} // index of the open line of each stream
	for _, from := range parts {
		text, ended := strings.CutSuffix(from.Text, "\n")
		text, replaces := strings.CutPrefix(text, "\r")
		part := newLogPart(from.At, text, search)
		part.Replaces = replaces
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
			lines = append(lines, newLogLine(from, part, focus))
		case replaces:
			lines[i].Text, lines[i].Spans, lines[i].Parts = "", nil, []logPart{part}
		default:
			lines[i].Parts = append(lines[i].Parts, part)
		}
		lines[i].Empty = lines[i].Text == "" && len(lines[i].Spans) == 0 && len(lines[i].Parts) == 0
		lines[i].Open = !ended
		open[from.Stream] = i
		if ended {
			delete(open, from.Stream)
		}
	}
	return lines
}

// newLogLine returns a line whose first part, or first part in the block, is part.
func newLogLine(from app.LogLine, part logPart, focus app.LogFocus) logLine {
	line := logLine{logPart: part}
	if from.Stream != app.Stdout {
		line.Stream = from.Stream.String()
	}
	if !from.Written.IsZero() {
		line.Written = millis(from.Written)
	}
	if n := from.Number; n > 0 {
		line.Number = decimal(n)
		line.ID = lineID(n)
		line.Path = "?line=" + line.Number + "#" + line.ID
		line.Marked = n >= focus.First && n <= focus.Last
	}
	return line
}

func newLogPart(at int64, text string, search *regexp.Regexp) logPart {
	part := logPart{Offset: decimal(at)}
	if search == nil && !strings.Contains(text, "\x1b") {
		part.Text = visible(text)
		return part
	}
	part.Spans = newLogSpans(text, search)
	return part
}
