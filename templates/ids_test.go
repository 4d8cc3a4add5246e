package templates_test

import (
	"os"
	"regexp"
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
