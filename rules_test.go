package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbidden are selectors that have no place in the program, and why.
var forbidden = map[string]string{
	"template.HTML": escapes, "template.HTMLAttr": escapes, "template.JS": escapes, "template.JSStr": escapes,
	"template.CSS": escapes, "template.URL": escapes, "template.Srcset": escapes,
	".FormValue": parses, ".QueryInt": parses, ".ParamsInt": parses, ".BodyParser": parses, ".QueryParser": parses,
	"conn.Close": "of a socket: it does nothing there. Write a close frame, and end the reading.",
	".SendFile":  "sends more than is meant. Files are embedded.",
}

const (
	escapes = "goes past the escaping of html/template."
	parses  = "takes what it should refuse. Use the functions in params.go."
)

// forbids returns why a selector is not to be used in a file, or "".
func forbids(file *ast.File, selector *ast.SelectorExpr) string {
	name := ""
	switch of := selector.X.(type) {
	case *ast.Ident:
		name = of.Name
	case *ast.SelectorExpr: // s.conn
		name = of.Sel.Name
	}
	if name == "conn" && !slices.ContainsFunc(file.Imports, isWebSocket) {
		return "" // another kind of connection
	}
	if why := forbidden[name+"."+selector.Sel.Name]; why != "" {
		return why
	}
	return forbidden["."+selector.Sel.Name]
}

func isWebSocket(imported *ast.ImportSpec) bool {
	return strings.HasSuffix(imported.Path.Value, `/websocket"`)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestNobodyUsesWhatIsForbidden(t *testing.T) {
	t.Parallel()
	looked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == "bench"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		looked++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, is := node.(*ast.SelectorExpr); is {
				if why := forbids(file, selector); why != "" {
					t.Errorf("%s: %s %s", files.Position(selector.Pos()), selector.Sel.Name, why)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || looked < 50 {
		t.Errorf("%d files were looked at: %v", looked, err)
	}
}

func TestWhatIsForbiddenIsSeenHoweverItIsReached(t *testing.T) {
	t.Parallel()
	for use, want := range map[string]bool{
		"conn.Close()": true, "s.conn.Close()": true, "a.b.conn.Close()": true, "s.watcher.Close()": false,
		"c.FormValue(``)": true, "template.HTML(``)": true, "s.c.QueryInt(``)": true,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", `package p; import "github.com/fasthttp/websocket"; var _ = `+use, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, is := node.(*ast.SelectorExpr); is {
				seen = seen || forbids(file, selector) != ""
			}
			return true
		})
		if seen != want {
			t.Errorf("%s: forbidden is %t", use, seen)
		}
	}
}

// What docs/promises.md names must be there, or it promises more than is held.
func TestThePromisesAreHeldByTestsThatExist(t *testing.T) {
	t.Parallel()
	promises := readFile(t, "docs/promises.md")
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`").FindAllStringSubmatch(promises, -1)
	if len(named) < 40 {
		t.Fatalf("it names %d tests", len(named))
	}
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			all.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range named {
		if name[1] != "TestMain" && !strings.Contains(all.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
}
