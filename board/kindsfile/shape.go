package kindsfile

import (
	"github.com/goccy/go-yaml/token"
)

// Limits of the shape of a file. Without them the parser takes minutes for some files: its time grows with
// the depth, and with the square of the number of keys in a mapping.
const (
	maxTokens = 500_000 // several thousand kinds
	maxDepth  = 16
	maxKeys   = 4000 // of a mapping
)

// shape follows the tokens of a file. It knows the mappings and lists around a token.
type shape struct {
	open []level
}

// level is a mapping or a list.
type level struct {
	column int // of its keys or dashes; 0: in brackets
	keys   int
}

// checkShape refuses files that the parser would take long for.
func checkShape(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		const text = "the file is too large: it has %d words and signs, more than %d"
		return firstLine.fault(text, len(tokens), maxTokens)
	}
	var s shape
	for n, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			s.open = append(s.open, level{})
		case token.MappingEndType, token.SequenceEndType:
			s.close()
		case token.SequenceEntryType:
			s.entry(t.Position.Column)
		case token.MappingValueType:
			if n > 0 {
				s.entry(tokens[n-1].Position.Column)
			}
		}
		if len(s.open) > maxDepth {
			return placeOf(t, tokens).fault("mappings and lists are nested more than %d deep", maxDepth)
		}
		if last := len(s.open) - 1; last >= 0 && s.open[last].keys > maxKeys {
			return placeOf(t, tokens).fault("a mapping or list has more than %d entries", maxKeys)
		}
	}
	return nil
}

// close leaves everything that the last bracket opened.
func (s *shape) close() {
	for len(s.open) > 0 {
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		if last.column == 0 {
			return
		}
	}
}

// entry counts a key or a dash, which in brackets belongs to these wherever it stands.
func (s *shape) entry(column int) {
	for len(s.open) > 0 {
		last := &s.open[len(s.open)-1]
		if last.column == 0 || last.column == column {
			last.keys++
			return
		}
		if last.column < column {
			break
		}
		s.open = s.open[:len(s.open)-1]
	}
	s.open = append(s.open, level{column: column, keys: 1})
}
