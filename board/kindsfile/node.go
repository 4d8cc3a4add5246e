package kindsfile

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Fault is what is wrong with a kinds file, and where.
type Fault struct {
	File string
	Line int    // from 1; 0 if it concerns the whole file
	Kind string // "" outside a kind
	Text string
}

// Error returns one line such as kinds.yaml:12: backup: unknown key "timout".
func (f *Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Kind != "" {
		return fmt.Sprintf("%s: %s: %s", place, f.Kind, f.Text)
	}
	return fmt.Sprintf("%s: %s", place, f.Text)
}

// node is a value of the file. Exactly one of its forms is set.
type node struct {
	line    int
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
	key   string
	line  int
	value node
}

// parseYAML parses one document of the strict subset of YAML that a kinds file may use: no aliases, anchors,
// tags, directives or nulls. kindAt returns the name of the kind that a line belongs to, or "".
func parseYAML(content []byte) (root node, kindAt func(line int) string, err error) {
	kindAt = func(int) string { return "" }
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	if !utf8.Valid(content) {
		return root, kindAt, &Fault{Text: "the file is not valid UTF-8"}
	}
	file, err := parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey()) // convertEntries refuses them
	if syntax := yaml.Error(nil); errors.As(err, &syntax) {
		return root, kindAt, faultAt(syntax.GetToken(), "%s", syntax.GetMessage())
	}
	if err != nil {
		return root, kindAt, &Fault{Text: err.Error()}
	}
	var bodies []ast.Node
	for _, document := range file.Docs {
		if document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	if len(bodies) == 0 {
		return root, kindAt, &Fault{Text: "the file is empty"}
	}
	kindAt = kindLines(bodies[0])
	root, err = convert(bodies[0])
	if err == nil && len(bodies) > 1 {
		err = faultAt(bodies[1].GetToken(), "a second document begins; the file must have only one")
	}
	return root, kindAt, err
}

// kindLines returns a function that returns the name of the kind that a line of the file belongs to, or "".
func kindLines(root ast.Node) func(line int) string {
	type start struct {
		line int
		kind string
	}
	var starts []start
	for _, section := range entriesOf(root) {
		starts = append(starts, start{lineOf(section.Key), ""})
		if section.Key.GetToken().Value != "kinds" {
			continue
		}
		for _, kind := range entriesOf(section.Value) {
			starts = append(starts, start{lineOf(kind.Key), kind.Key.GetToken().Value})
		}
	}
	return func(line int) string {
		name := ""
		for _, s := range starts {
			if s.line <= line {
				name = s.kind
			}
		}
		return name
	}
}

func lineOf(of ast.Node) int { return of.GetToken().Position.Line }

// entriesOf returns the entries of a mapping.
func entriesOf(of ast.Node) []*ast.MappingValueNode {
	switch of := of.(type) {
	case *ast.MappingNode:
		return of.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{of}
	}
	return nil
}

// faultAt returns a Fault without file and kind.
func faultAt(at *token.Token, format string, args ...any) error {
	fault := &Fault{Text: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		fault.Line = at.Position.Line
	}
	return fault
}

// convert converts a node of the parser.
func convert(from ast.Node) (to node, err error) {
	at := from.GetToken()
	to.line = at.Position.Line
	switch from := from.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		to.isMap = true
		to.entries, err = convertEntries(entriesOf(from))
		return to, err
	case *ast.SequenceNode:
		to.isList = true
		for _, value := range from.Values {
			element, err := convert(value)
			if err != nil {
				return to, err
			}
			to.list = append(to.list, element)
		}
		return to, nil
	case *ast.StringNode:
		to.scalar, to.text = true, from.Value
		to.quoted = at.Type == token.SingleQuoteType || at.Type == token.DoubleQuoteType
		return to, nil
	case *ast.LiteralNode:
		to.scalar, to.text, to.quoted = true, from.Value.Value, true
		return to, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		to.scalar, to.text = true, at.Value
		return to, nil
	case *ast.NullNode:
		return to, faultAt(at, "a value is missing here (null)")
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		return to, faultAt(at, "anchors and aliases are not allowed")
	case *ast.TagNode:
		return to, faultAt(at, "tags are not allowed")
	}
	return to, faultAt(at, "%s is not allowed", from.Type())
}

func convertEntries(values []*ast.MappingValueNode) (entries []entry, err error) {
	seen := map[string]int{}
	for _, value := range values {
		at := value.Key.GetToken()
		key, err := convert(value.Key)
		if err != nil {
			return nil, err
		}
		if !key.scalar {
			return nil, faultAt(at, "a key must be a word")
		}
		if first, twice := seen[key.text]; twice {
			return nil, faultAt(at, "the key %q is there twice, first in line %d", key.text, first)
		}
		seen[key.text] = at.Position.Line
		content, err := convert(value.Value)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{key: key.text, line: at.Position.Line, value: content})
	}
	return entries, nil
}
