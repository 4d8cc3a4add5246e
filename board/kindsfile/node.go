package kindsfile

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// place is where something stands in the file.
type place struct {
	line int
	kind string // "" outside a kind
}

// firstLine is the place of faults of the whole file.
var firstLine = place{line: 1}

// fault returns a Fault at this place.
func (p place) fault(format string, args ...any) error {
	return &Fault{Line: p.line, Kind: p.kind, Text: fmt.Sprintf(format, args...)}
}

// node is a value of the file. Exactly one of its forms is set.
type node struct {
	place
	scalar  bool
	text    string // of a scalar, as it was written
	quoted  bool
	list    []node
	isList  bool
	isMap   bool
	entries []entry
}

// entry is a key of a mapping with its value.
type entry struct {
	place
	key   string
	value node
}

// parseYAML parses one document of the strict subset of YAML that a kinds file may use: no aliases, anchors,
// tags, directives, nulls or keys with a question mark.
func parseYAML(content []byte) (root node, err error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	switch {
	case len(content) > MaxSize:
		return root, firstLine.fault("the file is larger than %d MiB", MaxSize>>20)
	case !utf8.Valid(content):
		return root, invalidAt(content).fault("the file is not valid UTF-8")
	}
	tokens := lexer.Tokenize(string(content))
	if err := checkShape(tokens); err != nil {
		return root, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // convertEntries refuses them
	if syntax := yaml.Error(nil); errors.As(err, &syntax) {
		return root, placeOf(syntax.GetToken(), tokens).fault("%s", syntax.GetMessage())
	}
	if err != nil {
		return root, firstLine.fault("%v", err)
	}
	return convertDocument(file)
}

// invalidAt returns the place of the first bytes that are not UTF-8.
func invalidAt(content []byte) place {
	valid := 0
	for valid < len(content) {
		r, size := utf8.DecodeRune(content[valid:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		valid += size
	}
	return place{line: 1 + bytes.Count(content[:valid], []byte("\n"))}
}

// convertDocument converts the only document of a file.
func convertDocument(file *ast.File) (root node, err error) {
	var documents []*ast.DocumentNode
	for _, document := range file.Docs {
		if document.Body != nil || document.Start != nil && len(documents) > 0 {
			documents = append(documents, document)
		}
	}
	if len(documents) == 0 {
		return root, firstLine.fault("the file is empty")
	}
	if root, err = (converter{}).convert(documents[0].Body); err != nil {
		return root, err
	}
	if len(documents) == 1 {
		return root, nil
	}
	begin := documents[1].Start // of a line ---, which may be missing after a line ...
	if begin == nil {
		begin = documents[1].Body.GetToken()
	}
	second := place{line: begin.Position.Line}
	return root, second.fault("a second document begins here; the file must have only one")
}

// placeOf returns the place of a token that cannot be parsed.
func placeOf(at *token.Token, tokens token.Tokens) place {
	if at == nil || at.Position == nil {
		return firstLine
	}
	return place{line: at.Position.Line, kind: kindAt(tokens, at.Position.Line)}
}

// kindAt returns the name of the kind that has a line of a file in block style, or "".
func kindAt(tokens token.Tokens, line int) (kind string) {
	column := 0 // of the names of the kinds; 0: outside the section
	for n, t := range tokens {
		if t.Type != token.MappingValueType || n == 0 || tokens[n-1].Position.Line > line {
			continue
		}
		key := tokens[n-1]
		switch {
		case key.Position.Column == 1:
			kind, column = "", 0
			if key.Value == "kinds" && n+1 < len(tokens) {
				column = tokens[n+1].Position.Column
			}
		case key.Position.Column == column:
			kind = key.Value
		}
	}
	return kind
}

// converter converts nodes of the parser.
type converter struct {
	depth int    // of the current mapping, from 1
	kinds bool   // the nodes belong to the section of the kinds
	kind  string // that the nodes belong to
}

func (c converter) at(t *token.Token) place { return place{line: t.Position.Line, kind: c.kind} }

func (c converter) convert(from ast.Node) (to node, err error) {
	at := from.GetToken()
	to.place = c.at(at)
	switch from := from.(type) {
	case *ast.MappingNode:
		to.isMap = true
		to.entries, err = c.convertEntries(from.Values)
	case *ast.MappingValueNode:
		to.isMap = true
		to.entries, err = c.convertEntries([]*ast.MappingValueNode{from})
	case *ast.SequenceNode:
		to.isList = true
		to.list, err = c.convertList(from.Values)
	case *ast.StringNode:
		to.scalar, to.text = true, from.Value
		to.quoted = at.Type == token.SingleQuoteType || at.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		to.scalar, to.text, to.quoted = true, from.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		to.scalar, to.text = true, at.Value
	default:
		err = to.fault("%s", whyRefused(from))
	}
	return to, err
}

// whyRefused returns why a node that is not in the subset is refused.
func whyRefused(of ast.Node) string {
	switch of := of.(type) {
	case *ast.NullNode:
		return "a value is missing here (null)"
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		return "anchors and aliases are not allowed"
	case *ast.TagNode:
		return "tags are not allowed"
	case *ast.DirectiveNode:
		return "directives are not allowed"
	default:
		return fmt.Sprintf("%s is not allowed", of.Type())
	}
}

func (c converter) convertList(values []ast.Node) (list []node, err error) {
	list = make([]node, 0, len(values))
	for _, value := range values {
		element, err := c.convert(value)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}

func (c converter) convertEntries(values []*ast.MappingValueNode) (entries []entry, err error) {
	entries = make([]entry, 0, len(values))
	first := make(map[string]int, len(values)) // lines of the keys
	c.depth++
	for _, value := range values {
		key, err := c.convert(value.Key)
		if err != nil {
			return nil, err
		}
		if !key.scalar {
			return nil, key.fault("a key must be a word")
		}
		within := c.within(key.text)
		key.kind = within.kind
		if line, twice := first[key.text]; twice {
			return nil, key.fault("the key %s is there twice, first in line %d", quote(key.text), line)
		}
		first[key.text] = key.line
		content, err := within.convert(value.Value)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{place: key.place, key: key.text, value: content})
	}
	return entries, nil
}

// within returns the converter for the value of a key.
func (c converter) within(key string) converter {
	switch {
	case c.depth == 1:
		c.kinds = key == "kinds"
	case c.depth == 2 && c.kinds:
		c.kind = key
	}
	return c
}
