package templates

import (
	"fmt"
	"strings"
	"unicode"
)

// visible spells out characters that show nothing and change how the text around them is read: bidi controls, which reverse
// it, and those without a width. Work can write them into errors and logs, and a page must not show other words than JSON
// has. The joiners of emoji and of scripts that need them stay.
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

// hidden reports whether a character has no shape of its own.
func hidden(char rune) bool {
	switch char {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800': // fillers and a blank pattern, which Unicode counts as letters and symbols
		return true
	case '\u2028', '\u2029', '\u034f', '\u17b4', '\u17b5':
		return true
	}
	return unicode.Is(unicode.Cf, char) && !unicode.Is(unicode.Prepended_Concatenation_Mark, char)
}

// joins reports whether the character at i is a joiner between two characters beyond ASCII.
func joins(text []rune, i int) bool {
	if char := text[i]; char != '\u200c' && char != '\u200d' || i == 0 || i == len(text)-1 {
		return false
	}
	before, after := text[i-1], text[i+1]
	return before > unicode.MaxASCII && after > unicode.MaxASCII && !hidden(before) && !hidden(after)
}
