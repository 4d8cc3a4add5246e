package jobs

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"runboard/app"
)

// progressPrefix begins a line that reports progress, see progressIn.
var progressPrefix = []byte("progress:")

// plainLines returns how many bytes at the beginning of p are whole lines that stand in the log as they are:
// printable ASCII, tabs and letters, no report of progress, and not too long. lengths are their lengths,
// appended to those given. Almost all output is like that, and is taken ten times as fast as by looking at
// each line by itself.
func plainLines(p []byte, lengths []uint16) (taken int, _ []uint16) {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\n':
			if bytes.HasPrefix(p[taken:i], progressPrefix) {
				return taken, lengths
			}
			lengths = append(lengths, uint16(i+1-taken))
			taken = i + 1
		case i-taken >= maxPiece, c < ' ' && c != '\t', c == 0x7f:
			return taken, lengths
		case c >= utf8.RuneSelf:
			letter, size := utf8.DecodeRune(p[i:])
			if !unicode.IsLetter(letter) { // which the replacement of a broken character is not
				return taken, lengths
			}
			i += size - 1
		}
	}
	return taken, lengths
}

// writePlain takes the lines at the beginning of p that need no change. It must not be called within a line.
func (w *lineWriter) writePlain(p []byte) (taken int) {
	taken, w.lengths = plainLines(p, w.lengths[:0])
	if taken == 0 {
		return 0
	}
	w.last.addTail(w.stream, p[:taken], w.lengths)
	w.report.addLines(w.stream, p[:taken], w.lengths)
	return taken
}

// addTail adds the last of some lines, as many as are kept.
func (l *lastLines) addTail(stream app.Stream, text []byte, lengths []uint16) {
	if l == nil {
		return
	}
	var tail [][]byte
	for i := len(lengths) - 1; i >= 0 && len(tail) < lastCount; i-- {
		line := text[len(text)-int(lengths[i]):]
		text = text[:len(text)-len(line)]
		if len(bytes.TrimSpace(line)) > 0 {
			tail = append(tail, line)
		}
	}
	for i := len(tail) - 1; i >= 0; i-- {
		l.add(stream, string(tail[i]))
	}
}
