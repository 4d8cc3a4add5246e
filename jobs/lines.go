package jobs

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi/parser"

	"runboard/app"
)

// maxPiece is the length in bytes at which a line without an end is cut into parts. Made plain, it can be twice
// as long at most, and then comes the newline.
const maxPiece = app.MaxLine/2 - 1

// lineWriter makes lines of what is written to it. A carriage return ends a line as well: so a bar that draws
// itself anew in place is seen to move.
type lineWriter struct {
	report *Report
	stream app.Stream
	last   *lastLines // remembers the lines as well; may be nil
	rest   []byte     // an unfinished line
	cr     bool       // the last line ended with a carriage return: a newline may follow that means the same
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for left := p; len(left) > 0; {
		if w.cr && left[0] == '\n' {
			left = left[1:]
		}
		w.cr = false
		if end := bytes.IndexAny(left, "\r\n"); end >= 0 && len(w.rest)+end <= maxPiece {
			w.cr = left[end] == '\r'
			w.add(append(w.rest, left[:end]...), "\n")
			left = left[end+1:]
			continue
		}
		fits := min(len(left), maxPiece-len(w.rest))
		w.rest, left = append(w.rest, left[:fits]...), left[fits:]
		if len(w.rest) == maxPiece {
			w.cut()
		}
	}
	return len(p), nil
}

// Close ends a line that is unfinished.
func (w *lineWriter) Close() error {
	if len(w.rest) > 0 {
		w.add(w.rest, "\n")
	}
	return nil
}

// cut hands in a part of a line that is too long, but for the beginning of a character at its end.
func (w *lineWriter) cut() {
	end := len(w.rest)
	for i := end - 1; i > end-utf8.UTFMax; i-- {
		if utf8.RuneStart(w.rest[i]) {
			if !utf8.FullRune(w.rest[i:]) {
				end = i
			}
			break
		}
	}
	begun := bytes.Clone(w.rest[end:])
	w.add(w.rest[:end], "")
	w.rest = append(w.rest, begun...)
}

// add hands in a line or a part of one, and begins another.
func (w *lineWriter) add(raw []byte, ending string) {
	text := plain(string(raw))
	w.rest = w.rest[:0]
	if percent, message, ok := progressIn(text); ok {
		w.report.Progress(percent, message)
	} else {
		w.last.add(w.stream, text)
	}
	if text += ending; text != "" {
		w.report.add(app.LogLine{Stream: w.stream, Text: text})
	}
}

// plain is a text of any bytes without what would garble a page or a terminal: escape sequences, control
// characters, and what is not UTF-8.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, stripEscapes(strings.ToValidUTF8(text, "\uFFFD")))
}

// stripEscapes leaves out what a terminal would take for commands.
func stripEscapes(text string) string {
	const escape = 0x1b
	if strings.IndexByte(text, escape) < 0 {
		return text
	}
	var out strings.Builder
	state, action := parser.GroundState, parser.NoneAction
	for _, char := range []byte(text) {
		if state == parser.GroundState && char != escape { // all of UTF-8: the table knows it not
			out.WriteByte(char)
			continue
		}
		if state, action = parser.Table.Transition(state, char); action == parser.PrintAction {
			out.WriteByte(char)
		}
	}
	return out.String()
}

var progressLine = regexp.MustCompile(`^progress: *([0-9]{1,3}) *%?(?: +(.*))?$`)

// progressIn reads a line like "progress: 40" or "progress: 40% copying".
func progressIn(line string) (percent int, message string, ok bool) {
	found := progressLine.FindStringSubmatch(line)
	if found == nil {
		return 0, "", false
	}
	percent, err := strconv.Atoi(found[1])
	return percent, strings.TrimSpace(found[2]), err == nil && percent <= 100
}
