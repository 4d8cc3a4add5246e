package static_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scripts returns the names of our scripts.
func scripts(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("found scripts %v: %v", names, err)
	}
	return names
}

var importPattern = regexp.MustCompile(`import[^"]*"([^"]*)"`)

// A browser loads app.js, what app.js imports, and so on; on pages with a log, also runlog.js, and on the
// timeline, timeline.js.
func TestScripts_ImportHashedPaths(t *testing.T) {
	t.Parallel()
	assets := load(t)
	var loaded []string
	paths := []string{assets.Path("app.js"), assets.Path("runlog.js"), assets.Path("timeline.js")}
	for ; len(paths) > 0; paths = paths[1:] {
		if slices.Contains(loaded, paths[0]) {
			continue
		}
		loaded = append(loaded, paths[0])
		file, found := assets.Find(paths[0])
		if !found {
			t.Fatalf("no file is served at %q", paths[0])
		}
		for _, match := range importPattern.FindAllSubmatch(file.Encoded("identity"), -1) {
			paths = append(paths, string(match[1]))
		}
	}
	for _, name := range scripts(t) {
		if !slices.Contains(loaded, assets.Path(name)) {
			t.Errorf("no script imports %s", name)
		}
	}
}

func TestScripts_AreServedMinified(t *testing.T) {
	t.Parallel()
	assets := load(t)
	for _, name := range scripts(t) {
		source, served := content(t, name), find(t, assets, name).Encoded("identity")
		if bytes.Contains(served, []byte("\n//")) || bytes.HasPrefix(served, []byte("//")) {
			t.Errorf("%s is served with its comments", name)
		}
		if lines := bytes.Count(source, []byte("\n")); bytes.Count(served, []byte("\n")) > lines/4 {
			t.Errorf("%s has %d lines, and is served as %s", name, lines, served)
		}
	}
}

// A browser loads the imports of app.js at the same time. What only they import would come a round trip
// later.
func TestScripts_LoadInTwoRoundTrips(t *testing.T) {
	t.Parallel()
	imports := func(name string) (names []string) {
		for _, match := range regexp.MustCompile(`"\./([a-z]+\.js)"`).FindAllSubmatch(content(t, name), -1) {
			names = append(names, string(match[1]))
		}
		return names
	}
	direct := append(imports("app.js"), imports("runlog.js")...) // pages with a log load both
	for _, name := range direct {
		for _, imported := range imports(name) {
			if !slices.Contains(direct, imported) {
				t.Errorf("%s imports %s, but neither app.js nor runlog.js does", name, imported)
			}
		}
	}
	common := imports("app.js")
	for _, name := range common {
		for _, imported := range imports(name) {
			if !slices.Contains(common, imported) {
				t.Errorf("%s imports %s, but app.js does not", name, imported)
			}
		}
	}
}

func TestScripts_OnlyEventsListensToHTMX(t *testing.T) {
	t.Parallel()
	for _, name := range scripts(t) {
		if listens := strings.Contains(string(content(t, name)), `"htmx:`); listens != (name == "events.js") {
			t.Errorf("%s listens to events of htmx: %v", name, listens)
		}
	}
}

// idPattern matches an id in a selector or in a call, such as "#live" or getElementById("live").
var idPattern = regexp.MustCompile("[\"`][^\"`\n]*#[a-z_]+\\b|getElementById|\\.id === \"")

func TestScripts_TakeIDsFromPage(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^  (\w+): "\w+",$`).
		FindAllStringSubmatch(string(content(t, "page.js")), -1)
	uses := map[string]int{}
	for _, match := range declared {
		uses[match[1]] = 0
	}
	for _, name := range scripts(t) {
		text := string(content(t, name))
		if spelled := idPattern.FindString(text); spelled != "" && name != "page.js" {
			t.Errorf("%s spells an id: %s", name, spelled)
		}
		for _, match := range regexp.MustCompile(`\bids\.(\w+)`).FindAllStringSubmatch(text, -1) {
			if _, known := uses[match[1]]; !known {
				t.Errorf("%s uses ids.%s, which page.js does not have", name, match[1])
			}
			uses[match[1]]++
		}
	}
	for name, n := range uses {
		if n == 0 {
			t.Errorf("no script uses ids.%s", name)
		}
	}
}
