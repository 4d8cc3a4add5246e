package templates

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// maxPattern is the length in bytes from which a pattern is left to the server.
const maxPattern = 1000

// browserPattern returns the pattern attribute that accepts the same texts as an RE2 pattern, or "" if there
// is none: the server then checks alone. Browsers anchor it, as the server does.
func browserPattern(pattern string) string {
	if pattern == "" {
		return ""
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var out strings.Builder
	if !writePattern(&out, parsed) || out.Len() > maxPattern {
		return ""
	}
	return out.String()
}

// writePattern writes an expression in the syntax of browsers. It returns false if they have no equal one.
func writePattern(out *strings.Builder, re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpLiteral:
		return writeLiteral(out, re)
	case syntax.OpCharClass:
		return writeClass(out, re.Rune)
	case syntax.OpAnyCharNotNL:
		out.WriteString(`[^\n]`)
	case syntax.OpAnyChar:
		out.WriteString(`[^]`)
	case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate:
		return writeGroup(out, re)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return writeRepeat(out, re)
	default: // anchors and word boundaries
		return false
	}
	return true
}

func writeLiteral(out *strings.Builder, re *syntax.Regexp) bool {
	if re.Flags&syntax.FoldCase != 0 {
		return false
	}
	for _, char := range re.Rune {
		writeRune(out, char)
	}
	return true
}

// writeRune writes a character so that it is one inside and outside of classes.
func writeRune(out *strings.Builder, char rune) {
	switch {
	case isWord(char):
		out.WriteRune(char)
	case strings.ContainsRune(`^$\.*+?()[]{}|/`, char):
		out.WriteByte('\\')
		out.WriteRune(char)
	default:
		fmt.Fprintf(out, `\u{%x}`, char)
	}
}

func isWord(char rune) bool {
	isASCII := char < unicode.MaxASCII
	return isASCII && (unicode.IsLetter(char) || unicode.IsDigit(char) || char == ' ' || char == '_')
}

func writeClass(out *strings.Builder, ranges []rune) bool {
	out.WriteByte('[')
	for i := 0; i < len(ranges); i += 2 {
		writeRune(out, ranges[i])
		if ranges[i] != ranges[i+1] {
			out.WriteByte('-')
			writeRune(out, ranges[i+1])
		}
	}
	out.WriteByte(']')
	return len(ranges) > 0
}

func writeGroup(out *strings.Builder, re *syntax.Regexp) bool {
	if re.Op != syntax.OpConcat {
		out.WriteString("(?:")
		defer out.WriteByte(')')
	}
	for i, part := range re.Sub {
		if i > 0 && re.Op == syntax.OpAlternate {
			out.WriteByte('|')
		}
		if !writePattern(out, part) {
			return false
		}
	}
	return true
}

// units are the expressions that a quantifier applies to as a whole.
var units = []syntax.Op{
	syntax.OpCharClass, syntax.OpAnyCharNotNL, syntax.OpAnyChar, syntax.OpCapture, syntax.OpAlternate,
}

func writeRepeat(out *strings.Builder, re *syntax.Regexp) bool {
	part := re.Sub[0]
	isUnit := part.Op == syntax.OpLiteral && len(part.Rune) == 1 || slices.Contains(units, part.Op)
	if !isUnit {
		out.WriteString("(?:")
	}
	if !writePattern(out, part) {
		return false
	}
	if !isUnit {
		out.WriteByte(')')
	}
	switch re.Op {
	case syntax.OpStar:
		out.WriteByte('*')
	case syntax.OpPlus:
		out.WriteByte('+')
	case syntax.OpQuest:
		out.WriteByte('?')
	default:
		out.WriteString(repeatCount(re.Min, re.Max))
	}
	return true
}

// repeatCount returns the quantifier for least to most repetitions; most is -1 without a limit.
func repeatCount(least, most int) string {
	switch most {
	case least:
		return fmt.Sprintf("{%d}", least)
	case -1:
		return fmt.Sprintf("{%d,}", least)
	}
	return fmt.Sprintf("{%d,%d}", least, most)
}
