package app

import (
	"strings"
)

// MaxPattern is the length in bytes to which a pattern is cut.
const MaxPattern = 300

// Pattern is what errors have in common that differ only in particulars: numbers, ids and hex become #, and paths and
// addresses <path> and <url>. Of an error of many lines it has the first and the last: a command's is its exit status
// and then the end of what it wrote, of which the last line usually says why. The pattern of a pattern is itself.
func Pattern(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	var first, last string
	for _, line := range lines {
		if line = strings.Join(strings.Fields(line), " "); line == "" {
			continue
		}
		if first == "" {
			first = line
		} else {
			last = line
		}
	}
	pattern := generalize(first)
	if last != "" {
		pattern += "\n" + generalize(last)
	}
	if len(pattern) > MaxPattern {
		pattern = strings.TrimSpace(strings.ToValidUTF8(pattern[:MaxPattern], "")) // the cut may go through a character
	}
	return pattern
}

// between tokens, beside blanks
const delimiters = " =\"'`()[]{}<>,;|"

// generalize replaces the particulars of a line.
func generalize(line string) string {
	var out strings.Builder
	for len(line) > 0 {
		end := strings.IndexAny(line, delimiters)
		switch end {
		case 0:
			out.WriteByte(line[0])
			line = line[1:]
			continue
		case -1:
			end = len(line)
		}
		if strings.Contains(line[:end], "://") { // it may have more signs in it than other tokens
			if end = strings.IndexAny(line, " \"'`<>|"); end < 0 {
				end = len(line)
			}
		}
		writeToken(&out, line[:end])
		line = line[end:]
	}
	return out.String()
}

// writeToken writes what stands for a token: a path, an address of the web, or words.
func writeToken(out *strings.Builder, token string) {
	rest := ""
	switch {
	case strings.Contains(token, "://"):
		out.WriteString("<url>")
		if last := len(token) - 1; strings.IndexByte(".:!?", token[last]) >= 0 {
			out.WriteByte(token[last]) // it ends the sentence
		}
		return
	case isPath(token):
		out.WriteString("<path>")
		if colon := strings.IndexByte(token[2:], ':'); colon >= 0 { // and then a line's number
			rest = token[2+colon:]
		}
	default:
		rest = token
	}
	for len(rest) > 0 {
		n := wordLength(rest)
		if n == 0 {
			out.WriteByte(rest[0])
			rest = rest[1:]
			continue
		}
		writeWord(out, rest[:n])
		rest = rest[n:]
	}
}

// isPath reports whether a token names a file: from a root, or from where one is.
func isPath(token string) bool {
	if len(token) < 2 {
		return false
	}
	for _, start := range []string{"/", "./", "../", "~/", `\\`} {
		if strings.HasPrefix(token, start) {
			return true
		}
	}
	if !isWordByte(token[0]) || isDigit(token[0]) {
		return false
	}
	return strings.Count(token, "/") > 1 || len(token) > 2 && token[1] == ':' && token[2] == '\\'
}

// wordLength is how long the word is with which a text begins, or the number: that may have points, colons and dashes
// between its digits, as times and addresses do.
func wordLength(text string) (n int) {
	for n < len(text) && (isWordByte(text[n]) || n > 0 && isDigit(text[n-1]) && n+1 < len(text) && isDigit(text[n+1]) && strings.IndexByte(".:+/", text[n]) >= 0) {
		n++
	}
	return n
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isWordByte(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-' || b >= 0x80
}

// writeWord writes a word, with # for each number in it, or for all of it when it is an id.
func writeWord(out *strings.Builder, word string) {
	if isParticular(word) {
		out.WriteByte('#')
		return
	}
	for i := 0; i < len(word); i++ {
		if !isDigit(word[i]) {
			out.WriteByte(word[i])
		} else if i == 0 || !isDigit(word[i-1]) {
			out.WriteByte('#')
		}
	}
}

// isParticular reports whether a word is a number with what stands between its digits, hex, or an id: long, and with
// several digits.
func isParticular(word string) bool {
	digits, letters, hex := 0, 0, 0
	for _, b := range []byte(word) {
		switch {
		case isDigit(b):
			digits++
		case b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
			hex++
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80:
			letters++
		}
	}
	switch {
	case digits == 0:
		return false
	case letters+hex == 0:
		return isDigit(word[0])
	case letters == 0 && len(word) >= 8:
		return true
	case letters == 1 && (strings.HasPrefix(word, "0x") || digits >= 8):
		return true // hex as C writes it, or a time with its T
	}
	return len(word) >= 12 && digits >= 3
}
