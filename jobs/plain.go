package jobs

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"runboard/app"
)

// progressPrefix begins a line that reports progress, see progressIn.
var progressPrefix = []byte("progress:")

// plainLines returns how many bytes at the beginning of p are whole lines that a fast look is enough for: printable
// ASCII, tabs, letters and colours, no report of progress, and not too long. Almost all output is like that, and is
// taken ten times as fast as by looking at each line by itself. What stands in the log of them is appended to text, and
// the lengths of the lines to lengths.
func plainLines(p, text []byte, lengths []uint16) (taken int, _ []byte, _ []uint16) {
	begun, copied := len(text), 0 // the line in text, and what text has of p
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\n':
			text = append(text, p[copied:i+1]...)
			if bytes.HasPrefix(text[begun:], progressPrefix) {
				return taken, text[:begun], lengths
			}
			lengths = append(lengths, uint16(len(text)-begun))
			begun, copied, taken = len(text), i+1, i+1
		case i-taken >= maxPiece, c < ' ' && c != '\t' && c != escape, c == 0x7f:
			return taken, text[:begun], lengths
		case c == escape:
			size := colourSize(p[i:])
			if size == 0 {
				return taken, text[:begun], lengths
			}
			text = append(text, p[copied:i]...)
			i += size - 1
			copied = i + 1
		case c >= utf8.RuneSelf:
			letter, size := utf8.DecodeRune(p[i:])
			if !unicode.IsLetter(letter) { // which the replacement of a broken character is not
				return taken, text[:begun], lengths
			}
			i += size - 1
		}
	}
	return taken, text[:begun], lengths
}

// colourSize returns the length of the escape sequence for colours at the beginning of p, which has no effect here. It
// returns 0 when there is none.
func colourSize(p []byte) int {
	if len(p) < 2 || p[0] != escape || p[1] != '[' {
		return 0
	}
	for i, c := range p[2:] {
		switch {
		case c == 'm':
			return i + 3
		case c < '0' || c > ';':
			return 0
		}
	}
	return 0
}

// writePlain takes the lines at the beginning of p that need no long look. It must not be called within a line.
func (w *lineWriter) writePlain(p []byte) (taken int) {
	taken, w.text, w.lengths = plainLines(p, w.text[:0], w.lengths[:0])
	if taken > 0 {
		w.last.addTail(w.stream, w.text, w.lengths)
		w.run.addLines(w.stream, w.text, w.lengths)
	}
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
