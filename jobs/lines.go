package jobs

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"runboard/app"
)

// maxPiece is the length in bytes at which an unfinished line is cut. Replacing invalid bytes can at most
// double it, and a newline follows; the result still fits into app.MaxLine.
const maxPiece = app.MaxLine/2 - 1

// partialDelay is how long an unfinished line waits before it is shown. A prompt, or dots that a command
// writes one by one, must be visible before the line ends.
const partialDelay = 200 * time.Millisecond

// lineWriter splits what is written to it into log lines. A line holds what a terminal would show, with its
// styles: after a carriage return or a backspace, text overwrites earlier text of the line, and a style lasts
// until the next one, also in the lines that follow. After partialDelay it adds the unfinished line to the log
// as a part. If later text overwrites that part, the next part begins with a carriage return; see app.LogLine.
type lineWriter struct {
	run    *Run
	stream app.Stream
	last   *lastLines // also remembers the lines; may be nil

	mu      sync.Mutex    // held while a line is added to the run, which may block
	secrets maskStream    // masks what is written
	rest    []byte        // unfinished line, as it was written
	pen     app.TextStyle // at the beginning of rest
	shown   styledText    // part of the unfinished line that is already in the log
	timer   *time.Timer   // calls showPartial
	armed   bool          // timer is set and has not fired
	young   bool          // the unfinished line began after timer was set
}

// Write implements io.Writer. It may block as Run.Log does, and never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write(w.secrets.write(p))
	if len(w.rest) > 0 && !w.armed {
		w.arm()
	}
	return len(p), nil
}

// write splits text into lines.
func (w *lineWriter) write(text []byte) {
	for left := text; len(left) > 0; {
		if end := bytes.IndexByte(left, '\n'); end >= 0 && len(w.rest)+end <= maxPiece {
			w.rest = append(w.rest, left[:end]...)
			w.endLine()
			left = left[end+1:]
			continue
		}
		fits := min(len(left), maxPiece-len(w.rest))
		w.rest, left = append(w.rest, left[:fits]...), left[fits:]
		if len(w.rest) == maxPiece && !w.compact() {
			w.cut()
		}
	}
}

// Close ends the unfinished line, if there is one.
func (w *lineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.write(w.secrets.end())
	if len(w.rest) > 0 || w.shown.plain != "" {
		w.endLine()
	}
	return nil
}

// arm starts the timer for the unfinished line.
func (w *lineWriter) arm() {
	w.armed, w.young = true, false
	if w.timer == nil {
		w.timer = time.AfterFunc(partialDelay, w.showPartial)
		return
	}
	w.timer.Reset(partialDelay)
}

// showPartial adds the unfinished line to the log as far as it has come.
func (w *lineWriter) showPartial() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if len(w.rest) == 0 {
		return
	}
	if w.young { // its end is probably on the way
		w.arm()
		return
	}
	complete := len(w.rest) - unfinishedRune(w.rest)
	if redrawn := bytes.LastIndexByte(w.rest, '\r'); redrawn >= 0 {
		w.readProgress(w.rest[:redrawn])
	}
	text, _ := onTerminal(w.rest[:complete], w.pen)
	w.emit(text.masked(w.run.masker, false), "")
}

// endLine adds the finished line to the log.
func (w *lineWriter) endLine() {
	line, pen := onTerminal(w.rest, w.pen)
	text := line.masked(w.run.masker, true) // again: escape sequences may have divided a secret
	if !w.readProgress(w.rest) {
		w.last.add(w.stream, text.plain)
	}
	w.emit(text, "\n")
	w.begin(nil, pen)
}

// cut adds a part of an overlong line to the log.
func (w *lineWriter) cut() {
	end, held := splitUnfinished(w.rest)
	line, pen := onTerminal(w.rest[:end], w.pen)
	text := line.masked(w.run.masker, true)
	w.last.add(w.stream, text.plain)
	w.emit(text, "")
	w.begin(held, pen)
}

