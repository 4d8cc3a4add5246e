package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"runboard/e2e/harness"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var logKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// TestLogKeys_AreWords checks the key in every call of a logger: most tools cannot query a key with a blank.
func TestLogKeys_AreWords(t *testing.T) {
	t.Parallel()
	calls := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"node_modules", ".git", "bench", "e2e"}, entry.Name()):
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

// firstKey is the index of the first key in the arguments, for each logging function.
var firstKey = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2, "Log": 3, "With": 0, "Group": 1,
	"String": 0, "Int": 0, "Int64": 0, "Any": 0, "Duration": 0, "Bool": 0,
}

// keysOf returns the keys in a call of a logger that are string literals.
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
			i++ // skips the value
		}
	}
	return keys
}

// TestImports_PointOneWay checks the layers: every package may import app, none imports a sibling, and only
// handlers and handlers/ws import Fiber.
func TestImports_PointOneWay(t *testing.T) {
	allowed := map[string][]string{
		"runboard":               {"runboard/board"},
		"runboard/app":           {},
		"runboard/db/sqlite":     {"runboard/app", "runboard/db/query"},
		"runboard/db/query":      {"runboard/app"},
		"runboard/db/postgres":   {"runboard/app", "runboard/db/query"},
		"runboard/db/dbtest":     {"runboard/app"},
		"runboard/db/pgtest":     {},
		"runboard/jobs":          {"runboard/app", "runboard/jobs/command"},
		"runboard/jobs/river":    {"runboard/app", "runboard/jobs"},
		"runboard/jobs/jobstest": {"runboard/app", "runboard/jobs"},
		"runboard/jobs/command":  {},
		"runboard/static":        {},
		"runboard/templates":     {"runboard/app"},
		"runboard/handlers/live": {"runboard/app", "runboard/templates"},
		"runboard/handlers":      {"runboard/app", "runboard/static", "runboard/templates", "runboard/handlers/live", "runboard/handlers/ws"},
		"runboard/handlers/ws":   {},
	}
	for name, imports := range importsOf(t, "./...") {
		for _, imported := range imports {
			ours := strings.HasPrefix(imported, "runboard/")
			rule, ruled := allowed[name]
			switch {
			case ruled && ours && !slices.Contains(rule, imported):
				t.Errorf("%s may not import %s", name, imported)
			case name == "runboard/app" && strings.Contains(imported, "."):
				t.Errorf("app may only import the standard library, not %s", imported)
			case strings.Contains(imported, "gofiber") && name != "runboard/handlers" && name != "runboard/handlers/ws":
				t.Errorf("only handlers and handlers/ws may import Fiber, not %s", name)
			}
		}
	}
}

func importsOf(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p.Imports
	}
	return packages
}

// forbidden maps selectors that the program must not use to the reason.
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

// forbids returns why a file must not use a selector, or "".
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

func TestImports_ForbiddenOnesAreUnused(t *testing.T) {
	t.Parallel()
	looked := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == "bench" || entry.Name() == "e2e"):
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

func TestImports_ForbiddenOnesAreFoundInAnyForm(t *testing.T) {
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

// The tests that docs/promises.md names must exist in the packages that it names; otherwise it promises more
// than the tests hold.
func TestPromises_NameExistingTests(t *testing.T) {
	t.Parallel()
	tests := testsByPackage(t)
	count := 0
	for line := range strings.Lines(harness.ReadFile(t, "docs/promises.md")) {
		names := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`").FindAllStringSubmatch(line, -1)
		packages := regexp.MustCompile("`(\\.[a-z0-9/]*)`").FindAllStringSubmatch(line, -1)
		for _, name := range names {
			count++
			found := slices.ContainsFunc(packages, func(in []string) bool { return tests[filepath.Clean(in[1])][name[1]] })
			if !found && name[1] != "TestMain" {
				t.Errorf("there is no %s in any of the packages %q", name[1], packages)
			}
		}
	}
	if count < 40 {
		t.Errorf("it names %d tests", count)
	}
}

// testsByPackage returns the names of all tests by the folder of their package.
func testsByPackage(t *testing.T) map[string]map[string]bool {
	t.Helper()
	tests := map[string]map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		folder := filepath.Dir(path)
		if tests[folder] == nil {
			tests[folder] = map[string]bool{}
		}
		for _, match := range declared.FindAllStringSubmatch(harness.ReadFile(t, path), -1) {
			tests[folder][match[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
