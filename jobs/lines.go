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

// maxPiece is the length in bytes at which a line without an end is cut into parts. Made plain, it can be twice
// as long at most, and then comes the newline.
const maxPiece = app.MaxLine/2 - 1

// partialDelay is how long the beginning of a line may wait for the rest of it before it is shown by itself: a question,
// or dots that are written one by one, must be seen although their line has not ended.
const partialDelay = 200 * time.Millisecond

// lineWriter makes lines of what is written to it. A line is what a terminal would show of it: a carriage return and a
// backspace move back within it, and what follows is written over what was there. An unfinished line is handed in as far
// as it has come when partialDelay has passed. If it is written over afterwards, the next part of it begins with a
// carriage return, see app.LogLine.
type lineWriter struct {
	run    *Run
	stream app.Stream
	last   *lastLines // remembers the lines as well; may be nil

	mu    sync.Mutex  // held while a line is handed in, which may wait
	rest  []byte      // the unfinished line, as it was written
	shown string      // what has been handed in of it
	timer *time.Timer // calls showPartial when it is time
	armed bool        // timer has been set and has not fired
	young bool        // the unfinished line began after timer was set

	text    []byte // used by writePlain
	lengths []uint16
}

// Write implements io.Writer. It never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for left := p; len(left) > 0; {
		if len(w.rest) == 0 && w.shown == "" {
			if taken := w.writePlain(left); taken > 0 {
				left, w.young = left[taken:], true
				continue
			}
		}
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
	if len(w.rest) > 0 && !w.armed {
		w.arm()
	}
	return len(p), nil
}

// Close ends a line that is unfinished.
func (w *lineWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	if len(w.rest) > 0 || w.shown != "" {
		w.endLine()
	}
	return nil
}

func (w *lineWriter) arm() {
	w.armed, w.young = true, false
	if w.timer == nil {
		w.timer = time.AfterFunc(partialDelay, w.showPartial)
		return
	}
	w.timer.Reset(partialDelay)
}

// showPartial hands in the unfinished line as far as it has come.
func (w *lineWriter) showPartial() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	if len(w.rest) == 0 {
		return
	}
	if w.young { // most likely its end is under way
		w.arm()
		return
	}
	complete := len(w.rest) - unfinishedRune(w.rest)
	if redrawn := bytes.LastIndexByte(w.rest, '\r'); redrawn >= 0 {
		w.readProgress(w.rest[:redrawn])
	}
	w.handIn(onTerminal(string(w.rest[:complete])), "")
}

// endLine hands in the line that has come to its end.
func (w *lineWriter) endLine() {
	text := onTerminal(string(w.rest))
	if !w.readProgress(w.rest) {
		w.last.add(w.stream, text)
	}
	w.handIn(text, "\n")
	w.begin(nil)
}

// cut hands in a part of a line that is too long, but for the beginning of a character at its end.
func (w *lineWriter) cut() {
	end := len(w.rest) - unfinishedRune(w.rest)
	begun := bytes.Clone(w.rest[end:])
	text := onTerminal(string(w.rest[:end]))
	w.last.add(w.stream, text)
	w.handIn(text, "")
	w.begin(begun)
}

// begin begins another line, or another part of one that is too long.
func (w *lineWriter) begin(raw []byte) {
	w.rest, w.shown, w.young = append(w.rest[:0], raw...), "", true
}

// compact shortens a line that has been written over again and again to what is left of it. It reports whether that
// has made room.
func (w *lineWriter) compact() bool {
	if bytes.IndexByte(w.rest, '\r') < 0 {
		return false
	}
	end := len(w.rest) - unfinishedRune(w.rest)
	screen := draw(string(w.rest[:end]))
	short := string(screen.cells) + "\r" + string(screen.cells[:screen.column]) + string(w.rest[end:])
	if len(short) > maxPiece/2 {
		return false
	}
	w.readProgress(w.rest[:bytes.LastIndexByte(w.rest, '\r')])
	w.rest = append(w.rest[:0], short...)
	return true
}

// handIn hands in what the line has become since it was handed in last.
func (w *lineWriter) handIn(text, ending string) {
	fresh, appended := strings.CutPrefix(text, w.shown)
	if !appended { // as long as what it replaces, which a terminal would leave in part otherwise
		missing := utf8.RuneCountInString(w.shown) - utf8.RuneCountInString(text)
		text += strings.Repeat(" ", max(0, missing))
		fresh = "\r" + text
	}
	w.shown = text
	if fresh += ending; fresh != "" {
		w.run.add(app.LogLine{Stream: w.stream, Text: fresh})
	}
}

// readProgress looks for a report of progress in what was drawn last of a line, and reports whether there is one.
func (w *lineWriter) readProgress(raw []byte) bool {
	raw = bytes.TrimRight(raw, "\r")
	raw = raw[bytes.LastIndexByte(raw, '\r')+1:]
	if !bytes.Contains(raw, []byte("progress:")) {
		return false
	}
	percent, message, ok := progressIn(plain(string(raw)))
	if ok {
		w.run.Progress(percent, message)
	}
	return ok
}

// unfinishedRune returns how many bytes at the end of a text are the beginning of a character.
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

var progressLine = regexp.MustCompile(`^progress: *([0-9]{1,3}) *%?(?: +(.*))?$`)

// progressIn reads a line like "progress: 40" or "progress: 40% copying".
func progressIn(line string) (percent int, message string, ok bool) {
	if !strings.HasPrefix(line, string(progressPrefix)) { // which is much faster to find out
		return 0, "", false
	}
	found := progressLine.FindStringSubmatch(line)
	if found == nil {
		return 0, "", false
	}
	percent, err := strconv.Atoi(found[1])
	return percent, strings.TrimSpace(found[2]), err == nil && percent <= 100
}
