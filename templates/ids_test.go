package templates_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Scripts take all ids from their own list.
func TestIDs_ScriptsKnowThoseOfPages(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../static/page.js")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m)^  \w+: "(\w+)",$`).FindAllSubmatch(script, -1)
	if len(listed) == 0 {
		t.Fatal("page.js lists no ids")
	}
	rendered := map[string]bool{}
	for _, page := range pages(t) {
		for _, node := range elements(page,
			func(node *html.Node) bool { return attribute(node, "id") != "" }) {
			rendered[attribute(node, "id")] = true
		}
	}
	for _, match := range listed {
		if id := string(match[1]); !rendered[id] {
			t.Errorf("no page has the id %q of page.js", id)
		}
	}
}

// A page removes the same parts whether it gets the last frame of a deleted run or comes too late for it.
func TestDeletedFrame_RemovesWhatScriptsRemove(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../static/page.js")
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	frame := must(t)(newTemplates(t).DeletedFrame(7))
	removal := regexp.MustCompile(`"#process_run_7_(\w+)" hx-swap="delete"`)
	for _, match := range removal.FindAllStringSubmatch(frame, -1) {
		parts = append(parts, `"`+match[1]+`"`)
	}
	want := "deletedParts = [" + strings.Join(parts, ", ") + "];"
	if len(parts) == 0 || !strings.Contains(string(script), want) {
		t.Errorf("page.js does not have %s", want)
	}
}

// Comments of templates say which script does the rest.
func TestTemplates_NameScriptsThatExist(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("*.html")
	if err != nil || len(sources) == 0 {
		t.Fatalf("there are the templates %q, %v", sources, err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range regexp.MustCompile(`\bstatic/[\w/]+\.\w+`).FindAllString(string(text), -1) {
			if _, err := os.Stat("../" + script); err != nil {
				t.Errorf("%s names %s: %v", source, script, err)
			}
		}
	}
}
