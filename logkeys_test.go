package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var logKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// TestLogKeys_AreWords reads every call of a logger in the source: a key with a blank cannot be asked for by most tools.
func TestLogKeys_AreWords(t *testing.T) {
	t.Parallel()
	calls := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", ".git", "bench"}, entry.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, is := node.(*ast.CallExpr)
			if !is {
				return true
			}
			for _, key := range keysOf(call) {
				calls++
				if text, err := strconv.Unquote(key.Value); err != nil || !logKey.MatchString(text) {
					t.Errorf("%s: the key %s", files.Position(key.Pos()), key.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || calls < 50 {
		t.Errorf("%d keys were found, %v", calls, err)
	}
}

// firstKey is, for each function of a logger, where its keys begin.
var firstKey = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3, "With": 0, "Group": 1,
	"String": 0, "Int": 0, "Int64": 0, "Any": 0, "Duration": 0, "Bool": 0,
}

// keysOf returns the keys of a call of a logger, as far as they are written out.
func keysOf(call *ast.CallExpr) (keys []*ast.BasicLit) {
	function, is := call.Fun.(*ast.SelectorExpr)
	if !is {
		return nil
	}
	first, known := firstKey[function.Sel.Name]
	on, plain := function.X.(*ast.Ident)
	ofSlog := plain && on.Name == "slog"
	switch {
	case !known, first == 0 && !ofSlog && function.Sel.Name != "With":
		return nil
	case first == 0 && function.Sel.Name != "With": // an attribute has one key
		call = &ast.CallExpr{Args: call.Args[:1]}
	}
	for i := first; i < len(call.Args); i++ {
		if key, literal := call.Args[i].(*ast.BasicLit); literal && key.Kind == token.STRING {
			keys = append(keys, key)
			i++ // and its value
		}
	}
	return keys
}