// splitUnfinished returns where an incomplete character or escape sequence at the end of a line begins, and a
// copy of it. Of a long sequence it copies only what makes the bytes that follow a part of it.
func splitUnfinished(line []byte) (end int, held []byte) {
	end = len(line) - unfinishedRune(line)
	if escaped := unfinishedEscape(line[:end]); escaped > 0 {
		end -= escaped
	}
	held = line[end:]
	if len(held) > maxPiece/2 {
		held = held[:2]
	}
	return end, bytes.Clone(held)
}

// begin starts the next line, or the next part of an overlong line, with the bytes raw.
func (w *lineWriter) begin(raw []byte, pen app.TextStyle) {
	w.rest, w.pen, w.shown, w.young = append(w.rest[:0], raw...), pen, styledText{}, true
}

// compact replaces a line that was overwritten many times by what is left of it. It reports whether
// that made enough room.
func (w *lineWriter) compact() bool {
	if bytes.IndexByte(w.rest, '\r') < 0 {
		return false
	}
	end, held := splitUnfinished(w.rest)
	screen := draw(string(w.rest[:end]), w.pen)
	plain := app.TextStyle{}
	short := plain.Codes(w.pen) + textOfCells(screen.cells).encoded() + "\r" +
		textOfCells(screen.cells[:screen.column]).encoded() + screen.pen.Codes(plain) + string(held)
	if len(short) > maxPiece/2 {
		return false
	}
	w.readProgress(w.rest[:bytes.LastIndexByte(w.rest, '\r')])
	w.rest = append(w.rest[:0], short...)
	return true
}

// emit adds to the log what changed in the line since the last call, followed by ending.
func (w *lineWriter) emit(text styledText, ending string) {
	fresh, appended := text.cutPrefix(w.shown)
	replaces := ""
	if !appended { // pad with spaces: a terminal would keep the rest of the longer text
		text = text.padded(w.shown)
		fresh, replaces = text, "\r"
	}
	w.shown = text
	if added := replaces + fresh.encoded() + ending; added != "" {
		w.run.add(app.LogLine{Stream: w.stream, Text: added})
	}
}

// readProgress sets the progress if the last text drawn on the line reports one. It returns whether it does.
func (w *lineWriter) readProgress(raw []byte) bool {
	raw = bytes.TrimRight(raw, "\r")
	raw = raw[bytes.LastIndexByte(raw, '\r')+1:]
	if !bytes.Contains(raw, []byte(progressPrefix)) {
		return false
	}
	percent, message, ok := progressIn(plain(string(raw)))
	if ok {
		w.run.Progress(percent, message)
	}
	return ok
}

// unfinishedRune returns the number of bytes of an incomplete character at the end of text.
func unfinishedRune(text []byte) int {
	for i := len(text) - 1; i >= 0 && i > len(text)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if utf8.FullRune(text[i:]) {
			return 0
		}
		return len(text) - i
	}
	return 0
}

// plain removes what would garble a page or a terminal: escape sequences and control characters. It
// replaces invalid UTF-8.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return -1
		}
		return r
	}, stripEscapes(strings.ToValidUTF8(text, "\uFFFD")))
}

// progressPrefix begins a line that reports progress.
const progressPrefix = "progress:"

var progressLine = regexp.MustCompile(`^` + progressPrefix + ` *([0-9]{1,3}) *%?(?: +(.*))?$`)

// progressIn parses a line like "progress: 40" or "progress: 40% copying". ok is false if it is not one.
func progressIn(line string) (percent int, message string, ok bool) {
	if !strings.HasPrefix(line, progressPrefix) { // much faster than the regular expression
		return 0, "", false
	}
	found := progressLine.FindStringSubmatch(line)
	if found == nil {
		return 0, "", false
	}
	percent, err := strconv.Atoi(found[1])
	return percent, strings.TrimSpace(found[2]), err == nil && percent <= 100
}
