package jobs

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// splitWords splits a line into words as a shell does it, quotes and backslashes included. Nothing is
// expanded: $HOME and *.txt stay as they are. It fails on what only a shell can do, such as a pipe.
func splitWords(line string) (words []string, err error) {
	parser := syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	for word, err := range parser.WordsSeq(strings.NewReader(line)) {
		if parsing, ok := errors.AsType[syntax.ParseError](err); ok {
			return nil, fmt.Errorf("%s; no shell reads it, so quote what is text, or use sh -c '...'", parsing.Text)
		}
		if err != nil {
			return nil, err
		}
		text, err := unquote(line, word.Parts)
		if err != nil {
			return nil, err
		}
		words = append(words, text)
	}
	return words, nil
}

// unquote returns the text of a word without its quotes. line is what was parsed.
func unquote(line string, parts []syntax.WordPart) (string, error) {
	var text strings.Builder
	for _, part := range parts {
		source := line[part.Pos().Offset():part.End().Offset()]
		switch part := part.(type) {
		case *syntax.Lit:
			plain, err := unescape(source, "")
			if err != nil {
				return "", err
			}
			text.WriteString(plain)
		case *syntax.SglQuoted:
			text.WriteString(part.Value)
		case *syntax.DblQuoted:
			plain, err := unescape(source[1:len(source)-1], "$`\"\\\n")
			if err != nil {
				return "", err
			}
			text.WriteString(plain)
		default: // what a shell would expand
			text.WriteString(source)
		}
	}
	return text.String(), nil
}

// unescape removes the backslashes that quote the next character: any, or one of those given.
func unescape(text, special string) (string, error) {
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			plain.WriteByte(text[i])
			continue
		}
		i++
		switch {
		case i == len(text):
			return "", errors.New("a backslash at the end quotes nothing")
		case text[i] == '\n': // the line goes on
		case special != "" && strings.IndexByte(special, text[i]) < 0:
			plain.WriteString(text[i-1 : i+1])
		default:
			plain.WriteByte(text[i])
		}
	}
	return plain.String(), nil
}
