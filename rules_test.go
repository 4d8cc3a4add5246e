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
	"slices"
	"strconv"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

// eachNode calls visit with each node of the syntax of the program, without its tests and its generated and
// third-party files. where is the position of the node, for messages.
func eachNode(t *testing.T, visit func(file *ast.File, node ast.Node, where func() token.Position)) {
	t.Helper()
	skipped := []string{"node_modules", ".git", ".ci", "testdata", "bench", "e2e"}
	parsed := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		parsed++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if node != nil {
				visit(file, node, func() token.Position { return files.Position(node.Pos()) })
			}
			return true
		})
		return nil
	})
	if err != nil || parsed < 50 {
		t.Fatalf("%d files were parsed: %v", parsed, err)
	}
}

var logKey = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// TestLogKeys_AreWords checks the key in every call of a logger: most tools cannot query a key with a blank.
func TestLogKeys_AreWords(t *testing.T) {
	t.Parallel()
	keys := 0
	eachNode(t, func(_ *ast.File, node ast.Node, where func() token.Position) {
		call, is := node.(*ast.CallExpr)
		if !is {
			return
		}
		for _, key := range keysOf(call) {
			keys++
			if text, err := strconv.Unquote(key.Value); err != nil || !logKey.MatchString(text) {
				t.Errorf("%s: the key %s is not a word", where(), key.Value)
			}
		}
	})
	if keys < 50 {
		t.Errorf("only %d keys were found", keys)
	}
}

// firstKey is the index of the first key in the arguments, for each logging function.
var firstKey = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3, "With": 0, "Group": 1,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
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
		"runboard/jobs/cluster":  {"runboard/app", "runboard/jobs"},
		"runboard/jobs/jobstest": {"runboard/app", "runboard/jobs"},
		"runboard/jobs/command":  {},
		"runboard/static":        {},
		"runboard/templates":     {"runboard/app"},
		"runboard/handlers/live": {"runboard/app", "runboard/templates"},
		"runboard/handlers": {
			"runboard/app", "runboard/static", "runboard/templates", "runboard/handlers/live",
			"runboard/handlers/ws",
		},
		"runboard/handlers/ws": {},
	}
	mayImportFiber := []string{"runboard/handlers", "runboard/handlers/ws"}
	for name, imports := range importsOf(t) {
		for _, imported := range imports {
			ours := strings.HasPrefix(imported, "runboard/")
			rule, ruled := allowed[name]
			switch {
			case ruled && ours && !slices.Contains(rule, imported):
				t.Errorf("%s may not import %s", name, imported)
			case name == "runboard/app" && strings.Contains(imported, "."):
				t.Errorf("app may only import the standard library, not %s", imported)
			case strings.Contains(imported, "gofiber") && !slices.Contains(mayImportFiber, name):
				t.Errorf("only handlers and handlers/ws may import Fiber, not %s", name)
			}
		}
	}
}

// importsOf returns the imports of each package.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
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
	".FormValue": parses, ".QueryInt": parses, ".ParamsInt": parses, ".BodyParser": parses,
	".QueryParser": parses,
	"conn.Close":   "does not close a WebSocket. Write a close frame, and stop reading.",
	".SendFile":    "may serve any file. Files are embedded.",
}

const (
	escapes = "bypasses the escaping of html/template."
	parses  = "accepts malformed input. Use the functions in params.go."
)

// whyForbidden returns why a file must not use a selector, or "".
func whyForbidden(file *ast.File, selector *ast.SelectorExpr) string {
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

func TestForbiddenSelectors_AreUnused(t *testing.T) {
	t.Parallel()
	eachNode(t, func(file *ast.File, node ast.Node, where func() token.Position) {
		selector, is := node.(*ast.SelectorExpr)
		if !is {
			return
		}
		if why := whyForbidden(file, selector); why != "" {
			t.Errorf("%s: %s %s", where(), selector.Sel.Name, why)
		}
	})
}

func TestForbiddenSelectors_AreFoundInAnyForm(t *testing.T) {
	t.Parallel()
	for use, want := range map[string]bool{
		"conn.Close()": true, "s.conn.Close()": true, "a.b.conn.Close()": true, "s.watcher.Close()": false,
		"c.FormValue(``)": true, "template.HTML(``)": true, "s.c.QueryInt(``)": true,
	} {
		source := `package p; import "github.com/fasthttp/websocket"; var _ = ` + use
		file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, is := node.(*ast.SelectorExpr); is {
				seen = seen || whyForbidden(file, selector) != ""
			}
			return true
		})
		if seen != want {
			t.Errorf("%s: forbidden is %t", use, seen)
		}
	}
}

// TestPromises_NameExistingTests checks that the tests that docs/promises.md names exist in the packages that
// it names.
func TestPromises_NameExistingTests(t *testing.T) {
	t.Parallel()
	tests := testsByPackage(t)
	count := 0
	testName := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")
	packageName := regexp.MustCompile("`(\\.[a-z0-9/]*)`")
	for line := range strings.Lines(harness.ReadFile(t, "docs/promises.md")) {
		names := testName.FindAllStringSubmatch(line, -1)
		packages := packageName.FindAllStringSubmatch(line, -1)
		for _, name := range names {
			count++
			found := slices.ContainsFunc(packages,
				func(in []string) bool { return tests[filepath.Clean(in[1])][name[1]] })
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
