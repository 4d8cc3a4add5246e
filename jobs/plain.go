package jobs

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"runboard/app"
)

// progressPrefix begins a line that reports progress; see progressIn.
var progressPrefix = []byte("progress:")

// plainLines is the fast path for ordinary output. It scans whole lines at the beginning of p that
// contain only printable ASCII, tabs, letters and colours, that report no progress, and that are not too
// long. Almost all output is like that, and this is ten times as fast as handling each line by itself.
// plainLines appends the log text of these lines to text and their lengths to lengths. taken is the
// number of bytes of p that it used.
func plainLines(p, text []byte, lengths []uint16) (taken int, _ []byte, _ []uint16) {
	begun, copied := len(text), 0 // start of the current line in text; bytes of p already copied
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
			if !unicode.IsLetter(letter) { // false also for the replacement character
				return taken, text[:begun], lengths
			}
			i += size - 1
		}
	}
	return taken, text[:begun], lengths
}

// colourSize returns the length of a colour sequence at the beginning of p, or 0 if there is none.
// Colours have no effect in the log.
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

// writePlain writes the lines at the beginning of p that plainLines accepts, and returns how many bytes
// it used. The caller must not have an unfinished line.
func (w *lineWriter) writePlain(p []byte) (taken int) {
	taken, w.text, w.lengths = plainLines(p, w.text[:0], w.lengths[:0])
	if taken > 0 {
		w.last.addTail(w.stream, w.text, w.lengths)
		w.run.addLines(w.stream, w.text, w.lengths)
	}
	return taken
}

// addTail adds the last lastCount lines that are not blank.
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
