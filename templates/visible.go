package templates

import (
	"fmt"
	"strings"
	"unicode"
)

// visible replaces characters without a visible shape by their code points, such as <U+202E>. Bidi controls,
// for example, reverse the text around them, so a page would show other words than the JSON has. Such
// characters get in through errors and logs, which user code writes. Joiners stay between characters that may
// need them, as in emoji and some scripts.
func visible(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var out strings.Builder
	runes := []rune(text)
	for i, char := range runes {
		if hidden(char) && !joins(runes, i) {
			fmt.Fprintf(&out, "<U+%04X>", char)
		} else {
			out.WriteRune(char)
		}
	}
	return out.String()
}

// hidden reports whether char has no visible shape.
func hidden(char rune) bool {
	switch char {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800': // blank letters and symbols
		return true
	case '\u2028', '\u2029', '\u034f', '\u17b4', '\u17b5':
		return true
	}
	return unicode.Is(unicode.Cf, char) && !unicode.Is(unicode.Prepended_Concatenation_Mark, char)
}

// joins reports whether the character at i is a joiner between two visible characters beyond ASCII.
func joins(text []rune, i int) bool {
	if char := text[i]; char != '\u200c' && char != '\u200d' || i == 0 || i == len(text)-1 {
		return false
	}
	before, after := text[i-1], text[i+1]
	return before > unicode.MaxASCII && after > unicode.MaxASCII && !hidden(before) && !hidden(after)
}
