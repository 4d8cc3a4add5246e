package app

import (
	"strings"
)

// MaxPattern is the maximum length of a pattern, in bytes.
const MaxPattern = 300

// cutLine is the length in characters to which the pattern of a line is cut that was cut before, as its end
// says: where depends on the length of the numbers in it.
const cutLine = 120

// Pattern normalizes an error, so that errors which differ only in details have equal patterns: numbers, IDs
// and hex become #, paths become <path>, URLs become <url>. Of several lines it uses the first and the last:
// the error of a command is its exit status followed by the end of its output, whose last line usually has
// the reason. Pattern is idempotent: Pattern(Pattern(s)) == Pattern(s).
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
	pattern := normalize(first)
	if last != "" {
		pattern += "\n" + normalize(last)
	}
	if len(pattern) > MaxPattern {
		pattern = strings.ToValidUTF8(pattern[:MaxPattern], "") // the cut may split a character
		pattern = strings.TrimSpace(pattern)
	}
	return pattern
}

// delimiters are the characters that separate tokens.
const delimiters = " =\"'`()[]{}<>,;|"

// normalize replaces the variable parts of a line.
func normalize(line string) string {
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
		if strings.Contains(line[:end], "://") { // URLs may contain delimiters
			if end = strings.IndexAny(line, " \"'`<>|"); end < 0 {
				end = len(line)
			}
		}
		writeToken(&out, line[:end])
		line = line[end:]
	}
	return cutAgain(out.String())
}

// cutAgain cuts the pattern of a line that ends with an ellipsis to cutLine.
func cutAgain(pattern string) string {
	const ellipsis = "…"
	text, isCut := strings.CutSuffix(pattern, ellipsis)
	runes := []rune(text)
	if !isCut || len(runes) <= cutLine {
		return pattern
	}
	// A slash before the ellipsis would look like the beginning of a path.
	return strings.TrimRight(string(runes[:cutLine]), "/") + ellipsis
}

// writeToken writes a token in normalized form: <url>, <path>, or its words.
func writeToken(out *strings.Builder, token string) {
	rest := ""
	switch {
	case strings.Contains(token, "://"):
		out.WriteString("<url>")
		if last := len(token) - 1; strings.IndexByte(".:!?", token[last]) >= 0 {
			out.WriteByte(token[last]) // the end of a sentence
		}
		return
	case isPath(token):
		out.WriteString("<path>")
		if colon := strings.IndexByte(token[2:], ':'); colon >= 0 { // followed by a line number
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

// isPath reports whether a token is an absolute or relative path, of Unix or Windows.
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

// wordLength returns the length in bytes of the word or number at the beginning of text. A number may contain
// points, colons, slashes and plus signs between digits, as times and addresses do.
func wordLength(text string) (n int) {
	for n < len(text) && (isWordByte(text[n]) || joinsDigits(text, n)) {
		n++
	}
	return n
}

// joinsDigits reports whether text[i] is between digits and part of their number.
func joinsDigits(text string, i int) bool {
	return i > 0 && i+1 < len(text) && isDigit(text[i-1]) && isDigit(text[i+1]) &&
		strings.IndexByte(".:+/", text[i]) >= 0
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isWordByte(b byte) bool {
	return isDigit(b) || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b == '-' || b >= 0x80
}

// writeWord writes a word with # for each number in it, or only # if the whole word is variable.
func writeWord(out *strings.Builder, word string) {
	if isVariable(word) {
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

// isVariable reports whether a word is a number, hex, or an ID (12 bytes or longer, with at least 3 digits).
func isVariable(word string) bool {
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
		return true // 0x…, or a time with its T
	}
	return len(word) >= 12 && digits >= 3
}
