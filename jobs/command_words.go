package jobs

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// splitWords splits a line into words as a shell does, with quotes and backslashes. It expands nothing:
// $HOME and *.txt stay as they are. It fails on syntax that needs a shell, such as a pipe.
func splitWords(line string) (words []string, err error) {
	parser := syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	for word, err := range parser.WordsSeq(strings.NewReader(line)) {
		if parsing, ok := errors.AsType[syntax.ParseError](err); ok {
			const text = "%s; no shell runs, so quote special characters, or use sh -c '...'"
			return nil, fmt.Errorf(text, parsing.Text)
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

// unquote returns the text of a word without its quotes. line is the parsed line, which the
// positions of parts refer to.
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
		default: // a shell would expand it
			text.WriteString(source)
		}
	}
	return text.String(), nil
}

// unescape removes backslashes that quote the next character. If special is not empty, only its
// characters can be quoted.
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
		case text[i] == '\n': // line continuation
		case special != "" && strings.IndexByte(special, text[i]) < 0:
			plain.WriteString(text[i-1 : i+1])
		default:
			plain.WriteByte(text[i])
		}
	}
	return plain.String(), nil
}
